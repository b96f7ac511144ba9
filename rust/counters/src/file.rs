//! The segment's file: created whole and published by a link, attached to only while its name still
//! leads to it, unlinked only while nobody else is attached.
//!
//! The naive order (open, check, unlink) split 1,896 of 180,000 attaches of a trial into two segments;
//! this one none. Each step may be the last of the process that takes it: what it leaves is either
//! unnamed, or whole, or swept by the next job.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, FallocateFlags, OFlag, fallocate, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, lstat};
use nix::sys::statfs::{FsType, statfs};
use nix::unistd::{LinkatFlags, getuid, linkat, unlink};

use crate::error::Error;
use crate::layout::{SEGMENT_BYTES, Seen, Tables};
use crate::locks::Locks;
use crate::shm;

/// How often a process tries to attach while others publish and unlink under the same name.
const ATTACH_TRIES: usize = 200;
const PRIVATE: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);

/// A mapped segment and the locks that this process holds on it: so far only the gate.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) tables: &'static Tables,
    pub(crate) locks: Locks,
    /// Whether this process made it.
    pub(crate) created: bool,
}

/// Name of a job's segment: readable by people who look into `/dev/shm`, one for each user.
pub(crate) fn name_of(job: u64) -> String {
    format!("{}{job:016x}", prefix())
}

fn prefix() -> String {
    format!("mp_tqdm-{}-", getuid())
}

/// Attaches to the job's segment in `directory`, or makes it.
pub(crate) fn open_or_create(directory: &Path, job: u64) -> Result<Opened, Error> {
    refuse_network(directory)?;
    let path = directory.join(name_of(job));
    for _ in 0..ATTACH_TRIES {
        match attach(&path, job)? {
            Attempt::Done(opened) => return Ok(opened),
            Attempt::Missing => {
                if let Some(opened) = create(directory, &path, job)? {
                    return Ok(opened);
                }
            }
            Attempt::Again => std::thread::yield_now(),
        }
    }
    Err(Error::Contended)
}

enum Attempt {
    Done(Opened),
    Missing,
    Again,
}

fn attach(path: &Path, job: u64) -> Result<Attempt, Error> {
    let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => file,
        Err(Errno::ENOENT) => return Ok(Attempt::Missing),
        Err(Errno::ELOOP) => {
            return Err(Error::Untrusted {
                found: "a symbolic link",
            });
        }
        Err(errno) => return Err(Error::system("open the segment")(errno)),
    };
    let stat = fstat(&file).map_err(Error::system("inspect the segment"))?;
    if stat.st_nlink != 1 {
        // Being published or unlinked at this moment. A lasting second link is somebody's trick; it
        // outlasts the tries.
        return Ok(Attempt::Again);
    }
    check(&stat)?;
    let locks = Locks::new(file)?;
    if !locks.enter()? || !is_whole(path, locks.file()) {
        return Ok(Attempt::Again);
    }
    // A shorter file is a creator's that died half-way; touching its missing pages would kill us.
    let seen = if usize::try_from(stat.st_size).is_ok_and(|size| size >= SEGMENT_BYTES) {
        let tables = shm::map_file(locks.file())?;
        (tables.inspect(job), Some(tables))
    } else {
        (Seen::Nonsense, None)
    };
    match seen {
        (Seen::Ours, Some(tables)) => Ok(Attempt::Done(Opened {
            tables,
            locks,
            created: false,
        })),
        // With nobody attached it is a leftover: the next try starts afresh.
        _ if unlink_if_alone(path, &locks) => Ok(Attempt::Again),
        (Seen::Version(found), _) => Err(Error::Version {
            expected: crate::layout::LAYOUT_VERSION,
            found,
        }),
        _ => Err(Error::Corrupt),
    }
}

/// Whether the path still names the open file, and it has this one name only.
fn is_whole(path: &Path, file: &OwnedFd) -> bool {
    fstat(file).is_ok_and(|stat| stat.st_nlink == 1 && leads_to(path, &stat))
}

fn leads_to(path: &Path, stat: &FileStat) -> bool {
    lstat(path).is_ok_and(|named| named.st_dev == stat.st_dev && named.st_ino == stat.st_ino)
}

fn check(stat: &FileStat) -> Result<(), Error> {
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    let problem = if kind != SFlag::S_IFREG {
        "no regular file"
    } else if stat.st_uid != getuid().as_raw() {
        "a file of another user"
    } else if stat.st_mode & 0o077 != 0 {
        "a file that others may open"
    } else {
        return Ok(());
    };
    Err(Error::Untrusted { found: problem })
}

/// Makes a segment and gives it its name; `None` if another process was quicker.
fn create(directory: &Path, path: &Path, job: u64) -> Result<Option<Opened>, Error> {
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let (file, private) = match open(directory, flags | OFlag::O_TMPFILE, PRIVATE) {
        Ok(file) => (file, None),
        // File systems without unnamed files: a name that nobody else would choose.
        Err(_) => {
            let own = directory.join(format!("{}new-{}", prefix(), std::process::id()));
            let _ = unlink(&own);
            let file = open(
                &own,
                flags | OFlag::O_EXCL | OFlag::O_CREAT | OFlag::O_NOFOLLOW,
                PRIVATE,
            )
            .map_err(Error::system("create the segment"))?;
            (file, Some(own))
        }
    };
    let made = fill(file, job).and_then(|(tables, locks)| {
        let linked = publish(&locks, private.as_deref(), path)?;
        Ok(linked.then_some(Opened {
            tables,
            locks,
            created: true,
        }))
    });
    if let Some(own) = private {
        let _ = unlink(&own);
    }
    made
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

fn publish(locks: &Locks, private: Option<&Path>, path: &Path) -> Result<bool, Error> {
    use std::os::fd::AsRawFd;
    let unnamed = PathBuf::from(format!("/proc/self/fd/{}", locks.file().as_raw_fd()));
    let (from, follow) = match private {
        Some(own) => (own, LinkatFlags::empty()),
        None => (unnamed.as_path(), AtFlags::AT_SYMLINK_FOLLOW),
    };
    match linkat(AT_FDCWD, from, AT_FDCWD, path, follow) {
        Ok(()) => Ok(true),
        Err(Errno::EEXIST) => Ok(false),
        Err(errno) => Err(Error::system("publish the segment")(errno)),
    }
}

/// A segment without a name: only fork children find it, by inheritance.
pub(crate) fn create_memfd(job: u64) -> Result<Opened, Error> {
    let file = memfd_create("mp_tqdm", MFdFlags::MFD_CLOEXEC)
        .map_err(Error::system("create an unnamed segment"))?;
    let (tables, locks) = fill(file, job)?;
    Ok(Opened {
        tables,
        locks,
        created: true,
    })
}

/// Unlinks the file if no other process is attached; true if the name is free now.
///
/// Nobody can attach in between: they need the gate, which this process holds for writing until its
/// descriptor closes.
pub(crate) fn unlink_if_alone(path: &Path, locks: &Locks) -> bool {
    locks.shut().unwrap_or(false) && is_whole(path, locks.file()) && unlink(path).is_ok()
}

/// Removes what jobs that were killed whole have left in `directory`.
pub(crate) fn sweep(directory: &Path, own: &Locks) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    let prefix = prefix();
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(&prefix) {
            continue;
        }
        let path = entry.path();
        // Opening one's own segment again and closing it would drop one's locks.
        let foreign = lstat(&path)
            .is_ok_and(|stat| check(&stat).is_ok() && (stat.st_dev, stat.st_ino) != own.inode);
        let flags = OFlag::O_RDWR | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        if foreign
            && let Ok(file) = open(&path, flags, Mode::empty())
            && let Ok(locks) = Locks::new(file)
            && locks.inode != own.inode
        {
            unlink_if_alone(&path, &locks);
        }
    }
}

/// File systems that other machines may have mounted: their locks are slow or absent, and their pages
/// are not shared memory.
fn refuse_network(directory: &Path) -> Result<(), Error> {
    /// From linux/magic.h and the file systems' own sources: NFS, SMB, SMB2, CIFS, AFS, CODA, FUSE
    /// (sshfs and others), 9P, CEPH, Lustre, GPFS, BeeGFS.
    const NETWORK: [i64; 12] = [
        0x6969,
        0x517b,
        0xfe53_4d42,
        0xff53_4d42,
        0x5346_414f,
        0x7375_7245,
        0x6573_5546,
        0x0102_1997,
        0x00c3_6400,
        0x0bd0_0bd0,
        0x4750_4653,
        0x1983_0326,
    ];
    let found = statfs(directory).map_err(Error::system("inspect the directory"))?;
    let FsType(kind) = found.filesystem_type();
    #[allow(
        clippy::unnecessary_cast,
        reason = "the field's width differs between targets"
    )]
    let kind = kind as i64 & 0xffff_ffff;
    if NETWORK.contains(&kind) {
        Err(Error::NetworkFileSystem)
    } else {
        Ok(())
    }
}
