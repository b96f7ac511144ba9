//! A cell passes from a bar that ended to another bar: nobody takes one bar's count for the other's.

use loom::thread;

use super::{A, B, BAR, C, KEY, RANK, World, check, shared, whole};
use crate::cell::Cell;
use crate::tag::{BarId, CellKey};

/// The bar that stands in the same place after `BAR`.
const NEXT: CellKey = CellKey {
    bar: BarId {
        index: 0,
        generation: 1,
    },
    rank: RANK,
};

/// A process counted in the first cell and left it; one cell more is free.
fn released() -> World {
    let world = World::new(0, 2);
    let cell = world.claim(KEY, A).expect("two cells are free");
    cell.add(5);
    cell.release(A);
    world
}

#[test]
fn a_reader_never_sees_one_bars_count_under_the_next_ones_key() {
    check(Some(2), || {
        let world = shared(World::new(0, 1));
        world.claim(KEY, A).expect("the cell is free").add(5);
        let counter = {
            let world = world.clone();
            thread::spawn(move || {
                world.cells().free_own(A, |_, key| key == KEY);
                world.claim(NEXT, A).expect("the cell is free").add(1);
            })
        };
        for view in world.cells().used().filter_map(Cell::read) {
            let n = whole(view.n);
            if view.key == KEY {
                assert_eq!(n, 5, "of the bar that ended");
            } else {
                assert!(n <= 1, "{n} in the bar that began");
            }
        }
        counter.join().unwrap();
    });
}

#[test]
fn an_adopter_never_takes_a_cell_that_became_another_bars() {
    check(Some(5), || {
        let world = shared(released());
        // A takes its cell back, the bar ends, and the cell counts for the next one.
        let other = {
            let world = world.clone();
            thread::spawn(move || {
                let again = world.claim(KEY, A).expect("one cell is free");
                again.free(A);
                let next = world.claim(NEXT, A).expect("one cell is free");
                next.add(1);
                next.release(A);
            })
        };
        let mine = world.claim(KEY, B).expect("one cell is free");
        let view = mine.read().expect("a claimed cell counts");
        assert_eq!((view.key, view.process), (KEY, B));
        other.join().unwrap();
        assert_eq!(world.sum(NEXT.bar), 1);
    });
}

#[test]
fn a_freer_that_was_held_up_never_frees_a_cell_that_became_another_bars() {
    check(None, || {
        let world = shared(released());
        let other = {
            let world = world.clone();
            thread::spawn(move || {
                world.cells().free_bar(BAR, A, &world.lives);
                let next = world.claim(NEXT, A).expect("two cells are free");
                next.add(1);
                next.release(A);
            })
        };
        world.cells().free_bar(BAR, B, &world.lives);
        other.join().unwrap();
        assert_eq!((world.sum(BAR), world.sum(NEXT.bar)), (0, 1));
    });
}

#[test]
fn a_freer_that_was_held_up_never_frees_an_overflow_cell_that_became_another_bars() {
    check(None, || {
        let world = shared(World {
            shared: 1,
            ..World::new(0, 1)
        });
        world.claim(KEY, A).expect("the overflow cell is free");
        let other = {
            let world = world.clone();
            thread::spawn(move || {
                world.cells().free_bar(BAR, A, &world.lives);
                let next = world.claim(NEXT, A).expect("it is free again");
                next.add_shared(1);
            })
        };
        world.cells().free_bar(BAR, B, &world.lives);
        other.join().unwrap();
        assert_eq!(world.sum(NEXT.bar), 1);
    });
}

#[test]
fn a_count_on_its_way_while_the_process_ends_the_bar_reaches_no_other_bar() {
    check(None, || {
        let world = shared(World::new(0, 2));
        let mine = world.claim(KEY, A).expect("two cells are free");
        mine.add(5);
        let renderer = {
            let world = world.clone();
            thread::spawn(move || world.cells().free_bar(BAR, A, &world.lives))
        };
        let next = {
            let world = world.clone();
            thread::spawn(move || world.claim(NEXT, C).expect("one cell is free").add(1))
        };
        mine.add(1);
        renderer.join().unwrap();
        next.join().unwrap();
        assert_eq!(world.sum(NEXT.bar), 1);
    });
}
