//! Removes what other jobs left in a directory: those that were killed whole, and those of workers
//! whose program is gone.

use std::fs::File;
use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, lstat};

use crate::file::{check, leads_to, prefix, private_prefix, unlink_if, unlink_if_alone};
use crate::locks::Locks;
use crate::shm;

/// Removes the segments in `directory` that nobody is attached to or will come to.
pub(crate) fn sweep(directory: &Path, own: &Locks) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    let (prefix, private) = (prefix(), private_prefix());
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with(&prefix) {
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
            if name.starts_with(&private) {
                // Its creator may have died when the file had its public name already.
                unlink_if(&path, &locks, leads_to);
            } else if !is_awaited(&locks) {
                unlink_if_alone(&path, &locks);
            }
        }
    }
}

/// Whether the program lives whose workers made the segment: it has not counted yet, and its next
/// workers, or its end, go on in what these left.
fn is_awaited(locks: &Locks) -> bool {
    let file = locks.file().try_clone().map(File::from);
    let Some(tables) = file.ok().and_then(|file| shm::copy_file(&file).ok()) else {
        return false;
    };
    tables
        .is_current()
        .then(|| tables.first_process())
        .flatten()
        .is_some_and(|(pid, start)| start_of(pid) == Some(start))
}

/// When a living process of this pid namespace started, in clock ticks since boot.
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the last parenthesis: the name in front may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let is_dead = matches!(fields.next()?, "Z" | "X");
    // `starttime` is field 22, the state was field 3.
    fields.nth(18)?.parse().ok().filter(|_| !is_dead)
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start() {
        let own = start_of(std::process::id()).expect("it lives");
        assert!(start_of(1).is_some_and(|first| first <= own));
        assert_eq!(start_of(u32::MAX), None);
    }
}
