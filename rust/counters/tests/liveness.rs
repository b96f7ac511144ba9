//! Who is alive, as the kernel tells it: stopped processes are, zombies are not, and pid namespaces make
//! no difference. A group that was killed whole leaves nothing that the next start does not sweep.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Killed, Random, Scratch, Watchdog, again, argument, as_child, note, scaled};
use mp_tqdm_counters::{Home, Incarnation, Liveness, ProcessId, Role, Slot};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const JOB: u64 = 7;

/// Attaches, says as which process, and stays.
fn stay() {
    let role = [Role::Root, Role::Worker][argument::<usize>(2)];
    let application = common::application(&argument::<PathBuf>(0), argument(1), role);
    let home = Home::attach(&application).unwrap();
    common::file_of(&home);
    note(format_args!("{} {}", home.me.slot.0, home.me.incarnation.0));
    loop {
        std::thread::park();
    }
}

#[test]
fn child() {
    if common::work().is_some() {
        stay();
    }
}

/// A process that is attached, and who it is in the segment.
struct Attached {
    process: Killed,
    id: ProcessId,
}

impl Attached {
    fn start(command: &mut Command) -> Option<Self> {
        let mut process = Killed(command.stderr(Stdio::piped()).spawn().ok()?);
        let mut said = String::new();
        let output = process.0.stderr.take().unwrap();
        BufReader::new(output).read_line(&mut said).unwrap();
        let (slot, incarnation) = said.trim().split_once(' ')?;
        let id = ProcessId {
            slot: Slot(slot.parse().ok()?),
            incarnation: Incarnation(incarnation.parse().ok()?),
        };
        Some(Self { process, id })
    }

    fn worker(scratch: &Scratch) -> Self {
        let arguments: [&dyn std::fmt::Display; 3] = [&scratch.0.display(), &JOB, &1];
        Self::start(&mut again("stay", &arguments)).unwrap()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.process.0.id().cast_signed());
        kill(pid, signal).unwrap();
    }
}

fn root(scratch: &Scratch) -> Home {
    Home::attach(&common::application(&scratch.0, JOB, Role::Root)).unwrap()
}

/// Polls; the watchdog ends it.
fn wait_until_dead(home: &Home, process: ProcessId) {
    while !home.liveness().is_dead(process) {
        std::thread::yield_now();
    }
}

#[test]
fn a_stopped_process_is_alive() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let scratch = Scratch::new("stopped");
    let home = root(&scratch);
    let mut other = Attached::worker(&scratch);
    other.signal(Signal::SIGSTOP);
    assert!(!home.liveness().is_dead(other.id));
    other.process.kill();
    assert!(home.liveness().is_dead(other.id));
    home.leave();
    assert_eq!(scratch.names(), Vec::<String>::new());
}

// faults: F10
#[test]
fn a_zombie_is_dead() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let scratch = Scratch::new("zombie");
    let home = root(&scratch);
    let other = Attached::worker(&scratch);
    assert!(!home.liveness().is_dead(other.id));
    other.signal(Signal::SIGKILL);
    // Nobody has waited for it yet.
    wait_until_dead(&home, other.id);
}

// faults: F10
#[test]
fn the_next_process_in_a_slot_is_not_the_one_before() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let scratch = Scratch::new("next");
    let home = root(&scratch);
    let mut first = Attached::worker(&scratch);
    first.process.kill();
    let second = Attached::worker(&scratch);
    assert_eq!(first.id.slot, second.id.slot);
    let alive = home.liveness();
    assert!(alive.is_dead(first.id) && !alive.is_dead(second.id));
}

// faults: F10
#[test]
fn a_process_in_another_pid_namespace_is_seen_to_live_and_die() {
    let _watchdog = Watchdog::new(Duration::from_secs(60));
    let scratch = Scratch::new("namespace");
    let home = root(&scratch);
    let mut command = Command::new("unshare");
    command.args(["-r", "-p", "-f", "--kill-child"]);
    command.arg(std::env::current_exe().unwrap());
    let arguments: [&dyn std::fmt::Display; 3] = [&scratch.0.display(), &JOB, &1];
    let Some(mut other) = Attached::start(&mut as_child(command, "stay", &arguments)) else {
        note("skipped: no pid namespaces here");
        return;
    };
    assert!(!home.liveness().is_dead(other.id));
    other.process.kill();
    wait_until_dead(&home, other.id);
}

#[test]
fn a_group_that_was_killed_whole_is_swept_by_the_next_start() {
    let _watchdog = Watchdog::new(Duration::from_secs(600));
    let scratch = Scratch::new("group");
    let mut random = Random::new();
    let (began, rounds) = (Instant::now(), scaled(100));
    for _ in 0..rounds {
        // The same key as before, as of a static rendezvous, or another one.
        let job = random.below(2) + JOB;
        let mut group: Vec<Killed> = (0..3)
            .map(|role| {
                let arguments: [&dyn std::fmt::Display; 3] =
                    [&scratch.0.display(), &job, &usize::from(role > 0)];
                Killed(
                    again("stay", &arguments)
                        .stderr(Stdio::null())
                        .spawn()
                        .unwrap(),
                )
            })
            .collect();
        let (began, moment) = (Instant::now(), Duration::from_micros(random.below(6000)));
        while began.elapsed() < moment {
            std::hint::spin_loop();
        }
        for process in &mut group {
            process.0.kill().unwrap();
        }
        drop(group);
        assert!(scratch.names().len() <= 2, "{:?}", scratch.names());
    }
    note(format_args!("{rounds} groups, {:?}", began.elapsed()));
    let home = Home::attach(&common::application(&scratch.0, 1, Role::Root)).unwrap();
    assert_eq!(scratch.names().len(), 1);
    home.leave();
    assert_eq!(scratch.names(), Vec::<String>::new());
}
