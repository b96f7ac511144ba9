//! Who is alive: `fcntl` record locks past the end of the segment's file, one byte per process slot.
//!
//! The kernel frees them at `kill -9`, does not hand them to fork children, knows nothing of pid reuse
//! and sees through pid namespaces. Not `flock` (an orphaned fork child keeps it), not `kill(pid, 0)`
//! (a zombie is alive). Tested with `F_OFD_GETLK`, which sees this process's own locks too;
//! `F_GETLK` calls them free. Closing any descriptor of the inode drops all of a process's locks on
//! it, so a process opens its segment once and keeps it.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::stat::fstat;

use crate::descriptor::move_up;
use crate::error::Error;
use crate::layout::SEGMENT_BYTES;
use crate::process::Processes;
use crate::tag::{Liveness, ProcessId, Rank, Slot};

/// Held for reading by every attached process, for writing by one that wants to unlink.
const GATE: i64 = 0;
/// One byte for each local rank.
const RANKS: i64 = 1 << 10;
/// One byte for each process slot.
const SLOTS: i64 = 1 << 18;

/// A segment's file, kept for its locks.
#[derive(Debug)]
pub(crate) struct Locks {
    file: OwnedFd,
    /// Device and inode: the number of the descriptor may be given to another file behind our back.
    pub(crate) inode: (u64, u64),
}

impl Locks {
    /// Takes over an open segment file, moved to a high descriptor. No lock may be held on it yet
    /// (closing the low descriptor would drop it).
    pub(crate) fn new(file: OwnedFd) -> Result<Self, Error> {
        let file = move_up(file);
        let stat = fstat(&file).map_err(Error::system("inspect the segment"))?;
        let inode = (stat.st_dev, stat.st_ino);
        Ok(Self { file, inode })
    }

    pub(crate) fn file(&self) -> &OwnedFd {
        &self.file
    }

    /// Whether the descriptor is still the segment's.
    pub(crate) fn is_ours(&self) -> bool {
        fstat(&self.file).is_ok_and(|stat| (stat.st_dev, stat.st_ino) == self.inode)
    }

    fn try_lock(&self, kind: i32, byte: i64) -> Result<bool, Error> {
        if !self.is_ours() {
            return Err(Error::Untrusted {
                found: "another file under our descriptor",
            });
        }
        match fcntl(&self.file, FcntlArg::F_SETLK(&region(kind, byte))) {
            Ok(_) => Ok(true),
            Err(Errno::EACCES | Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(Error::system("lock the segment")(errno)),
        }
    }

    /// Notes that this process is attached; false while somebody is unlinking the file.
    pub(crate) fn enter(&self) -> Result<bool, Error> {
        self.try_lock(libc::F_RDLCK, GATE)
    }

    /// No longer counts as attached.
    pub(crate) fn withdraw(&self) {
        let _ = self.try_lock(libc::F_UNLCK, GATE);
    }

    /// Makes sure that nobody else is attached, and keeps everybody out until [`Locks::enter`], or
    /// until the descriptor closes.
    pub(crate) fn shut(&self) -> Result<bool, Error> {
        self.try_lock(libc::F_WRLCK, GATE)
    }

    /// Becomes the process of a local rank.
    pub(crate) fn take_rank(&self, rank: Rank) -> Result<(), Error> {
        let byte = RANKS + i64::from(rank.0);
        if self.try_lock(libc::F_WRLCK, byte)? {
            return Ok(());
        }
        let mut held = region(libc::F_WRLCK, byte);
        let asked = fcntl(&self.file, FcntlArg::F_GETLK(&mut held));
        let pid = if asked.is_ok() { held.l_pid } else { 0 };
        Err(Error::RankTaken { rank: rank.0, pid })
    }

    /// Takes the lowest free slot of `count`.
    pub(crate) fn take_slot(&self, count: usize) -> Result<Option<Slot>, Error> {
        for slot in 0..u16::try_from(count).unwrap_or(u16::MAX) {
            if self.try_lock(libc::F_WRLCK, SLOTS + i64::from(slot))? {
                return Ok(Some(Slot(slot)));
            }
        }
        Ok(None)
    }

    /// Whether no process holds the slot. Where the kernel does not answer it counts as held: a live
    /// process's cell must never be taken.
    fn is_free(&self, slot: Slot) -> bool {
        self.is_free_at(SLOTS + i64::from(slot.0))
    }

    /// Whether any process is attached.
    pub(crate) fn is_in_use(&self) -> bool {
        !self.is_free_at(GATE)
    }

    fn is_free_at(&self, byte: i64) -> bool {
        let mut held = region(libc::F_WRLCK, byte);
        self.is_ours()
            && (fcntl(&self.file, FcntlArg::F_OFD_GETLK(&mut held)).is_ok()
                // A sandbox may know but this one, to which one's own locks are free.
                || fcntl(&self.file, FcntlArg::F_GETLK(&mut held)).is_ok())
            && i32::from(held.l_type) == libc::F_UNLCK
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the constants of libc fit their field"
)]
fn region(kind: i32, byte: i64) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: SEGMENT_BYTES as i64 + byte,
        l_len: 1,
        l_pid: 0,
    }
}

/// Life and death as the kernel's locks tell it; without a file, this process is all there is.
#[derive(Clone, Copy, Debug)]
pub struct LockLiveness<'a> {
    pub(crate) locks: Option<&'a Locks>,
    pub(crate) processes: Processes<'a>,
    pub(crate) me: ProcessId,
}

impl Liveness for LockLiveness<'_> {
    fn is_dead(&self, process: ProcessId) -> bool {
        if process == self.me || process == ProcessId::NONE {
            return false;
        }
        let entry = self.processes.entry(process.slot);
        if entry.is_none_or(|entry| entry.incarnation() != process.incarnation) {
            return true;
        }
        self.locks.is_none_or(|locks| locks.is_free(process.slot))
    }

    fn is_dead_actor(&self, slot: Slot, incarnation_low: u16) -> bool {
        let Some(entry) = self.processes.entry(slot) else {
            return true;
        };
        let incarnation = entry.incarnation();
        incarnation.0 as u16 != incarnation_low || self.is_dead(ProcessId { slot, incarnation })
    }
}
