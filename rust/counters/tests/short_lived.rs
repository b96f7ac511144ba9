//! Thousands of short processes, one update each: the sum is exact and the segment does not grow.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use common::{Killed, Scratch, Watchdog, again, argument, note, scaled};
use mp_tqdm_counters::{BarId, CellKey, Home, Role};

const JOB: u64 = 7;
const AT_ONCE: usize = 4;

/// One update; every other process goes without leaving, as after `os._exit`.
fn update_once() {
    let (directory, number): (PathBuf, u64) = (argument(0), argument(1));
    let bar = BarId {
        index: argument(2),
        generation: argument(3),
    };
    let home = Home::attach(&common::application(&directory, JOB, Role::Worker)).unwrap();
    common::file_of(&home);
    let key = CellKey {
        bar,
        rank: home.rank,
    };
    let (bars, cells) = (home.tables.bars(), home.tables.cells());
    let claimed = bars.attach(&cells, key, home.me, &home.liveness());
    claimed.unwrap().cell.add(1);
    if number.is_multiple_of(2) {
        home.leave();
    }
}

#[test]
fn child() {
    if common::work().is_some() {
        update_once();
        std::process::exit(0);
    }
}

#[test]
fn short_processes_with_one_update_each_sum_up_in_a_constant_segment() {
    let _watchdog = Watchdog::new(Duration::from_secs(600));
    let scratch = Scratch::new("short");
    let home = Home::attach(&common::application(&scratch.0, JOB, Role::Root)).unwrap();
    let joined = common::open(&home);
    let processes = scaled(2000);
    let mut at_work: Vec<Killed> = Vec::new();
    let began = Instant::now();
    for number in 0..processes {
        if at_work.len() == AT_ONCE {
            let status = at_work.remove(0).0.wait().unwrap();
            assert!(status.success(), "{status}");
        }
        let arguments: [&dyn std::fmt::Display; 4] = [
            &scratch.0.display(),
            &number,
            &joined.id.index,
            &joined.id.generation,
        ];
        at_work.push(Killed(again("update", &arguments).spawn().unwrap()));
    }
    for mut last in at_work {
        assert!(last.0.wait().unwrap().success());
    }
    let cells = home.tables.cells().used().count();
    let slots = home.tables.processes().views().count();
    note(format_args!(
        "{processes} processes, {cells} cells, {slots} slots, {:?}",
        began.elapsed()
    ));
    assert_eq!(common::sum(&home, joined.id), processes as i64);
    assert!(
        cells <= 1 + AT_ONCE && slots <= 1 + AT_ONCE,
        "{cells} {slots}"
    );
    home.leave();
    assert_eq!(scratch.names(), Vec::<String>::new());
}
