//! Whether a process started others that it has not waited for: as long as it did not, they may attach.

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};

/// Whether this process has children, running or not waited for yet. Waits for none of them.
#[must_use]
pub fn has_children() -> bool {
    let looks = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::All, looks) != Err(Errno::ECHILD)
}

#[cfg(all(test, not(mp_tqdm_loom)))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_child_is_there_until_it_was_waited_for() {
        let mut child = Command::new("true").spawn().unwrap();
        assert!(has_children());
        assert!(child.wait().unwrap().success());
    }
}
