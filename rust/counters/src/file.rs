//! The segment's file: created whole and published by a link, attached to only while its name still
//! leads to it, unlinked only while nobody else is attached.
//!
//! The naive order (open, check, unlink) split 1,896 of 180,000 attaches of a trial into two segments;
//! this one none. Each step may be the last of the process that takes it: what it leaves is either
//! unnamed, or whole, or swept by the next job.
//!
//! Whoever comes asks first for the gate alone. Two that asked for it together with others would find
//! each other there, and each would take a leftover for a segment in use.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FallocateFlags, OFlag, fallocate, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::unistd::{getuid, linkat, unlink};

use crate::awaited;
use crate::error::Error;
use crate::layout::{SEGMENT_BYTES, Seen, Tables};
use crate::locks::Locks;
use crate::lost::Lost;
use crate::shm;
use crate::trust::{check, is_whole, refuse_network, refused};

/// How often a process tries to attach while others publish and unlink under the same name: at first
/// at once, then a millisecond apart, for one of them may have lost its processor.
const ATTACH_TRIES: usize = 200;
const HASTY_TRIES: usize = 50;
const PRIVATE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// A mapped segment and the locks that this process holds on it: so far only the gate.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) tables: &'static Tables,
    pub(crate) locks: Locks,
    /// Whether this process made it.
    pub(crate) created: bool,
    /// Whether it was a leftover, in which this process goes on.
    pub(crate) was_left: bool,
    /// What was lost in a leftover that this process replaced: nobody else is told.
    pub(crate) dropped: Lost,
}

impl Opened {
    /// A segment that others are attached to.
    pub(crate) fn joined(tables: &'static Tables, locks: Locks) -> Self {
        Self {
            tables,
            locks,
            created: false,
            was_left: false,
            dropped: Lost::NONE,
        }
    }

    /// A segment that this process made.
    fn created(tables: &'static Tables, locks: Locks) -> Self {
        Self {
            created: true,
            ..Self::joined(tables, locks)
        }
    }
}

/// What to do with a whole segment of the job that nobody is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// Go on in it: workers come and go while their parent has no bar and is not attached.
    Keep,
    /// Go on in it if its workers noted this process as the first of their program, which they came
    /// before.
    KeepOwn,
    /// Start afresh: its processes were killed, and their counts are another run's.
    Replace,
}

impl Leftover {
    fn is_kept(self, tables: &Tables) -> bool {
        match self {
            Self::Keep => true,
            Self::KeepOwn => awaited::awaited_by(tables) == Some(std::process::id()),
            Self::Replace => false,
        }
    }
}

/// Name of a job's segment: readable by people who look into `/dev/shm`, one for each user.
pub(crate) fn name_of(job: u64) -> String {
    format!("{}{job:016x}", prefix())
}

/// The job whose segment has this name, if it is a name of a segment of this user.
pub(crate) fn job_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(&prefix())?;
    let job = u64::from_str_radix(digits, 16).ok()?;
    (name_of(job) == name).then_some(job)
}

pub(crate) fn prefix() -> String {
    format!("mp_tqdm-{}-", getuid())
}

/// What the name of a file begins with that is not published yet, where a file must have one.
pub(crate) fn private_prefix() -> String {
    format!("{}new-", prefix())
}

/// Attaches to the job's segment in `directory`, or makes it.
pub(crate) fn open_or_create(
    directory: &Path,
    job: u64,
    leftover: Leftover,
) -> Result<Opened, Error> {
    refuse_network(directory)?;
    let path = directory.join(name_of(job));
    let mut dropped = Lost::NONE;
    for attempt in 0..ATTACH_TRIES {
        match attach(&path, job, leftover)? {
            Attempt::Done(opened) => return Ok(Opened { dropped, ..opened }),
            Attempt::Missing => {
                if let Some(opened) = create(directory, &path, job)? {
                    return Ok(Opened { dropped, ..opened });
                }
            }
            Attempt::Replaces(lost) => dropped = lost,
            Attempt::Again if attempt < HASTY_TRIES => std::thread::yield_now(),
            Attempt::Again => std::thread::sleep(Duration::from_millis(1)),
        }
    }
    Err(Error::Contended)
}

enum Attempt {
    Done(Opened),
    Missing,
    Again,
    /// A leftover with these losses is gone; the next try starts afresh.
    Replaces(Lost),
}

fn attach(path: &Path, job: u64, leftover: Leftover) -> Result<Attempt, Error> {
    let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::ENOENT) => return Ok(Attempt::Missing),
        Err(errno) => return Err(refused(errno)),
    };
    let stat = fstat(&file).map_err(Error::system("inspect the segment"))?;
    if stat.st_nlink != 1 {
        // Being published or unlinked at this moment. A lasting second link is somebody's trick; it
        // outlasts the tries.
        return Ok(Attempt::Again);
    }
    check(&stat)?;
    let locks = Locks::new(file)?;
    let is_alone = locks.shut()?;
    if !is_alone && !locks.enter()? {
        return Ok(Attempt::Again);
    }
    let stat = fstat(locks.file()).map_err(Error::system("inspect the segment"))?;
    if !is_whole(path, &stat) {
        return Ok(Attempt::Again);
    }
    // Nobody who is careful makes a shorter file or one with holes; touching what is missing in it
    // could kill us.
    let seen = if usize::try_from(stat.st_size).is_ok_and(|size| size >= SEGMENT_BYTES) {
        allocate(locks.file())?;
        let tables = shm::map_file(locks.file())?;
        (tables.inspect(job), Some(tables))
    } else {
        (Seen::Nonsense, None)
    };
    match seen {
        (Seen::Ours, Some(tables)) if !is_alone || leftover.is_kept(tables) => {
            // Turns a write lock into a read lock at one stroke.
            locks.enter()?;
            Ok(Attempt::Done(Opened {
                was_left: is_alone,
                ..Opened::joined(tables, locks)
            }))
        }
        (seen, tables) if is_alone && unlink_if_alone(path, &locks) => {
            let ours = tables.filter(|_| seen == Seen::Ours);
            Ok(Attempt::Replaces(ours.map_or(Lost::NONE, Tables::lost)))
        }
        (Seen::Version(found), _) => Err(Error::Version {
            expected: crate::layout::LAYOUT_VERSION,
            found,
        }),
        _ => Err(Error::Corrupt),
    }
}

/// Makes a segment and gives it its name; `None` if another process was quicker.
fn create(directory: &Path, path: &Path, job: u64) -> Result<Option<Opened>, Error> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
    match open(directory, flags | OFlag::O_TMPFILE, PRIVATE) {
        Ok(file) => publish(file, path, job),
        // File systems without unnamed files: a name that hardly anybody else would choose.
        Err(_) => {
            let own = directory.join(format!("{}{}", private_prefix(), std::process::id()));
            let file = open_own(&own)?;
            let published = publish(file, path, job);
            let _ = unlink(&own);
            published
        }
    }
}

fn open_own(own: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    let _ = unlink(own);
    open(own, flags | OFlag::O_EXCL | OFlag::O_CREAT, PRIVATE)
        .map_err(Error::system("create the segment"))
}

fn fill(file: OwnedFd, job: u64) -> Result<(&'static Tables, Locks), Error> {
    allocate(&file)?;
    let locks = Locks::new(file)?;
    let tables = shm::map_file(locks.file())?;
    tables.initialise(job);
    locks.enter()?;
    Ok((tables, locks))
}

fn allocate(file: &OwnedFd) -> Result<(), Error> {
    #[expect(clippy::cast_possible_wrap, reason = "a constant of 2^20")]
    let length = SEGMENT_BYTES as i64;
    fallocate(file, FallocateFlags::empty(), 0, length)
        .map_err(Error::system("allocate the segment"))
}

/// Fills the file and links it, through its descriptor: a name of its own may lead to another file by
/// now, of a process with the same id in another pid namespace. `None` if the name is taken, or if a
/// sweeper took the file for a dead process's.
fn publish(file: OwnedFd, path: &Path, job: u64) -> Result<Option<Opened>, Error> {
    use std::os::fd::AsRawFd;
    let (tables, locks) = fill(file, job)?;
    let opened = PathBuf::from(format!("/proc/self/fd/{}", locks.file().as_raw_fd()));
    match linkat(
        AT_FDCWD,
        &opened,
        AT_FDCWD,
        path,
        AtFlags::AT_SYMLINK_FOLLOW,
    ) {
        Ok(()) => Ok(Some(Opened::created(tables, locks))),
        Err(Errno::EEXIST | Errno::ENOENT) => Ok(None),
        Err(errno) => Err(Error::system("publish the segment")(errno)),
    }
}

/// A segment without a name: only fork children find it, by inheritance.
pub(crate) fn create_memfd(job: u64) -> Result<Opened, Error> {
    let file = memfd_create("mp_tqdm", MFdFlags::MFD_CLOEXEC)
        .map_err(Error::system("create an unnamed segment"))?;
    let (tables, locks) = fill(file, job)?;
    Ok(Opened::created(tables, locks))
}

/// Unlinks the file if no other process is attached; true if the name is free now.
///
/// Nobody can attach in between: they need the gate, which this process holds for writing until its
/// descriptor closes.
pub(crate) fn unlink_if_alone(path: &Path, locks: &Locks) -> bool {
    unlink_if(path, locks, |stat| is_whole(path, stat))
}

/// As [`unlink_if_alone`], by another rule, which is asked behind the gate.
pub(crate) fn unlink_if(path: &Path, locks: &Locks, may: impl FnOnce(&FileStat) -> bool) -> bool {
    locks.shut().unwrap_or(false)
        && fstat(locks.file()).is_ok_and(|stat| may(&stat))
        && unlink(path).is_ok()
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use super::*;

    const JOB: u64 = 7;

    /// Files made as where all files have names.
    struct Named {
        directory: PathBuf,
        own: PathBuf,
        path: PathBuf,
    }

    impl Named {
        fn new(test: &str) -> Self {
            let name = format!("mp-tqdm-file-{test}-{}", std::process::id());
            let directory = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&directory).expect("the directory is writable");
            Self {
                own: directory.join(format!("{}1", private_prefix())),
                path: directory.join(name_of(JOB)),
                directory,
            }
        }

        fn names(&self) -> usize {
            let names = std::fs::read_dir(&self.directory);
            names.expect("the directory is there").count()
        }
    }

    impl Drop for Named {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.directory);
        }
    }

    #[test]
    fn a_creator_never_publishes_the_file_of_another_one_with_its_pid() {
        let named = Named::new("same-pid");
        let mine = open_own(&named.own).unwrap();
        let _theirs = open_own(&named.own).unwrap();
        assert!(publish(mine, &named.path, JOB).unwrap().is_none());
        assert!(!named.path.exists());
    }

    #[test]
    fn what_a_creator_left_that_died_between_its_two_names_is_swept() {
        let named = Named::new("two-names");
        let file = open_own(&named.own).unwrap();
        drop(publish(file, &named.path, JOB).unwrap().unwrap());
        let other = Named::new("two-names-other");
        let opened = open_or_create(&other.directory, JOB, Leftover::Keep).unwrap();
        crate::sweep::sweep(&named.directory, &opened.locks);
        crate::sweep::sweep(&named.directory, &opened.locks);
        assert_eq!(named.names(), 0);
    }
}
