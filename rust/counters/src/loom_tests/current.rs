//! Reports reach one bar each while bars open and close: the present one, or, from a straggler, the one
//! before.

use loom::sync::Arc;
use loom::thread;

use super::{A, B, BAR, C, RANK, World, check, check_deaths, opening, other, shared};
use crate::bar::{Opening, REPORTABLE};
use crate::cell::Cell;
use crate::process::Role;
use crate::report::{Reporter, target};
use crate::sync::{AtomicU32, Ordering};
use crate::tag::{BarId, CellKey, ProcessId};

/// What a reporting process keeps between reports.
#[derive(Default)]
struct Slot<'a> {
    cell: Option<&'a Cell>,
    seen: Option<u64>,
}

impl World {
    /// The root A, its child C and that one's child B.
    fn family(bars: usize, cells: usize) -> Self {
        let world = Self::new(bars, cells);
        let begin = |me: ProcessId, role, parent| {
            let begun = world.processes[me.slot.0 as usize].begin(me.slot, 1, role, RANK, parent);
            assert_eq!(begun, me);
            world.processes().raise(me.slot);
        };
        begin(A, Role::Root, None);
        begin(C, Role::Worker, Some(A));
        begin(B, Role::Worker, Some(C));
        world
    }

    /// Adds 1 to what B should count in; false if there is no such bar.
    fn report<'a>(&'a self, slot: &mut Slot<'a>) -> bool {
        let bars = self.bars();
        while slot.seen != Some(bars.current()) {
            let seen = bars.current();
            let reporter = Reporter {
                process: B,
                rank: RANK,
                owner: Some(A),
            };
            let (cells, processes) = (self.cells(), self.processes());
            let bar = target(&bars, &cells, &processes, &reporter, &self.lives);
            let key = bar.map(|bar| CellKey { bar, rank: RANK });
            let claimed = key.and_then(|key| bars.attach(&cells, key, B, &self.lives));
            slot.cell = claimed.map(|claimed| claimed.cell);
            slot.seen = Some(seen);
        }
        if let Some(cell) = slot.cell {
            cell.add(1);
        }
        slot.cell.is_some()
    }

    fn reports(&self) -> i64 {
        self.sum(BAR) + self.sum(INNER)
    }
}

const INNER: BarId = BarId {
    index: 1,
    generation: 0,
};

fn outer_opening() -> Opening<'static> {
    Opening {
        traits: REPORTABLE,
        ..opening()
    }
}

fn inner_opening() -> Opening<'static> {
    Opening {
        traits: REPORTABLE,
        ..other()
    }
}

#[test]
fn reports_reach_a_bar_that_opens_from_then_on() {
    check(Some(2), || {
        let world = shared(World::family(2, 4));
        world.open(&outer_opening(), A).expect("there is room");
        let opened = Arc::new(AtomicU32::new(0));
        let opener = {
            let (world, opened) = (world.clone(), opened.clone());
            thread::spawn(move || {
                world.open(&inner_opening(), A).expect("there is room");
                opened.store(1, Ordering::Release);
            })
        };
        let mut slot = Slot::default();
        assert!(world.report(&mut slot));
        let is_open = opened.load(Ordering::Acquire) == 1;
        assert!(world.report(&mut slot));
        opener.join().unwrap();
        assert_eq!(world.reports(), 2);
        assert!(!is_open || world.sum(INNER) >= 1);
    });
}

#[test]
fn reports_leave_a_bar_that_closes_from_then_on() {
    check(Some(2), || {
        let world = shared(World::family(2, 4));
        world.open(&outer_opening(), A).expect("there is room");
        world.open(&inner_opening(), A).expect("there is room");
        let closed = Arc::new(AtomicU32::new(0));
        let closer = {
            let (world, closed) = (world.clone(), closed.clone());
            thread::spawn(move || {
                world.cells().cells[1].close(1);
                assert!(world.bars().try_end(&world.cells(), INNER, A, &world.lives));
                closed.store(1, Ordering::Release);
            })
        };
        let mut slot = Slot::default();
        assert!(world.report(&mut slot));
        let is_closed = closed.load(Ordering::Acquire) == 1;
        assert!(world.report(&mut slot));
        closer.join().unwrap();
        assert_eq!(world.reports(), 2);
        assert!(!is_closed || world.sum(BAR) >= 1);
    });
}

#[test]
fn reports_leave_a_bar_whose_closer_died_once_it_is_collected() {
    check_deaths(Some(1), |steps| {
        let world = shared(World::family(2, 4));
        world.open(&outer_opening(), A).expect("there is room");
        world.open(&inner_opening(), C).expect("there is room");
        let mut slot = Slot::default();
        assert!(world.report(&mut slot));
        let closer = {
            let world = world.clone();
            thread::spawn(move || {
                let life = || {
                    world.cells().cells[1].close(1);
                    world.bars().try_end(&world.cells(), INNER, C, &world.lives);
                };
                world.lives.live_for(steps, C, life).is_some()
            })
        };
        let lived = closer.join().unwrap();
        world.collect(A);
        let before = world.sum(BAR);
        assert!(world.report(&mut slot));
        assert_eq!(world.sum(BAR), before + 1);
        lived
    });
}
