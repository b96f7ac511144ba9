//! One process draws: of several that would, one wins, and one that lost it knows.

use loom::sync::Arc;
use loom::thread;

use super::{A, B, DEAD, Lives, check, check_deaths};
use crate::owner::Ownership;
use crate::sync::AtomicU64;
use crate::tag::ProcessId;

const NOW_MS: u64 = 10_000;
const PATIENCE_MS: u64 = 5_000;

struct Stage {
    word: AtomicU64,
    seen_ms: AtomicU64,
    lives: Lives,
}

impl Stage {
    /// The first owner was last at work at `seen_ms`.
    fn new(seen_ms: u64) -> Arc<Self> {
        let stage = Self {
            word: AtomicU64::new(0),
            seen_ms: AtomicU64::new(0),
            lives: Lives::new(),
        };
        assert!(stage.ownership().take(None, DEAD, seen_ms));
        Arc::new(stage)
    }

    fn ownership(&self) -> Ownership<'_> {
        Ownership {
            word: &self.word,
            seen_ms: &self.seen_ms,
        }
    }

    /// What a process on standby does once a second; true if it draws from now on.
    fn stand_by(&self, me: ProcessId) -> bool {
        let ownership = self.ownership();
        let seen = ownership.owner();
        ownership.is_vacant(&self.lives, NOW_MS, PATIENCE_MS) && ownership.take(seen, me, NOW_MS)
    }
}

#[test]
fn one_of_two_takers_becomes_the_owner() {
    for died in [true, false] {
        check(None, move || {
            // Dead but seen a moment ago, or alive but stopped.
            let stage = Stage::new(if died { NOW_MS } else { 0 });
            if died {
                stage.lives.end(DEAD);
            }
            let other = {
                let stage = stage.clone();
                thread::spawn(move || stage.stand_by(A))
            };
            let mine = stage.stand_by(B);
            let theirs = other.join().unwrap();
            assert!(mine != theirs, "{mine} {theirs}");
            assert!(stage.ownership().is_owner(if mine { B } else { A }));
        });
    }
}

#[test]
fn an_owner_that_was_stopped_knows_that_another_took_over() {
    check(None, || {
        let stage = Stage::new(0);
        let taker = {
            let stage = stage.clone();
            thread::spawn(move || {
                assert!(stage.stand_by(A));
                assert!(stage.ownership().is_owner(A));
            })
        };
        let before = stage.ownership().is_owner(DEAD);
        let after = stage.ownership().is_owner(DEAD);
        assert!(before || !after, "once lost, it stays lost");
        taker.join().unwrap();
        assert!(!stage.ownership().is_owner(DEAD));
    });
}

#[test]
fn a_taker_that_dies_is_followed_by_the_next_one() {
    check_deaths(None, |steps| {
        let stage = Stage::new(NOW_MS);
        stage.lives.end(DEAD);
        let victim = {
            let stage = stage.clone();
            thread::spawn(move || {
                let life = || stage.stand_by(A);
                stage.lives.live_for(steps, A, life).is_some()
            })
        };
        stage.stand_by(B);
        let lived = victim.join().unwrap();
        if !lived {
            stage.stand_by(B);
            assert!(stage.ownership().is_owner(B));
        }
        lived
    });
}
