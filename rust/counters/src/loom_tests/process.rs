//! A slot passes from a dead process to the next one: nobody sees one's rank under the other's name.

use loom::thread;

use super::{A, DEAD, World, check, shared};
use crate::process::Role;
use crate::tag::{Incarnation, ProcessId, Rank};

#[test]
fn a_process_is_never_seen_with_the_next_ones_parent() {
    check(None, || {
        let world = shared(World::new(0, 0));
        let begin = |world: &World, role, rank, parent| {
            let entry = &world.processes[A.slot.0 as usize];
            let me = entry.begin(A.slot, 1, role, Rank(rank), parent);
            world.processes().raise(A.slot);
            me
        };
        let first = begin(&world, Role::Rank, 1, None);
        let next = {
            let world = world.clone();
            thread::spawn(move || begin(&world, Role::Worker, 2, Some(DEAD)))
        };
        for view in world.processes().views() {
            let expected = if view.id == first {
                (Role::Rank, Rank(1), None)
            } else {
                (Role::Worker, Rank(2), Some(DEAD))
            };
            assert_eq!((view.role, view.rank, view.parent), expected);
        }
        let second = ProcessId {
            incarnation: Incarnation(2),
            ..first
        };
        assert_eq!(next.join().unwrap(), second);
        assert!(world.processes().view(second).is_some());
    });
}
