//! A cell passes from a dead process to the next one: no count is lost, doubled or seen to fall.

use loom::thread;

use super::{A, B, DEAD, KEY, World, check, check_deaths, shared};
use crate::tag::ProcessId;

/// A dead process left 5 counts in the first cell.
fn orphaned() -> World {
    let world = World::new(0, 2);
    world.count(DEAD, 5);
    world.lives.end(DEAD);
    world
}

impl World {
    fn count(&self, me: ProcessId, n: i64) {
        self.claim(KEY, me).expect("there is room for all").add(n);
    }
}

#[test]
fn two_processes_never_adopt_the_same_cell() {
    check(None, || {
        let world = shared(orphaned());
        let other = {
            let world = world.clone();
            thread::spawn(move || world.count(A, 1))
        };
        world.count(B, 1);
        other.join().unwrap();
        assert_eq!(world.sum(KEY.bar), 7);
    });
}

#[test]
fn a_process_that_leaves_hands_all_its_counts_on() {
    check(Some(5), || {
        let world = shared(orphaned());
        let next = {
            let world = world.clone();
            thread::spawn(move || world.count(B, 1))
        };
        world.count(A, 1);
        world.cells().release_all(A);
        next.join().unwrap();
        assert_eq!(world.sum(KEY.bar), 7);
    });
}

#[test]
fn an_adopter_that_dies_loses_no_count_of_those_before_it() {
    check_deaths(Some(3), |steps| {
        let world = shared(orphaned());
        let victim = {
            let world = world.clone();
            thread::spawn(move || {
                let life = || world.count(A, 1);
                world.lives.live_for(steps, A, life).is_some()
            })
        };
        world.count(B, 1);
        let lived = victim.join().unwrap();
        let sum = world.sum(KEY.bar);
        if lived {
            assert_eq!(sum, 7);
        } else {
            assert!(sum == 6 || sum == 7, "{sum}");
        }
        lived
    });
}

#[test]
fn n_never_falls_and_never_doubles_while_a_cell_is_adopted() {
    check_deaths(Some(2), |steps| {
        let world = shared(orphaned());
        let victim = {
            let world = world.clone();
            thread::spawn(move || {
                let life = || world.count(A, 1);
                world.lives.live_for(steps, A, life).is_some()
            })
        };
        let next = {
            let world = world.clone();
            thread::spawn(move || world.count(B, 1))
        };
        let (first, second) = (world.sum(KEY.bar), world.sum(KEY.bar));
        assert!(5 <= first && second <= 7, "{first} {second}");
        assert!(first <= second, "{first} {second}");
        next.join().unwrap();
        victim.join().unwrap()
    });
}
