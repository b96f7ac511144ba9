//! The segment's file: created whole and published by a link, attached to only while its name still
//! leads to it, unlinked only while nobody else is attached.
//!
//! The naive order (open, check, unlink) split 1,896 of 180,000 attaches of a trial into two segments;
//! this one none. Each step may be the last of the process that takes it: what it leaves is either
//! unnamed, or whole, or swept by the next job.
//!
//! Whoever comes asks first for the gate alone. Two that asked for it together with others would find
//! each other there, and each would take a leftover for a segment in use.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{
    AT_FDCWD, AtFlags, FallocateFlags, OFlag, RenameFlags, fallocate, open, renameat2,
};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{FileStat, Mode, fstat};
use nix::sys::uio::pwrite;
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
    let is_long = usize::try_from(stat.st_size).is_ok_and(|size| size >= SEGMENT_BYTES);
    let seen = if is_long && has_room(locks.file())? {
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
    if let Ok(file) = open(directory, flags | OFlag::O_TMPFILE, PRIVATE) {
        let made = fill(file, job)?;
        match link(&made.locks, path) {
            Ok(is_ours) => return Ok(is_ours.then_some(made)),
            // Without `/proc` a file that has no name gets none.
            Err(_) => drop(made),
        }
    }
    // A name that nobody else chooses: by it alone the file may have to be found.
    let own = directory.join(own_name());
    let made = open_own(&own).and_then(|file| fill(file, job));
    let published = match made {
        Err(Error::Contended) => Ok(None),
        made => made.and_then(|made| publish(made, &own, path)),
    };
    let _ = unlink(&own);
    published
}

/// What a file is called that is not published yet. A pid is another process's in another namespace.
fn own_name() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("{}{}-{random:x}", private_prefix(), std::process::id())
}

fn open_own(own: &Path) -> Result<OwnedFd, Error> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    open(own, flags | OFlag::O_EXCL | OFlag::O_CREAT, PRIVATE)
        .map_err(Error::system("create the segment"))
}

fn fill(file: OwnedFd, job: u64) -> Result<Opened, Error> {
    allocate(&file)?;
    let locks = Locks::new(file)?;
    let tables = shm::map_file(locks.file())?;
    tables.initialise(job);
    if locks.enter()? {
        Ok(Opened::created(tables, locks))
    } else {
        // A sweeper was quicker, and removes it.
        Err(Error::Contended)
    }
}

/// Has the file system set room aside; false where it, or a sandbox, does not do so.
fn reserve(file: &OwnedFd) -> Result<bool, Error> {
    #[expect(clippy::cast_possible_wrap, reason = "a constant of 2^20")]
    let length = SEGMENT_BYTES as i64;
    match fallocate(file, FallocateFlags::empty(), 0, length) {
        Ok(()) => Ok(true),
        Err(errno @ (Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG | Errno::EROFS)) => {
            Err(Error::system("allocate the segment")(errno))
        }
        Err(_) => Ok(false),
    }
}

/// Gives a new file its pages: else the first touch of one could kill us.
fn allocate(file: &OwnedFd) -> Result<(), Error> {
    let failed = Error::system("allocate the segment");
    if reserve(file)? {
        return Ok(());
    }
    write_zeros(file).map_err(&failed)?;
    // A file system that compresses keeps no room for zeros.
    if has_pages(file)? {
        Ok(())
    } else {
        Err(failed(Errno::EOPNOTSUPP))
    }
}

fn write_zeros(file: &OwnedFd) -> Result<(), Errno> {
    const ZEROS: [u8; 1 << 14] = [0; 1 << 14];
    let mut done = 0;
    while done < SEGMENT_BYTES {
        let more = ZEROS.len().min(SEGMENT_BYTES - done);
        let at = i64::try_from(done).unwrap_or(i64::MAX);
        match pwrite(file, &ZEROS[..more], at) {
            Ok(0) => return Err(Errno::ENOSPC),
            Ok(written) => done += written,
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Whether every page of another one's file is there; they are made where that is possible.
fn has_room(file: &OwnedFd) -> Result<bool, Error> {
    Ok(reserve(file)? || has_pages(file)?)
}

fn has_pages(file: &OwnedFd) -> Result<bool, Error> {
    const BLOCK: usize = 512;
    let stat = fstat(file).map_err(Error::system("inspect the segment"))?;
    Ok(usize::try_from(stat.st_blocks).is_ok_and(|blocks| blocks >= SEGMENT_BYTES / BLOCK))
}

/// Gives an open file a name, through its descriptor. False if the name is taken, or if the file lost
/// the one it had: a sweeper took it for a dead process's.
fn link(locks: &Locks, path: &Path) -> Result<bool, Errno> {
    let opened = PathBuf::from(format!("/proc/self/fd/{}", locks.file().as_raw_fd()));
    let follow = AtFlags::AT_SYMLINK_FOLLOW;
    taken(linkat(AT_FDCWD, &opened, AT_FDCWD, path, follow))
}

fn taken(named: Result<(), Errno>) -> Result<bool, Errno> {
    match named {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Gives a file that has a name of its own the job's: by its descriptor, else (without `/proc`, or where
/// no file has two names) by that name. `None` if the name is taken or the file was swept.
fn publish(made: Opened, own: &Path, path: &Path) -> Result<Option<Opened>, Error> {
    let keep = RenameFlags::RENAME_NOREPLACE;
    let named = link(&made.locks, path)
        .or_else(|_| taken(renameat2(AT_FDCWD, own, AT_FDCWD, path, keep)))
        .or_else(|_| taken(linkat(AT_FDCWD, own, AT_FDCWD, path, AtFlags::empty())));
    match named {
        Ok(is_ours) => Ok(is_ours.then_some(made)),
        Err(Errno::ENOENT) => Ok(None),
        Err(errno) => Err(Error::system("publish the segment")(errno)),
    }
}

/// A segment without a name: only fork children find it, by inheritance.
pub(crate) fn create_memfd(job: u64) -> Result<Opened, Error> {
    let file = memfd_create("mp_tqdm", MFdFlags::MFD_CLOEXEC)
        .map_err(Error::system("create an unnamed segment"))?;
    fill(file, job)
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
    fn a_creator_never_publishes_a_file_that_was_swept() {
        let named = Named::new("swept");
        let mine = fill(open_own(&named.own).unwrap(), JOB).unwrap();
        unlink(&named.own).unwrap();
        assert!(publish(mine, &named.own, &named.path).unwrap().is_none());
        assert!(!named.path.exists());
    }

    #[test]
    fn pages_that_are_not_there_are_seen_and_are_there_once_they_are_written() {
        let named = Named::new("pages");
        let file = std::fs::File::from(open_own(&named.own).unwrap());
        file.set_len(SEGMENT_BYTES as u64).unwrap();
        let file = OwnedFd::from(file);
        assert!(!has_pages(&file).unwrap());
        write_zeros(&file).unwrap();
        assert!(has_pages(&file).unwrap());
    }

    #[test]
    fn what_a_creator_left_that_died_between_its_two_names_is_swept() {
        let named = Named::new("two-names");
        let made = fill(open_own(&named.own).unwrap(), JOB).unwrap();
        drop(publish(made, &named.own, &named.path).unwrap().unwrap());
        let other = Named::new("two-names-other");
        let opened = open_or_create(&other.directory, JOB, Leftover::Keep).unwrap();
        crate::sweep::sweep(&named.directory, &opened.locks);
        crate::sweep::sweep(&named.directory, &opened.locks);
        assert_eq!(named.names(), 0);
    }
}
