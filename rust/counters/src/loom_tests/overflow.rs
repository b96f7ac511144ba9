//! An overflow cell is counted into by several processes at once.

use loom::thread;

use super::{A, B, BAR, C, KEY, World, check, shared};
use crate::value::Value;

/// One overflow cell and none besides.
fn crowded() -> World {
    World {
        shared: 1,
        ..World::new(0, 1)
    }
}

#[test]
fn two_processes_count_in_one_overflow_cell() {
    check(None, || {
        let world = shared(World {
            shared: 2,
            ..World::new(0, 2)
        });
        let count = |world: &World, me| {
            let cell = world.claim(KEY, me).expect("there are two overflow cells");
            cell.add_shared(1);
        };
        let other = {
            let world = world.clone();
            thread::spawn(move || count(&world, A))
        };
        count(&world, B);
        other.join().unwrap();
        assert_eq!(world.sum(BAR), 2);
    });
}

#[test]
fn two_processes_count_parts_of_items_and_give_totals_in_one_overflow_cell() {
    check(None, || {
        let world = shared(crowded());
        world.claim(KEY, C).expect("the overflow cell is free");
        let count = |world: &World| {
            let cell = &world.cells().cells[0];
            cell.add_value(Value::Float(0.5));
            cell.set_total(None, Some(Value::Int(3)));
        };
        let other = {
            let world = world.clone();
            thread::spawn(move || count(&world))
        };
        count(&world);
        other.join().unwrap();
        let view = world.cells().cells[0].read().expect("it counts");
        assert_eq!(
            (view.n, view.total),
            (Value::Float(1.0), Some(Value::Int(6)))
        );
    });
}

#[test]
fn two_processes_close_their_handles_in_one_overflow_cell() {
    check(None, || {
        let world = shared(crowded());
        let cell = world.claim(KEY, A).expect("the overflow cell is free");
        cell.announce();
        cell.announce();
        let other = {
            let world = world.clone();
            thread::spawn(move || world.cells().cells[0].close(1))
        };
        let mine = cell.close(1);
        let theirs = other.join().unwrap();
        assert_eq!((cell.opens(), mine.min(theirs)), (0, 0));
    });
}

#[test]
fn a_process_that_leaves_closes_no_other_ones_handles_in_an_overflow_cell() {
    check(None, || {
        let world = shared(crowded());
        let cell = world.claim(KEY, A).expect("the overflow cell is free");
        cell.announce();
        let leaver = {
            let world = world.clone();
            thread::spawn(move || world.cells().release_all(A))
        };
        world.cells().cells[0].announce();
        leaver.join().unwrap();
        assert_eq!(cell.opens(), 2);
    });
}
