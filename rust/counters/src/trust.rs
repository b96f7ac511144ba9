//! Which files and directories are trusted to be, or to hold, a segment: those that nobody else can
//! have made, and that no other machine writes.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, lstat};
use nix::sys::statfs::{FsType, statfs};
use nix::unistd::getuid;

use crate::error::Error;

/// File systems that other machines may have mounted: their locks are slow or absent, and their pages
/// are not shared memory.
pub(crate) fn refuse_network(directory: &Path) -> Result<(), Error> {
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
    let found = match statfs(directory) {
        // A sandbox that does not tell: it is not known to be one.
        Err(Errno::ENOSYS | Errno::EPERM) => return Ok(()),
        found => found.map_err(Error::system("inspect the directory"))?,
    };
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

/// Refuses what this user did not make, or what others may open.
pub(crate) fn check(stat: &FileStat) -> Result<(), Error> {
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    let problem = if kind == SFlag::S_IFLNK {
        "a symbolic link"
    } else if kind != SFlag::S_IFREG {
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

/// Why a segment could not be opened.
pub(crate) fn refused(errno: Errno) -> Error {
    match errno {
        Errno::ELOOP => Error::Untrusted {
            found: "a symbolic link",
        },
        errno => Error::system("open the segment")(errno),
    }
}

/// Whether the path still names the open file, and it has this one name only.
pub(crate) fn is_whole(path: &Path, stat: &FileStat) -> bool {
    stat.st_nlink == 1 && leads_to(path, stat)
}

pub(crate) fn leads_to(path: &Path, stat: &FileStat) -> bool {
    lstat(path).is_ok_and(|named| named.st_dev == stat.st_dev && named.st_ino == stat.st_ino)
}

/// Opens a segment for looking at it from outside, by the rules for attaching to one. Not even opened is what
/// is no regular file: a writer waits at a FIFO until somebody opens it for reading.
///
/// Not for the segment that this process is attached to: closing the file would drop its locks.
pub(crate) fn open_to_look(path: &Path, access: OFlag) -> Result<OwnedFd, Error> {
    let inspected = Error::system("inspect the segment");
    check(&lstat(path).map_err(&inspected)?)?;
    let flags = access | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let file = open(path, flags, Mode::empty()).map_err(refused)?;
    let stat = fstat(&file).map_err(&inspected)?;
    check(&stat)?;
    if is_whole(path, &stat) {
        Ok(file)
    } else {
        Err(Error::Untrusted {
            found: "a file of another name, too",
        })
    }
}
