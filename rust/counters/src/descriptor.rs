//! Where descriptors of this package stand: above the numbers that programs close without knowing
//! them, and that C libraries write to without looking.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// `closerange(3, 1024)` is how programs close "everything": 1024 is the limit of descriptors in most
/// shells, and of `select`.
const HIGH: i32 = 1024;
/// Where the limit cannot be passed. At fd 2, `perror` of a C library wrote into a header.
const LOW: i32 = 64;
/// So many numbers above [`HIGH`] are tried: one process needs a few.
const ROOM: libc::rlim_t = 64;

/// The same open file under a high number, or as it is where there is none to be had. Closes the low
/// number: no record lock may be held on the file yet.
#[must_use]
pub fn move_up(file: OwnedFd) -> OwnedFd {
    let high = duplicate_above_limit(&file).or_else(|_| duplicate(&file, LOW));
    high.map_or(file, crate::shm::adopt_descriptor)
}

fn duplicate(file: &OwnedFd, lowest: i32) -> Result<i32, Errno> {
    fcntl(file, FcntlArg::F_DUPFD_CLOEXEC(lowest))
}

/// Raises the limit for this one call where it is as low as [`HIGH`]: what is open stays open when it
/// falls again.
fn duplicate_above_limit(file: &OwnedFd) -> Result<i32, Errno> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = HIGH.unsigned_abs().into();
    let wanted: libc::rlim_t = wanted;
    if soft >= wanted + ROOM {
        return duplicate(file, HIGH);
    }
    if hard <= wanted {
        return Err(Errno::EINVAL);
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(wanted + ROOM), hard)?;
    let high = duplicate(file, HIGH);
    setrlimit(Resource::RLIMIT_NOFILE, soft, hard)?;
    high
}
