//! For whom a segment waits that nobody is attached to: the program whose workers came before it.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::sys::uio::pread;
use nix::unistd::Pid;

use crate::layout::{Header, Tables};
use crate::locks::Locks;

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
pub(crate) fn is_awaited(locks: &Locks) -> bool {
    let mut bytes = [0; size_of::<Header>()];
    matches!(pread(locks.file(), &mut bytes, 0), Ok(read) if read == bytes.len())
        && Header::first_process_in(&bytes).is_some_and(lives)
}

/// Whether a process of this pid namespace lives that has this pid and start, in clock ticks since
/// boot; 0 is what nobody knows without `/proc`.
fn lives((pid, start): (u32, u64)) -> bool {
    let Some(known) = start_of(pid) else {
        let pid = i32::try_from(pid).map(Pid::from_raw);
        return start == 0 && pid.is_ok_and(|pid| kill(pid, None) != Err(Errno::ESRCH));
    };
    known == Some(start)
}

/// When a process started, in clock ticks since boot, as `/proc` tells; of a dead one that nobody has
/// waited for so far there is no start. `None` where nothing is told.
#[must_use]
pub fn start_of(pid: u32) -> Option<Option<u64>> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // Behind the last parenthesis: the name in front may hold any bytes.
    let text = String::from_utf8_lossy(stat.rsplit(|byte| *byte == b')').next().unwrap_or(&stat));
    let mut fields = text.split_ascii_whitespace();
    let is_dead = matches!(fields.next(), Some("Z" | "X") | None);
    // `starttime` is field 22; the state was field 3.
    let start = fields.nth(18).and_then(|field| field.parse().ok());
    Some(start.filter(|_| !is_dead))
}

#[cfg(all(test, not(mp_tqdm_loom)))]
pub(crate) mod tests {
    use std::process::Command;

    use super::*;

    fn stat_of(pid: u32) -> String {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is there")
    }

    pub(crate) fn known(pid: u32) -> (u32, u64) {
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
}
