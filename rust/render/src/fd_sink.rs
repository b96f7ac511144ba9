//! A sink over a file descriptor: a terminal, a pipe or a file that somebody else may use too.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::{getpgrp, tcgetpgrp, write};

use crate::sink::{Outcome, Sink, Size};

/// What is written at once to something that may block: after `poll` says yes, a pipe takes this
/// much (`_POSIX_PIPE_BUF`), and a terminal that has room at all practically always does.
const CAREFUL_BYTES: usize = 512;

/// A sink over a descriptor of its own.
#[derive(Debug)]
pub struct FdSink {
    /// There until the sink is dropped.
    fd: Option<OwnedFd>,
    /// Device and inode: a program that closes descriptors by number may close this one, and open
    /// another file under its number.
    inode: Option<(u64, u64)>,
    manner: Manner,
}

/// How not to block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Writes do not block: a regular file, or an open file description in non-blocking mode.
    AtOnce,
    /// Writes may block: in small parts, each only where `poll` says that there is room.
    Careful,
}

impl FdSink {
    /// A sink over a duplicate of the user's descriptor.
    ///
    /// A terminal or pipe is opened once more, because `O_NONBLOCK` belongs to the open file
    /// description: set on a duplicate, it would make the shell's and everybody else's writes fail.
    /// Where that is refused (a socket, a terminal of another user, no `/proc`), the duplicate
    /// itself is used with care. A regular file is written through the duplicate, which shares its
    /// offset and its append mode with the user's.
    #[must_use]
    pub fn new(duplicate: OwnedFd) -> Self {
        let is_file = fstat(&duplicate).is_ok_and(|stat| file_type(stat.st_mode) == SFlag::S_IFREG);
        if is_file {
            return Self::over(duplicate, Manner::AtOnce);
        }
        let path = format!("/proc/self/fd/{}", duplicate.as_raw_fd());
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        match open(path.as_str(), flags, Mode::empty()) {
            Ok(own) => Self::over(own, Manner::AtOnce),
            Err(_) => Self::over(duplicate, Manner::Careful),
        }
    }

    fn over(fd: OwnedFd, manner: Manner) -> Self {
        Self {
            inode: inode_of(&fd),
            fd: Some(fd),
            manner,
        }
    }

    /// The sink under another number, as `place` gives one to its descriptor.
    #[must_use]
    pub fn moved(mut self, place: impl FnOnce(OwnedFd) -> OwnedFd) -> Self {
        self.fd = self.fd.take().map(place);
        self
    }

    /// The descriptor, if it is still what it was.
    fn own(&self) -> Option<BorrowedFd<'_>> {
        let fd = self.fd.as_ref()?;
        (self.inode.is_some() && inode_of(fd) == self.inode).then(|| fd.as_fd())
    }

    fn write_carefully(fd: BorrowedFd<'_>, bytes: &[u8]) -> Outcome {
        let mut written = 0;
        for part in bytes.chunks(CAREFUL_BYTES) {
            let outcome = if has_room(fd) {
                write_once(fd, part)
            } else {
                Outcome::Busy
            };
            match outcome {
                Outcome::Whole => written += part.len(),
                Outcome::Part(bytes) => return Outcome::Part(written + bytes),
                Outcome::Busy if written > 0 => return Outcome::Part(written),
                Outcome::Busy | Outcome::Dead => return outcome,
            }
        }
        Outcome::Whole
    }
}

impl Sink for FdSink {
    fn write_frame(&mut self, bytes: &[u8]) -> Outcome {
        let Some(fd) = self.own() else {
            return Outcome::Dead;
        };
        if is_refused(fd) {
            return Outcome::Busy;
        }
        match self.manner {
            Manner::AtOnce => write_once(fd, bytes),
            Manner::Careful => Self::write_carefully(fd, bytes),
        }
    }

    fn size(&self) -> Option<Size> {
        let (width, height) = terminal_size::terminal_size_of(self.fd.as_ref()?)?;
        Some(Size {
            cols: width.0,
            rows: height.0,
        })
    }

    /// Editors of lines read the terminal key by key (readline, prompt_toolkit, Python's own).
    fn is_edited(&self) -> bool {
        self.own()
            .and_then(|fd| tcgetattr(fd).ok())
            .is_some_and(|modes| !modes.local_flags.contains(LocalFlags::ICANON))
    }
}

impl Drop for FdSink {
    fn drop(&mut self) {
        if self.own().is_none() {
            // Closed behind our back: the number is somebody else's, if anybody's.
            std::mem::forget(self.fd.take());
        }
    }
}

fn inode_of(fd: &OwnedFd) -> Option<(u64, u64)> {
    fstat(fd).ok().map(|stat| (stat.st_dev, stat.st_ino))
}

/// Whether the terminal is to stop who writes now: it says so of the background (`stty tostop`). The
/// thread blocks the signal, and would write all the same.
fn is_refused(fd: BorrowedFd<'_>) -> bool {
    // It fails for a terminal that is not this session's, which refuses nobody.
    tcgetpgrp(fd).is_ok_and(|foreground| foreground != getpgrp())
        && tcgetattr(fd).is_ok_and(|modes| modes.local_flags.contains(LocalFlags::TOSTOP))
}

fn write_once(fd: BorrowedFd<'_>, bytes: &[u8]) -> Outcome {
    loop {
        return match write(fd, bytes) {
            Ok(written) if written >= bytes.len() => Outcome::Whole,
            // A disk that is full, somebody may make room on: the lines of a log wait for it.
            Ok(0) | Err(Errno::EAGAIN | Errno::ENOSPC | Errno::EDQUOT) => Outcome::Busy,
            Ok(written) => Outcome::Part(written),
            Err(Errno::EINTR) => continue,
            // The reader is gone, the line was hung up, the descriptor is not for writing: none of
            // these gets better by asking again ten times a second.
            Err(_) => Outcome::Dead,
        };
    }
}

fn has_room(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::new(fd, PollFlags::POLLOUT)];
    // An error or hang-up counts as room: the write will say which it is.
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

fn file_type(mode: nix::sys::stat::mode_t) -> SFlag {
    SFlag::from_bits_truncate(mode) & SFlag::S_IFMT
}
