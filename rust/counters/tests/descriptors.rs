//! Where a descriptor goes under each limit of them. In a process of its own, as the limit is one for
//! all of its threads.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};

use mp_tqdm_counters::move_up;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

// faults: F69
#[test]
fn a_descriptor_moves_above_what_programs_close_whatever_the_limit() {
    let null = || OwnedFd::from(File::open("/dev/null").unwrap());
    let low = null();
    assert!(low.as_raw_fd() < 64);
    let (before, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let limits = [before, 1024, 256].map(|soft| soft.min(hard));
    for soft in limits {
        setrlimit(Resource::RLIMIT_NOFILE, soft, hard).unwrap();
        let lowest = if hard > 1024 { 1024 } else { 64 };
        assert!(move_up(null()).as_raw_fd() >= lowest);
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (soft, hard));
    }
    // The last, for the hard limit cannot be raised again.
    setrlimit(Resource::RLIMIT_NOFILE, 256, 256).unwrap();
    assert!((64..256).contains(&move_up(null()).as_raw_fd()));
    setrlimit(Resource::RLIMIT_NOFILE, 32, 32).unwrap();
    assert!(move_up(null()).as_raw_fd() < 32);
}
