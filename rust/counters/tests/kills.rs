//! Processes that count are killed at random moments: at most the update in flight is lost each time,
//! nothing is counted twice, and a reader at full speed never sees n fall or exceed the work.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

use common::{Killed, Random, Scratch, Watchdog, again, argument, note, scaled};
use mp_tqdm_counters::{BarId, CellKey, Home, Role};

const JOB: u64 = 7;
const WRITERS: u64 = 3;

fn key(home: &Home, bar: BarId) -> CellKey {
    CellKey {
        bar,
        rank: home.rank,
    }
}

/// Counts until it is killed; each update is acknowledged in a file of its own.
fn count() {
    let (directory, log): (PathBuf, PathBuf) = (argument(0), argument(1));
    let bar = BarId {
        index: argument(2),
        generation: argument(3),
    };
    let log = File::create(log).unwrap();
    let home = Home::attach(&common::application(&directory, JOB, Role::Worker)).unwrap();
    common::file_of(&home);
    let (bars, cells) = (home.tables.bars(), home.tables.cells());
    let claimed = bars.attach(&cells, key(&home, bar), home.me, &home.liveness());
    let claimed = claimed.unwrap();
    assert!(!claimed.shared);
    for acknowledged in 1_u64.. {
        claimed.cell.add(1);
        log.write_all_at(&acknowledged.to_le_bytes(), 0).unwrap();
    }
}

#[test]
fn child() {
    if common::work().is_some() {
        count();
    }
}

/// The acknowledged updates of all writers so far.
struct Logs {
    /// Sum of those that are dead.
    closed: i64,
    open: Vec<PathBuf>,
}

impl Logs {
    fn acknowledged(path: &Path) -> i64 {
        let mut bytes = [0; 8];
        let read = File::open(path).and_then(|log| log.read_exact_at(&mut bytes, 0));
        if read.is_ok() {
            i64::from_le_bytes(bytes)
        } else {
            0
        }
    }

    fn sum(&self) -> i64 {
        let open = self.open.iter().map(|path| Self::acknowledged(path));
        self.closed + open.sum::<i64>()
    }

    /// After all writers died.
    fn close(&mut self) {
        self.closed = self.sum();
        for log in self.open.drain(..) {
            let _ = std::fs::remove_file(log);
        }
    }
}

/// Reads until its partner hangs up; the lowest difference between a count and the one before it, and
/// how often it read.
fn read(home: &Home, bar: BarId, until: &Receiver<()>) -> (i64, u64) {
    let (mut last, mut lowest, mut reads) = (0, 0, 0);
    while until.try_recv() != Err(TryRecvError::Disconnected) {
        let now = common::sum(home, bar);
        lowest = lowest.min(now - last);
        last = now;
        reads += 1;
    }
    (lowest, reads)
}

/// Kills groups of writers, each `after` its last one began; the sum is checked after each group.
fn kill_writers(name: &str, kills: u64, after: impl Fn(&mut Random) -> Duration) {
    let _watchdog = Watchdog::new(Duration::from_secs(600));
    let (scratch, private) = (Scratch::new(name), Scratch::new(&format!("{name}-logs")));
    let mut random = Random::new();
    let home = Home::attach(&common::application(&scratch.0, JOB, Role::Root)).unwrap();
    let joined = common::open(&home);
    let mut logs = Logs {
        closed: 0,
        open: Vec::new(),
    };
    let (mut killed, mut lost, mut most_cells, began) = (0, 0, 0, Instant::now());
    let (lowest, reads) = std::thread::scope(|scope| {
        let (working, done) = channel();
        let reader = scope.spawn(|| read(&home, joined.id, &{ done }));
        while killed < kills {
            let mut writers: Vec<Killed> = Vec::new();
            for writer in 0..WRITERS {
                let log = private.0.join(format!("{killed}-{writer}"));
                let arguments: [&dyn std::fmt::Display; 4] = [
                    &scratch.0.display(),
                    &log.display(),
                    &joined.id.index,
                    &joined.id.generation,
                ];
                writers.push(Killed(again("count", &arguments).spawn().unwrap()));
                logs.open.push(log);
            }
            wait_for_some(&logs.open);
            spin(after(&mut random));
            for writer in &mut writers {
                writer.0.kill().unwrap();
            }
            drop(writers);
            logs.close();
            killed += WRITERS;
            let unacknowledged = common::sum(&home, joined.id) - logs.closed;
            let grown = unacknowledged - lost;
            assert!(
                (0..=WRITERS as i64).contains(&grown),
                "{grown} by {WRITERS} kills"
            );
            lost = unacknowledged;
            most_cells = most_cells.max(home.tables.cells().used().count());
        }
        drop(working);
        reader.join().unwrap()
    });
    note(format_args!(
        "{killed} kills, {} updates, {lost} in flight, {most_cells} cells, {reads} reads, {:?}",
        logs.closed,
        began.elapsed()
    ));
    assert_eq!(lowest, 0, "n fell");
    assert!(most_cells as u64 <= 1 + WRITERS);
    home.leave();
    assert_eq!(scratch.names(), Vec::<String>::new());
}

/// Polls until one writer at least has its log, which is the last thing before it attaches.
fn wait_for_some(logs: &[PathBuf]) {
    while !logs.iter().any(|log| log.exists()) {
        std::thread::yield_now();
    }
}

fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

// faults: F1
#[test]
fn writers_killed_at_work_lose_at_most_the_update_in_flight() {
    kill_writers("kill", scaled(300), |random| {
        Duration::from_micros(random.below(20_000))
    });
}

// faults: F71
#[test]
fn writers_killed_as_they_begin_lose_at_most_the_update_in_flight() {
    kill_writers("early-kill", scaled(300), |random| {
        Duration::from_micros(random.below(150))
    });
}
