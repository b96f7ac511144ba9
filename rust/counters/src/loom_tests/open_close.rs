//! A bar begins and ends while processes join it, look at it and die: who has a bar open has an open
//! bar, and a bar that nobody has open ends.

use loom::thread;

use super::{A, B, BAR, C, KEY, RANK, World, check, check_deaths, opening, other, shared};
use crate::bar::{BarEntry, Opening};
use crate::bars::Joined;
use crate::cell::Cell;
use crate::tag::{BarId, BarState, ProcessId, Rank};

impl World {
    pub(super) fn open(&self, opening: &Opening<'_>, me: ProcessId) -> Option<Joined<'_>> {
        self.bars()
            .open(&self.cells(), opening, RANK, me, &self.lives)
    }

    /// Closes the one handle of `me`; true if that ended the bar.
    pub(super) fn close(&self, joined: &Joined<'_>, me: ProcessId) -> bool {
        joined.claimed.cell.close(1);
        self.try_end(joined.id, me)
    }

    fn try_end(&self, id: BarId, me: ProcessId) -> bool {
        self.bars().try_end(&self.cells(), id, me, &self.lives)
    }

    fn free(&self, id: BarId, me: ProcessId) {
        self.bars().free(&self.cells(), id, me, &self.lives);
    }

    pub(super) fn collect(&self, me: ProcessId) {
        self.bars().collect(&self.cells(), me, &self.lives);
    }

    fn state(&self, id: BarId) -> Option<BarState> {
        self.bars().view(id).map(|view| view.state)
    }

    /// Whether the bar is open and known to be in use.
    fn is_in_use(&self, id: BarId) -> bool {
        self.state(id) == Some(BarState::Open)
            && self
                .bars()
                .is_open_somewhere(&self.cells(), id, &self.lives)
    }
}

#[test]
fn a_bar_that_is_being_opened_is_not_ended_by_a_collector() {
    check(Some(3), || {
        let world = shared(World::new(1, 1));
        // The place was in use before, so that all look at it.
        let before = world.open(&other(), A).expect("there is room");
        assert!(world.close(&before, A));
        world.free(before.id, A);
        world.cells().free_own(A, |_, _| true);
        let collector = {
            let world = world.clone();
            thread::spawn(move || world.collect(B))
        };
        let joined = world.open(&opening(), A).expect("there is room");
        collector.join().unwrap();
        assert!(world.is_in_use(joined.id));
    });
}

#[test]
fn an_opener_that_dies_leaves_room_for_the_next_one() {
    check_deaths(Some(2), |steps| {
        let world = shared(World::new(2, 2));
        let victim = {
            let world = world.clone();
            thread::spawn(move || {
                let life = || world.open(&opening(), B).is_some();
                world.lives.live_for(steps, B, life)
            })
        };
        let joined = world.open(&opening(), A).expect("there is room");
        let lived = victim.join().unwrap();
        assert_ne!(lived, Some(false));
        assert!(world.is_in_use(joined.id));
        lived.is_some()
    });
}

#[test]
fn an_opener_that_dies_leaves_no_cell_in_the_next_bar() {
    check_deaths(Some(0), |steps| {
        let world = World::new(2, 2);
        let life = || {
            let (bars, cells) = (world.bars(), world.cells());
            bars.open(&cells, &other(), Rank(1), B, &world.lives)
                .is_some()
        };
        let lived = world.lives.live_for(steps, B, life).is_some();
        let joined = world.open(&opening(), A).expect("there is room");
        let mut cells = world.cells().used().filter_map(Cell::read);
        assert!(cells.all(|cell| cell.key.bar != joined.id || cell.process == A));
        lived
    });
}

#[test]
fn a_process_that_joins_while_the_last_one_closes_has_an_open_bar() {
    check(Some(4), || {
        let world = shared(World::new(2, 3));
        let theirs = world.open(&opening(), B).expect("there is room").id;
        let closer = {
            let world = world.clone();
            thread::spawn(move || {
                world.cells().cells[0].close(1);
                world.try_end(theirs, B)
            })
        };
        let joined = world.open(&opening(), A).expect("there is room");
        let ended = closer.join().unwrap();
        assert!(world.is_in_use(joined.id));
        assert!(!ended || joined.id != theirs);
    });
}

#[test]
fn entries_that_two_processes_make_at_once_for_one_bar_know_of_each_other() {
    check(Some(3), || {
        let world = shared(World::new(2, 2));
        let other = {
            let world = world.clone();
            thread::spawn(move || world.open(&opening(), B).expect("there is room").id)
        };
        let mine = world.open(&opening(), A).expect("there is room").id;
        let theirs = other.join().unwrap();
        for id in [mine, theirs] {
            let is_whole = world.bars().entry(id).map(BarEntry::is_whole);
            assert_eq!(is_whole, Some(mine == theirs));
        }
    });
}

#[test]
fn a_bar_that_two_processes_close_at_once_ends() {
    check(None, || {
        let world = shared(World::new(1, 2));
        let joined = world.open(&opening(), A).expect("there is room");
        world.open(&opening(), B).expect("there is room");
        let other = {
            let world = world.clone();
            thread::spawn(move || {
                world.cells().cells[1].close(1);
                world.try_end(BAR, B)
            })
        };
        let mine = world.close(&joined, A);
        let theirs = other.join().unwrap();
        assert!(mine || theirs);
        assert_eq!(world.state(BAR), Some(BarState::Ended));
    });
}

#[test]
fn a_process_that_joins_where_a_closer_dies_has_an_open_bar() {
    check_deaths(Some(3), |steps| {
        let world = shared(World::new(2, 3));
        world.open(&opening(), B).expect("there is room");
        let closer = {
            let world = world.clone();
            thread::spawn(move || {
                let life = || {
                    world.cells().cells[0].close(1);
                    world.try_end(BAR, B);
                };
                world.lives.live_for(steps, B, life).is_some()
            })
        };
        let joined = world.open(&opening(), A).expect("there is room");
        let lived = closer.join().unwrap();
        assert!(world.is_in_use(joined.id));
        assert!(world.close(&joined, A));
        lived
    });
}

#[test]
fn a_bar_whose_closer_dies_is_ended_by_the_other_one() {
    check_deaths(Some(3), |steps| {
        let world = shared(World::new(1, 2));
        let joined = world.open(&opening(), A).expect("there is room");
        world.open(&opening(), B).expect("there is room");
        let other = {
            let world = world.clone();
            thread::spawn(move || {
                let life = || {
                    world.cells().cells[1].close(1);
                    world.try_end(BAR, B);
                };
                world.lives.live_for(steps, B, life).is_some()
            })
        };
        let mine = world.close(&joined, A);
        let lived = other.join().unwrap();
        // Where A saw the other at work, the next one who looks ends the bar.
        assert!(mine || world.try_end(BAR, A));
        assert_eq!(world.state(BAR), Some(BarState::Ended));
        lived
    });
}

#[test]
fn a_closer_that_was_held_up_never_ends_the_next_bar_in_that_place() {
    check(Some(4), || {
        let world = shared(World::new(1, 2));
        let joined = world.open(&opening(), A).expect("there is room");
        joined.claimed.cell.close(1);
        let late = {
            let world = world.clone();
            thread::spawn(move || world.try_end(BAR, B))
        };
        if world.try_end(BAR, A) {
            world.free(BAR, A);
            let next = world.open(&other(), A).expect("the place is free");
            late.join().unwrap();
            assert!(world.is_in_use(next.id));
        } else {
            late.join().unwrap();
        }
    });
}

#[test]
fn a_freer_that_was_held_up_never_frees_the_next_bar_in_that_place() {
    check(Some(4), || {
        let world = shared(World::new(1, 2));
        let joined = world.open(&opening(), A).expect("there is room");
        assert!(world.close(&joined, A));
        let late = {
            let world = world.clone();
            thread::spawn(move || world.free(BAR, B))
        };
        world.free(BAR, A);
        let next = world.open(&other(), A).expect("the place is free");
        assert!(world.close(&next, A));
        late.join().unwrap();
        assert_eq!(world.state(next.id), Some(BarState::Ended));
    });
}

#[test]
fn a_joiner_that_was_held_up_never_counts_in_a_bar_that_is_gone() {
    check(Some(3), || {
        let world = shared(World::new(1, 3));
        let joined = world.open(&opening(), A).expect("there is room");
        joined.claimed.cell.close(1);
        let late = {
            let world = world.clone();
            thread::spawn(move || {
                let (bars, cells) = (world.bars(), world.cells());
                bars.join(&cells, KEY, C, &world.lives).is_some()
            })
        };
        if world.try_end(BAR, A) {
            world.free(BAR, A);
            world.open(&other(), A).expect("the place is free");
        }
        if late.join().unwrap() {
            assert!(world.is_in_use(BAR));
        }
    });
}
