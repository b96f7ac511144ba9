//! A segment full of nonsense: every reader gets through it without a panic and without an endless
//! loop, and what it shows are numbers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Killed, Random, Scratch, Watchdog, again, argument};
use mp_tqdm_counters::{
    BarId, Cell, CellKey, CellView, Home, Incarnation, Liveness, MAX_BARS, MAX_CELLS,
    MAX_PROCESSES, ProcessId, Rank, Reduction, Reporter, Role, SEGMENT_BYTES, Slot, Value, combine,
    target,
};
use proptest::prelude::*;

const JOB: u64 = 7;
/// Where the tables begin, and the sizes of their entries: layout.rs asserts the same.
const PROCESSES_AT: usize = 4096;
const BARS_AT: usize = 69_632;
const BAR_BYTES: usize = 3008;
const CELLS_AT: usize = 454_656;
const CELL_BYTES: usize = 128;

/// Leaves a whole segment behind, as a process that is killed does.
#[test]
fn child() {
    if common::work().is_some() {
        let directory: PathBuf = argument(0);
        let home = Home::attach(&common::application(&directory, JOB, Role::Root)).unwrap();
        common::open(&home);
        std::process::exit(0);
    }
}

/// Fills the tables. Nonsense of which a part makes sense gets further than noise: so some words are
/// small, some are the limits of numbers, and tags have states that exist, if `plausible` says so.
fn fill(bytes: &mut [u8], random: &mut Random, plausible: u64) {
    for word in bytes.chunks_exact_mut(8) {
        let value = match random.below(8) {
            0 => 0,
            1 => random.below(4),
            2 => random.below(1 << 17),
            3 => u64::MAX,
            4 => 1 << 63,
            5 => [f64::NAN, f64::INFINITY, f64::MAX, -f64::MAX][random.below(4) as usize].to_bits(),
            _ => random.next(),
        };
        word.copy_from_slice(&value.to_le_bytes());
    }
    let mut put = |at: usize, value: u64| {
        bytes[at - PROCESSES_AT..][..8].copy_from_slice(&value.to_le_bytes());
    };
    let bar = |random: &mut Random| random.below(6) | random.below(2) << 32;
    for index in 0..MAX_BARS {
        if random.below(100) < plausible {
            put(
                BARS_AT + index * BAR_BYTES,
                random.below(6) << 56 | random.below(2) << 32 | random.below(1 << 20),
            );
        }
    }
    for index in 0..MAX_CELLS {
        if random.below(100) < plausible {
            let at = CELLS_AT + index * CELL_BYTES;
            put(at, random.below(6) << 60 | random.below(1 << 18));
            put(at + 8, bar(random) | random.below(3) << 16);
        }
    }
}

/// Whether processes live is nonsense, too.
struct Whim;

impl Liveness for Whim {
    fn is_dead(&self, process: ProcessId) -> bool {
        process.slot.0.is_multiple_of(2)
    }

    fn is_dead_actor(&self, slot: Slot, _: u16) -> bool {
        slot.0.is_multiple_of(2)
    }
}

/// A home in a segment with these contents.
fn home_in(directory: &Path, seed: u64, plausible: u64) -> Home {
    let arguments: [&dyn std::fmt::Display; 1] = [&directory.display()];
    let mut process = Killed(again("leave a segment", &arguments).spawn().unwrap());
    assert!(process.0.wait().unwrap().success());
    let name = std::fs::read_dir(directory).unwrap().next().unwrap();
    let file = OpenOptions::new().write(true).open(name.unwrap().path());
    let mut bytes = vec![0; SEGMENT_BYTES - PROCESSES_AT];
    let mut random = Random::from(seed);
    fill(&mut bytes, &mut random, plausible);
    let file = file.unwrap();
    file.write_all_at(&bytes, PROCESSES_AT as u64).unwrap();
    // The words of the header behind the job: owner, heartbeat, frames, sequence, the high-water marks.
    let mut words = [[0; 8]; 7];
    for word in &mut words {
        *word = [random.next(), u64::MAX, 1][random.below(3) as usize].to_le_bytes();
    }
    file.write_all_at(&words.concat(), 24).unwrap();
    drop(file);
    let home = Home::attach(&common::application(directory, JOB, Role::Worker)).unwrap();
    common::file_of(&home);
    home
}

fn assert_number(value: Value) {
    assert!(value.as_f64().is_finite(), "{value:?}");
}

fn assert_cell(view: &CellView) {
    assert_number(view.n);
    assert_number(view.initial);
    view.total.into_iter().for_each(assert_number);
}

fn read_all(home: &Home, alive: &impl Liveness) {
    let tables = home.tables;
    let (processes, bars, cells) = (tables.processes(), tables.bars(), tables.cells());
    for view in processes.views() {
        assert!(usize::from(view.id.slot.0) < MAX_PROCESSES);
        assert!(processes.ancestors(view.id).len() <= 16);
        let _ = processes.view(view.id);
    }
    let views: Vec<CellView> = cells.used().filter_map(Cell::read).collect();
    views.iter().for_each(assert_cell);
    let ids = bars.views().map(|view| view.id);
    let strange = BarId {
        index: u16::MAX,
        generation: u32::MAX,
    };
    for id in ids.chain([strange]) {
        let _ = (bars.has_ended(id), bars.is_gone(id), bars.view(id));
        let _ = bars.is_open_somewhere(&cells, id, alive);
        if let Some(entry) = bars.entry(id) {
            let _ = (entry.cells(), entry.style.get());
            for text in [entry.desc.get_string(), entry.name.get_string()] {
                assert!(text.is_some_and(|text| text.len() <= 3 * 192));
            }
            let _ = (entry.common_desc.get_string(), entry.postfix.get());
        }
        let ours: Vec<CellView> = views
            .iter()
            .filter(|view| view.key.bar == id)
            .copied()
            .collect();
        for reduction in [
            Reduction::Shards,
            Reduction::Job,
            Reduction::Mean,
            Reduction::Min,
            Reduction::Max,
            Reduction::Rank(Rank(1)),
        ] {
            let line = combine(&ours, reduction, alive);
            assert_number(line.n);
            assert_number(line.initial);
            line.total.into_iter().for_each(assert_number);
            assert!(line.fraction.is_none_or(f64::is_finite), "{line:?}");
        }
        let one = cells.views_of_rank(id, Rank(1));
        assert!(one.count() <= ours.len());
    }
    // All cells at once, whichever bars they are of.
    let _ = combine(&views, Reduction::Mean, alive);
    let ownership = tables.ownership();
    let _ = ownership.is_vacant(alive, 1, 5000);
    for process in [home.me, ProcessId::NONE] {
        let reporter = Reporter {
            process,
            rank: Rank(0),
            owner: ownership.owner().map(|owner| owner.process),
        };
        let _ = target(&bars, &cells, &processes, &reporter, alive);
    }
}

fn use_all(home: &Home, alive: &impl Liveness) {
    let tables = home.tables;
    let (bars, cells, me) = (tables.bars(), tables.cells(), home.me);
    let other = ProcessId {
        slot: Slot(9),
        incarnation: Incarnation(u32::MAX),
    };
    for who in [me, other, ProcessId::NONE] {
        if let Some(joined) = bars.open(&cells, &common::OPENING, home.rank, who, alive) {
            let cell = joined.claimed.cell;
            cell.open(Some(Value::Int(i64::MAX)), Value::Float(1.5), 1);
            cell.set_total(Some(Value::Int(i64::MAX)), None);
            for value in [
                Value::Int(i64::MAX),
                Value::Float(f64::MAX),
                Value::Int(i64::MIN),
            ] {
                cell.add_value(value);
                cell.add_value(value);
            }
            cell.set_wishes(u32::MAX, Some(u32::MAX));
            cell.read().iter().for_each(assert_cell);
            if let Some(entry) = bars.entry(joined.id) {
                entry.set_desc("né", 0, who, alive);
                entry.set_postfix(&[0xff; 1000], 0, who, alive);
            }
            cell.close(1);
            bars.try_end(&cells, joined.id, who, alive);
            bars.free(&cells, joined.id, who, alive);
        }
        let ids: Vec<BarId> = bars.views().map(|view| view.id).collect();
        for bar in ids.into_iter().take(8) {
            let key = CellKey { bar, rank: Rank(1) };
            if let Some(claimed) = bars.join(&cells, key, who, alive) {
                claimed.cell.close(1);
            }
            bars.try_end(&cells, bar, who, alive);
            bars.free(&cells, bar, who, alive);
        }
        cells.free_own(who, |_, key| bars.is_gone(key.bar));
        cells.release_all(who);
    }
    bars.collect(&cells, me, alive);
    let ownership = tables.ownership();
    let _ = ownership.take(ownership.owner(), me, u64::MAX);
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        (-f64::MAX..=f64::MAX).prop_map(Value::Float),
    ]
}

proptest! {
    // A case that fails is printed whole, so no file of seeds is needed.
    #![proptest_config(ProptestConfig {
        cases: u32::try_from(common::scaled(64)).unwrap_or(u32::MAX),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    // faults: F42
    #[test]
    fn readers_get_through_a_segment_of_nonsense(seed: u64, plausible in 0_u64..=100) {
        let _watchdog = Watchdog::new(Duration::from_secs(60));
        let scratch = Scratch::new(&format!("nonsense-{seed}"));
        let home = home_in(&scratch.0, seed, plausible);
        read_all(&home, &home.liveness());
        read_all(&home, &Whim);
    }

    // faults: F42
    #[test]
    fn writers_get_through_a_segment_of_nonsense(seed: u64, plausible in 0_u64..=100) {
        let _watchdog = Watchdog::new(Duration::from_secs(60));
        let scratch = Scratch::new(&format!("nonsense-use-{seed}"));
        let home = home_in(&scratch.0, seed, plausible);
        use_all(&home, &Whim);
        use_all(&home, &home.liveness());
        read_all(&home, &Whim);
    }

    // faults: F42
    #[test]
    fn numbers_saturate(values in prop::collection::vec(value(), 4)) {
        let sum = values[0] + values[1] - values[2] + values[3];
        assert_number(sum);
        assert_number(sum + sum);
        assert_number(Value::floor_mean(values.iter().copied(), 3));
    }
}
