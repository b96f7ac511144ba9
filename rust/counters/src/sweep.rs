//! Removes what other jobs left in a directory: those that were killed whole, and those of workers
//! whose program is gone.

use std::path::Path;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, lstat};
use nix::sys::uio::pread;

use crate::file::{check, is_whole, leads_to, prefix, private_prefix, unlink_if};
use crate::layout::{Header, Tables};
use crate::locks::Locks;

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

/// Notes the program's first process in the segment of its worker, which came before it: until it
/// comes, or ends, no job sweeps the segment. It is not replaced by a younger one, which some worker
/// may take for it that does not see as far.
pub(crate) fn await_first(tables: &Tables, first: (u32, u64)) {
    let is_better = |known: (u32, u64)| known.1 <= first.1 && lives(known);
    if !tables.first_process().is_some_and(is_better) {
        tables.set_first_process(first);
    }
}

/// The process that a segment waits for which nobody is attached to.
pub(crate) fn awaited_by(tables: &Tables) -> Option<u32> {
    tables
        .first_process()
        .filter(|first| lives(*first))
        .map(|(pid, _)| pid)
}

/// As [`awaited_by`], of a file, behind its gate: a worker that was there has noted it by now. What can
/// not be read is no segment.
fn is_awaited(locks: &Locks) -> bool {
    let mut bytes = [0; size_of::<Header>()];
    matches!(pread(locks.file(), &mut bytes, 0), Ok(read) if read == bytes.len())
        && Header::first_process_in(&bytes).is_some_and(lives)
}

/// Whether a process of this pid namespace lives that has this pid and start, in clock ticks since
/// boot.
fn lives((pid, start): (u32, u64)) -> bool {
    let Ok(stat) = std::fs::read(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // Behind the last parenthesis: the name in front may hold any bytes.
    let text = String::from_utf8_lossy(stat.rsplit(|byte| *byte == b')').next().unwrap_or(&stat));
    let mut fields = text.split_ascii_whitespace();
    let is_dead = matches!(fields.next(), Some("Z" | "X") | None);
    // `starttime` is field 22; the state was field 3.
    !is_dead && fields.nth(18).and_then(|field| field.parse().ok()) == Some(start)
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::file::{Leftover, name_of, open_or_create};

    fn stat_of(pid: u32) -> String {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there")
    }

    fn known(pid: u32) -> (u32, u64) {
        let stat = stat_of(pid);
        let (_, fields) = stat.rsplit_once(')').expect("it has a name");
        let start = fields.split_whitespace().nth(19).expect("it has a start");
        (pid, start.parse().expect("it is a number"))
    }

    #[test]
    fn a_zombie_and_a_process_of_the_same_pid_live_no_more() {
        let own = known(std::process::id());
        assert!(lives(own));
        assert!(!lives((own.0, own.1 + 1)));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = child.id();
        let seen = known(pid);
        assert!(lives(seen));
        child.kill().unwrap();
        while !stat_of(pid).contains(") Z ") {
            std::thread::yield_now();
        }
        assert!(!lives(seen));
        child.wait().unwrap();
        assert!(!lives(seen));
    }

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
