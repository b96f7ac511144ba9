//! What counting costs, and what it costs to look.
//!
//! Run with `cargo bench -p mp-tqdm-counters`. `bare` is the same add without a cell; the renderer
//! takes ten snapshots a second.

use std::cell::Cell as Plain;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use mp_tqdm_counters::{
    Application, BarId, Cell, CellKey, CellView, Cells, Home, Incarnation, Liveness, ProcessId,
    Rank, Reduction, Role, Slot, combine,
};

/// A process: the kernel is not asked here, for it would be most of the time.
const fn process(slot: u16) -> ProcessId {
    ProcessId {
        slot: Slot(slot),
        incarnation: Incarnation(1),
    }
}

struct AllAlive;

impl Liveness for AllAlive {
    fn is_dead(&self, _: ProcessId) -> bool {
        false
    }

    fn is_dead_actor(&self, _: Slot, _: u16) -> bool {
        false
    }
}

const fn key(rank: u16) -> CellKey {
    CellKey {
        bar: BarId {
            index: 0,
            generation: 0,
        },
        rank: Rank(rank),
    }
}

/// A segment of this process alone.
fn home() -> Home {
    Home::attach(&Application {
        job: 1,
        role: Role::Root,
        rank: Rank(0),
        parent: None,
        pid: std::process::id(),
        directories: Vec::new(),
    })
    .expect("there is memory for a segment")
}

fn claim(cells: &Cells<'static>, rank: u16, me: ProcessId) -> &'static Cell {
    let claimed = cells.claim(key(rank), me, &AllAlive, |_| false, |_| false);
    claimed.expect("there is a cell for all").cell
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    count(&mut criterion);
    take(&mut criterion);
    snapshot(&mut criterion);
    criterion.final_summary();
}

fn count(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("count");
    let cells = home().tables.cells();
    let cell = claim(&cells, 0, process(0));
    let bare = Plain::new(0_i64);
    group.bench_function("bare", |bencher| {
        bencher.iter(|| black_box(&bare).set(black_box(&bare).get().wrapping_add(1)));
    });
    group.bench_function("add", |bencher| {
        bencher.iter(|| black_box(cell).add(black_box(1)));
    });
    group.bench_function("add_shared", |bencher| {
        bencher.iter(|| black_box(cell).add_shared(black_box(1)));
    });
    group.finish();
}

/// The cold path, where the first of so many cells is the right one and where it is the last.
fn take(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("take");
    for others in [0, 64, 1024] {
        let cells = home().tables.cells();
        for slot in 0..others {
            claim(&cells, 0, process(slot));
        }
        let me = process(others);
        group.bench_function(BenchmarkId::new("claim", others), |bencher| {
            bencher.iter(|| claim(&cells, 0, black_box(me)).free(me));
        });
        claim(&cells, 0, me).release(me);
        group.bench_function(BenchmarkId::new("adopt", others), |bencher| {
            bencher.iter(|| claim(&cells, 0, black_box(me)).release(me));
        });
    }
    group.finish();
}

/// All cells of one bar, read and combined; 8 ranks, or as many as make the overflow cells full.
fn snapshot(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    for count in [64_u16, 4096] {
        let cells = home().tables.cells();
        for slot in 0..count {
            let overflows = slot >= 4096 - 256;
            let rank = if overflows { slot } else { slot % 8 };
            claim(&cells, rank, process(slot)).add_shared(1);
        }
        assert_eq!(cells.used().count(), usize::from(count));
        group.throughput(Throughput::Elements(u64::from(count)));
        group.bench_function(BenchmarkId::new("read", count), |bencher| {
            bencher.iter(|| cells.used().filter_map(Cell::read).count());
        });
        group.bench_function(BenchmarkId::new("combine", count), |bencher| {
            bencher.iter(|| {
                let views: Vec<CellView> = cells.used().filter_map(Cell::read).collect();
                combine(&views, Reduction::Mean, &AllAlive)
            });
        });
    }
    group.finish();
}
