//! Attaching, leaving, sweeping and dying at once: processes that are attached to a job at the same
//! time are attached to the same segment.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Killed, Random, Scratch, Watchdog, again, argument, note, scaled};
use mp_tqdm_counters::{Home, Role};
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// Segments of rounds that are over stay mapped, so a process does so many and is followed by another.
const ROUNDS_A_PROCESS: u64 = 100;
const PROCESSES: u64 = 6;

/// Who is attached to which inode: a file on which each attached process holds a lock on the byte that
/// has the inode's number. Made before the look at the others and after the attaching, dropped before
/// the leaving: two locks on different bytes prove a split.
struct Witness(File);

impl Witness {
    fn open(path: &Path) -> Self {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).open(path);
        Self(file.unwrap())
    }

    fn lock(&self, kind: i32, first: i64, length: i64) -> libc::flock {
        let mut lock = libc::flock {
            l_type: kind as i16,
            l_whence: libc::SEEK_SET as i16,
            l_start: first,
            l_len: length,
            l_pid: 0,
        };
        if kind == libc::F_WRLCK {
            fcntl(&self.0, FcntlArg::F_GETLK(&mut lock)).unwrap();
        } else {
            fcntl(&self.0, FcntlArg::F_SETLKW(&lock)).unwrap();
        }
        lock
    }

    /// Notes that this process is attached to `inode`; another inode that some process is attached to.
    fn enter(&self, inode: i64) -> Option<i64> {
        self.lock(libc::F_RDLCK, inode, 1);
        [(0, inode), (inode + 1, 0)]
            .into_iter()
            .filter(|(first, length)| first + length > 0)
            .map(|(first, length)| self.lock(libc::F_WRLCK, first, length))
            .find(|held| i32::from(held.l_type) != libc::F_UNLCK)
            .map(|held| held.l_start)
    }

    fn leave(&self, inode: i64) {
        self.lock(libc::F_UNLCK, inode, 1);
    }
}

/// Attaches and leaves, again and again; now and then for a job of its own, which sweeps. A process
/// that is not orderly goes without leaving now and then.
fn attach_and_leave() {
    let (directory, witness): (PathBuf, PathBuf) = (argument(0), argument(1));
    let (mut random, is_orderly): (_, bool) = (Random::from(argument(2)), argument(3));
    let witness = Witness::open(&witness);
    // Between leaving and the end of a process some time passes, in which its locks are held.
    let mut left = None;
    for _ in 0..ROUNDS_A_PROCESS {
        drop(left.take());
        let is_own = random.below(8) == 0;
        let job = if is_own { random.next() | 1 << 63 } else { 7 };
        let is_worker = !is_own && !is_orderly && random.below(3) == 0;
        let role = if is_worker { Role::Worker } else { Role::Root };
        let home = Home::attach(&common::application(&directory, job, role)).unwrap();
        common::file_of(&home);
        let inode = common::inode_of(&home) as i64;
        if !is_own {
            let elsewhere = witness.enter(inode);
            assert_eq!(elsewhere, None, "another inode than {inode}");
            for _ in 0..random.below(4) {
                std::thread::yield_now();
            }
            witness.leave(inode);
        }
        if is_orderly || random.below(16) != 0 {
            home.leave();
        }
        left = Some(home);
    }
}

#[test]
fn child() {
    if common::work().is_some() {
        attach_and_leave();
        std::process::exit(0);
    }
}

/// Keeps some processes at work until so many were started, and kills so many of them.
fn race(name: &str, processes: u64, kills: u64) {
    let _watchdog = Watchdog::new(Duration::from_secs(600));
    let scratch = Scratch::new(name);
    let witness_scratch = Scratch::new(&format!("{name}-witness"));
    let witness = witness_scratch.0.join("witness");
    let mut random = Random::new();
    let start = |random: &mut Random| {
        let arguments: [&dyn std::fmt::Display; 4] = [
            &scratch.0.display(),
            &witness.display(),
            &random.next(),
            &(kills == 0),
        ];
        Killed(again("attach", &arguments).spawn().unwrap())
    };
    let began = Instant::now();
    let (mut started, mut killed, mut at_work) = (0, 0, Vec::new());
    loop {
        at_work.retain_mut(|killed: &mut Killed| match killed.0.try_wait().unwrap() {
            None => true,
            Some(status) => {
                assert!(status.success(), "{status}");
                false
            }
        });
        while at_work.len() < PROCESSES as usize && started < processes {
            at_work.push(start(&mut random));
            started += 1;
        }
        if at_work.is_empty() {
            break;
        }
        // A poll where nobody is killed; else the moment is the point.
        let pause = if kills > 0 {
            random.below(20_000)
        } else {
            1000
        };
        std::thread::sleep(Duration::from_micros(pause));
        if killed < kills {
            let victim = random.below(at_work.len() as u64) as usize;
            at_work.swap_remove(victim).kill();
            killed += 1;
        }
    }
    note(format_args!(
        "{} rounds, {killed} killed, {:?}",
        started * ROUNDS_A_PROCESS,
        began.elapsed()
    ));
    if kills > 0 {
        // What killed processes left, the next job sweeps.
        let next = Home::attach(&common::application(&scratch.0, 8, Role::Root)).unwrap();
        next.leave();
    }
    assert_eq!(scratch.names(), Vec::<String>::new());
}

// faults: F70
#[test]
fn processes_that_come_and_go_meet_in_one_segment() {
    race("come-and-go", scaled(1000), 0);
}

// faults: F70
#[test]
fn processes_that_come_and_are_killed_meet_in_one_segment() {
    race("killed", scaled(300), u64::MAX);
}
