//! Fuzzes the readers of a segment: any input is a few words written over a whole one, and whatever a
//! process reads then must be a number, a short text or nothing, without a panic and without an end
//! that never comes (libFuzzer's `-timeout`).
//!
//! The words are written through the segment's file, as another process would, and taken back after
//! each input: a write for each word, in place of a segment of 1 MiB for each input.
#![no_main]

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use mp_tqdm_counters::{
    Application, BarId, Cell, CellKey, CellView, Home, Incarnation, Liveness, MAX_PROCESSES,
    Opening, ProcessId, REPORTABLE, Rank, Reduction, Reporter, Role, Rung, SEGMENT_BYTES, Slot,
    Value, combine, target,
};

/// Where the tables begin, and size and number of their entries: layout.rs asserts the same.
const REGIONS: [(usize, usize, usize); 4] = [
    (0, 4096, 1),
    (4096, 64, 1024),
    (69_632, 3008, 128),
    (454_656, 128, 4096),
];
/// Bars that the slower readers, which go through all cells for each, are tried on: any bars are like
/// the first ones.
const BARS: usize = 4;
/// Bytes of one written word in the input.
const RECORD: usize = 13;

/// Who lives is part of the input.
#[derive(Clone, Copy)]
struct Whim(u16);

impl Liveness for Whim {
    fn is_dead(&self, process: ProcessId) -> bool {
        process.slot.0 & self.0 != 0
    }

    fn is_dead_actor(&self, slot: Slot, _: u16) -> bool {
        slot.0 & self.0 != 0
    }
}

/// A segment, what it was before any input, and the way that others write into it.
struct Target {
    home: Home,
    file: File,
    before: Vec<u8>,
}

impl Target {
    /// `bars` bars, each with a cell of each of `processes` processes.
    fn new(name: &str, bars: u16, processes: u16) -> Self {
        let scratch = format!("mp-tqdm-fuzz-{}-{name}", std::process::id());
        let directory = PathBuf::from("/dev/shm").join(scratch);
        std::fs::create_dir_all(&directory).expect("/dev/shm is writable");
        let home = Home::attach(&Application {
            job: 7,
            role: Role::Root,
            rank: Rank(0),
            parent: None,
            pid: std::process::id(),
            directories: vec![directory.clone()],
        })
        .expect("there is memory");
        let Rung::File(path) = &home.rung else {
            panic!("{:?}", home.refused)
        };
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.expect("the segment is there");
        std::fs::remove_dir_all(&directory).expect("it is empty but for the segment");
        populate(&home, bars, processes);
        let mut before = vec![0; SEGMENT_BYTES];
        file.read_exact_at(&mut before, 0).expect("it is whole");
        Self { home, file, before }
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        let written = self.file.write_all_at(bytes, at as u64);
        written.expect("the segment can be written");
    }
}

fn populate(home: &Home, bars: u16, processes: u16) {
    let tables = home.tables;
    let (table, cells, nobody) = (tables.bars(), tables.cells(), Whim(0));
    let now_taken = tables.ownership().take(None, home.me, 5);
    assert!(now_taken);
    for bar in 0..bars {
        let opening = Opening {
            path: u64::from(bar) + 1,
            pass: 1,
            traits: REPORTABLE,
            now_ns: 5,
            desc: "a bar",
            name: "key",
            style: &[1, 2, 3],
            ..Opening::default()
        };
        let joined = table.open(&cells, &opening, Rank(0), home.me, &nobody);
        let joined = joined.expect("there is room");
        let entry = table.entry(joined.id).expect("it is open");
        entry.set_postfix(b"postfix", 0, home.me, &nobody);
        joined
            .claimed
            .cell
            .open(Some(Value::Int(100)), Value::ZERO, 5);
        for process in 1..processes {
            let me = ProcessId {
                slot: Slot(process),
                incarnation: Incarnation(1),
            };
            let key = CellKey {
                bar: joined.id,
                rank: Rank(process),
            };
            let claimed = table.join(&cells, key, me, &nobody).expect("there is room");
            claimed.cell.open(Some(Value::Float(1.5)), Value::Int(2), 6);
            claimed.cell.add(i64::from(process));
        }
    }
}

/// Writes the input's words; returns where.
fn overwrite(target: &Target, input: &[u8]) -> Vec<(usize, usize)> {
    let mut written = Vec::new();
    for record in input.chunks_exact(RECORD) {
        let (start, stride, count) = REGIONS[usize::from(record[0] & 3)];
        let width = 1 << (record[0] >> 2 & 3);
        let number = |at: usize| usize::from(u16::from_le_bytes([record[at], record[at + 1]]));
        // The first entries are those in use.
        let count = if record[0] & 16 == 0 {
            count.min(8)
        } else {
            count
        };
        let offset = number(3) % stride / width * width;
        let at = start + number(1) % count * stride + offset;
        target.write(at, &record[5..5 + width]);
        written.push((at, width));
    }
    written
}

fn assert_number(value: Value) {
    assert!(value.as_f64().is_finite(), "{value:?}");
}

fn assert_cell(view: &CellView) {
    assert_number(view.n);
    assert_number(view.initial);
    view.total.into_iter().for_each(assert_number);
}

fn read(home: &Home, alive: &impl Liveness) {
    let tables = home.tables;
    let (processes, bars, cells) = (tables.processes(), tables.bars(), tables.cells());
    for view in processes.views() {
        assert!(usize::from(view.id.slot.0) < MAX_PROCESSES);
        assert!(processes.ancestors(view.id).len() <= 16);
        assert!(processes.view(view.id).is_some());
    }
    let views: Vec<CellView> = cells.used().filter_map(Cell::read).collect();
    views.iter().for_each(assert_cell);
    for bar in bars.views().take(BARS) {
        let id = bar.id;
        assert_eq!(bars.view(id), Some(bar));
        let _ = (bars.has_ended(id), bars.is_gone(id));
        let _ = bars.is_open_somewhere(&cells, id, alive);
        let entry = bars.entry(id).expect("nobody else writes");
        for text in [
            &entry.desc.get_string(),
            &entry.name.get_string(),
            &entry.common_desc.get_string(),
        ] {
            assert!(text.as_ref().is_some_and(|text| text.len() <= 3 * 192));
        }
        assert!(entry.postfix.get().is_some_and(|bytes| bytes.len() <= 384));
        assert!(entry.style.get().is_some_and(|bytes| bytes.len() <= 632));
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
            for share in &line.ranks {
                assert_number(share.n);
                share.total.into_iter().for_each(assert_number);
            }
        }
        assert!(cells.views_of_rank(id, Rank(1)).count() <= ours.len());
    }
    let nowhere = BarId {
        index: u16::MAX,
        generation: u32::MAX,
    };
    assert!(bars.is_gone(nowhere) && bars.view(nowhere).is_none());
    let ownership = tables.ownership();
    let owner = ownership.owner().map(|owner| owner.process);
    let _ = (
        ownership.is_vacant(alive, 1, 5000),
        ownership.is_owner(home.me),
    );
    for process in [
        home.me,
        ProcessId::NONE,
        ProcessId {
            slot: Slot(3),
            incarnation: Incarnation(1),
        },
    ] {
        let reporter = Reporter {
            process,
            rank: Rank(0),
            owner,
        };
        if let Some(id) = target(&bars, &cells, &processes, &reporter, alive) {
            assert!(!bars.has_ended(id));
        }
    }
}

thread_local! {
    static TARGETS: [Target; 3] =
        [Target::new("empty", 0, 0), Target::new("few", 3, 4), Target::new("many", 12, 4)];
}

fuzz_target!(|input: &[u8]| {
    let Some((&choice, words)) = input.split_first() else {
        return;
    };
    TARGETS.with(|targets| {
        let target = &targets[usize::from(choice & 3).saturating_sub(1)];
        let written = overwrite(target, words);
        match choice >> 2 & 7 {
            7 => read(&target.home, &target.home.liveness()),
            whim => read(&target.home, &Whim(u16::from(whim))),
        }
        for (at, width) in written {
            target.write(at, &target.before[at..at + width]);
        }
    });
});
