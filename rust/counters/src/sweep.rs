//! Removes what other jobs left in a directory: those that were killed whole, and those of workers
//! whose program is gone.

use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, lstat};

use crate::awaited::is_awaited;
use crate::file::{prefix, private_prefix, unlink_if};
use crate::locks::Locks;
use crate::trust::{check, is_whole, leads_to};

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
            unlink_if(&path, &locks, |stat| {
                if name.starts_with(&private) {
                    // Its creator may have died when the file had its public name already.
                    leads_to(&path, stat)
                } else {
                    is_whole(&path, stat) && !is_awaited(&locks)
                }
            });
        }
    }
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::awaited::tests::known;
    use crate::awaited::{await_first, awaited_by};
    use crate::file::{Leftover, name_of, open_or_create};

    #[test]
    fn a_segment_is_kept_for_a_program_that_lives_and_for_no_other() {
        let name = format!("mp-tqdm-sweep-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let left = |job: u64, first: Option<(u32, u64)>| {
            let opened = open_or_create(&directory, job, Leftover::Keep).unwrap();
            if let Some(first) = first {
                await_first(opened.tables, first);
            }
            drop(opened);
            directory.join(name_of(job))
        };
        let own = known(std::process::id());
        let kept = left(2, Some(own));
        let reused = left(3, Some((own.0, own.1 + 1)));
        let nobodys = left(4, None);
        // A younger one, which lives as well, takes nobody's place.
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let opened = open_or_create(&directory, 2, Leftover::Keep).unwrap();
        await_first(opened.tables, (child.id(), own.1 + 1));
        assert_eq!(awaited_by(opened.tables), Some(own.0));
        drop(opened);
        let own_job = open_or_create(&directory, 1, Leftover::Keep).unwrap();
        sweep(&directory, &own_job.locks);
        let there = [&kept, &reused, &nobodys].map(|path| path.exists());
        drop(own_job);
        child.kill().unwrap();
        child.wait().unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(there, [true, false, false]);
    }
}
