//! What is said of ranks that do their share at given rates, second by second.

use super::*;
use mp_tqdm_counters::Value;

const BAR: BarId = BarId {
    index: 0,
    generation: 0,
};

pub(crate) fn share(rank: u16, n: i64, total: i64) -> RankShare {
    RankShare {
        rank: Rank(rank),
        n: Value::Int(n),
        total: Some(Value::Int(total)),
        initial: Value::ZERO,
        open: true,
        opened: true,
        dead: false,
        start_ns: 0,
        end_ns: 0,
        own_line: false,
        position: None,
    }
}

fn texts(remarks: &[Remark]) -> Vec<String> {
    let texts = remarks.iter().map(Remark::text);
    texts.map(str::to_owned).collect()
}

/// What is said at each second, where rank r does `rates(r, second)` items a second of `totals[r]`.
fn said(
    seconds: i64,
    totals: &[i64],
    rates: impl Fn(usize, i64) -> i64,
) -> Vec<(i64, Vec<String>)> {
    let mut notes = Notes::default();
    let mut done = vec![0; totals.len()];
    let mut said = Vec::new();
    for tenth in 0..=10 * seconds {
        let now_s = tenth as f64 / 10.0;
        let mut ranks = Vec::new();
        for (rank, total) in totals.iter().enumerate() {
            let step = rates(rank, tenth / 10);
            // In steps of one tenth where there is less than one item in it.
            if tenth > 0 {
                done[rank] += step * tenth / 10 - step * (tenth - 1) / 10;
            }
            let n = done[rank].min(*total);
            let number = u16::try_from(rank).unwrap();
            let entry = notes.moves.entry(Rank(number)).or_insert((0.0, now_s));
            if entry.0 != n as f64 {
                *entry = (n as f64, now_s);
            }
            ranks.push(share(number, n, *total));
        }
        let new = texts(&notes.of_ranks(BAR, Reduction::Mean, &ranks, now_s));
        if tenth % 10 == 0 {
            said.push((tenth / 10, new));
        }
    }
    said
}

fn words(said: &[(i64, Vec<String>)]) -> Vec<String> {
    let all = said.iter().flat_map(|(_, notes)| notes);
    all.map(|note| note.split(' ').take(3).collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_rank_at_half_the_rate_is_slow_after_some_seconds() {
    let said = said(20, &[10_000; 4], |rank, _| if rank == 2 { 20 } else { 40 });
    assert_eq!(words(&said[..5]), [""; 0]);
    assert_eq!(words(&said[6..]), vec!["rank 2 slow"; 15]);
    assert_eq!(said[10].1, ["rank 2 slow at 200"]);
}

#[test]
fn a_rank_with_more_to_do_is_not_slow_nor_one_that_is_a_little_slower() {
    let uneven = [1000, 1000, 4000];
    assert_eq!(words(&said(20, &uneven, |_, _| 40)), [""; 0]);
    let almost = |rank, _| if rank == 2 { 36 } else { 40 };
    assert_eq!(words(&said(20, &[10_000; 3], almost)), [""; 0]);
}

#[test]
fn nobody_waits_for_a_slow_rank_with_less_to_do() {
    let rates = |rank, _| if rank == 2 { 20 } else { 40 };
    assert_eq!(words(&said(20, &[4000, 4000, 2000], rates)), [""; 0]);
}

#[test]
fn a_rank_that_keeps_up_again_is_not_slow_any_more() {
    let said = said(60, &[100_000; 3], |rank, second| {
        if rank == 2 && second < 20 { 20 } else { 40 }
    });
    assert_eq!(words(&said[15..=20]), vec!["rank 2 slow"; 6]);
    assert_eq!(words(&said[50..]), [""; 0]);
    // It changes once, and does not come and go.
    let is_named: Vec<bool> = said.iter().map(|(_, notes)| !notes.is_empty()).collect();
    assert_eq!(
        is_named.windows(2).filter(|two| two[0] != two[1]).count(),
        2
    );
}

#[test]
fn ranks_that_take_turns_are_not_slow() {
    // Each second another one does nothing: as a long step now and then.
    let said = said(40, &[100_000; 4], |rank, second| {
        if second % 4 == rank as i64 { 0 } else { 40 }
    });
    assert_eq!(words(&said), [""; 0]);
}

#[test]
fn a_rank_that_stops_is_silent_once_the_others_passed_it() {
    let said = said(20, &[10_000; 3], |rank, second| {
        if rank == 1 && second >= 10 { 0 } else { 40 }
    });
    assert_eq!(words(&said[..15]), [""; 0]);
    assert_eq!(said[16].1, ["rank 1 silent for 6s at 396"]);
    assert_eq!(words(&said[16..]), vec!["rank 1 silent"; 5]);
}

#[test]
fn ranks_that_all_wait_are_not_silent() {
    // One is behind, and nobody counts any more: at a barrier.
    let said = said(20, &[10_000; 2], |rank, second| match rank {
        _ if second >= 4 => 0,
        0 => 40,
        _ => 37,
    });
    assert_eq!(words(&said), [""; 0]);
}

#[test]
fn where_all_wait_the_one_that_was_passed_last_is_silent() {
    // The others began the next item, and wait for it there.
    let rates = |rank, second| i64::from(second < 10 + i64::from(rank != 1));
    let said = said(30, &[1000; 3], rates);
    assert_eq!(said[30].1.len(), 1);
    assert!(said[30].1[0].starts_with("rank 1 silent for "), "{said:?}");
    assert!(said[30].1[0].ends_with("s at 9"), "{said:?}");
}

#[test]
fn ranks_that_wait_for_one_at_work_elsewhere_are_not_silent() {
    let mut notes = Notes::default();
    for second in 0..30 {
        let now_s = f64::from(second);
        notes.moves.insert(Rank(0), (now_s, now_s));
        for rank in [Rank(1), Rank(2)] {
            notes.moves.entry(rank).or_insert((0.0, now_s));
        }
        let last = if second > 0 { 22 } else { 20 };
        let ranks = [share(0, 20, 100), share(1, 21, 100), share(2, last, 100)];
        assert_eq!(notes.of_ranks(BAR, Reduction::Mean, &ranks, now_s), []);
    }
}

#[test]
fn after_a_wait_of_all_the_last_to_go_on_is_not_silent() {
    // For a second or four, as long as the next item takes.
    for late in [1, 4] {
        let said = said(40, &[10_000; 3], |rank, second| match second {
            10..30 => 0,
            _ if rank == 1 && (30..30 + late).contains(&second) => 0,
            _ => 40,
        });
        assert_eq!(words(&said[..30 + late as usize]), [""; 0]);
    }
}

#[test]
fn nor_is_one_that_was_an_item_behind_when_the_wait_began() {
    let said = said(40, &[10_000; 3], |rank, second| match second {
        8 => 40 + i64::from(rank != 1),
        9..30 => 0,
        _ if rank == 1 && (30..32).contains(&second) => 0,
        _ => 40,
    });
    assert_eq!(words(&said[..32]), [""; 0]);
}

#[test]
fn a_rank_that_is_through_is_neither_silent_nor_slow() {
    let said = said(20, &[100, 10_000, 10_000], |_, _| 40);
    assert_eq!(words(&said), [""; 0]);
}

#[test]
fn a_rank_that_stops_when_the_others_are_nearly_through_is_silent() {
    // They had passed it before, or have less to do and are not as far.
    for (totals, silent) in [([200, 200, 200], 11), ([100, 120, 500], 15)] {
        let said = said(30, &totals, |rank, second| match rank {
            2 if second >= 4 => 0,
            2 => 37,
            _ => 40,
        });
        assert_eq!(words(&said[..silent - 1]), [""; 0], "{totals:?}");
        assert_eq!(said[16].1, ["rank 2 silent for 12s at 144"], "{totals:?}");
        assert_eq!(words(&said[silent..]), vec!["rank 2 silent"; 31 - silent]);
    }
}

#[test]
fn ranks_that_wait_for_one_that_works_elsewhere_are_not_silent_where_some_are_through() {
    // At work elsewhere is one that has something left here, or one that is through.
    for (ahead, worker) in [(10, 0), (30, 0), (30, 1)] {
        let mut notes = Notes::default();
        for second in 0..60 {
            let now_s = f64::from(second);
            for rank in [Rank(0), Rank(1), Rank(2)] {
                notes.moves.entry(rank).or_insert((0.0, now_s));
            }
            notes.moves.insert(Rank(worker), (now_s, now_s));
            let last = if second > 0 { 20 } else { 19 };
            let ranks = [share(0, ahead, 30), share(1, 3, 3), share(2, last, 30)];
            assert_eq!(notes.of_ranks(BAR, Reduction::Mean, &ranks, now_s), []);
        }
    }
}

#[test]
fn the_last_rank_is_not_silent_while_it_goes_on_nor_where_it_takes_long_for_an_item() {
    let steady = said(60, &[100, 2000], |_, _| 40);
    assert_eq!(words(&steady), [""; 0]);
    let every = said(120, &[8, 1000], |_, second| i64::from(second % 7 == 6));
    assert_eq!(words(&every), [""; 0]);
}

#[test]
fn the_last_to_count_after_a_wait_of_all_before_the_end_is_not_silent() {
    let said = said(60, &[100; 3], |rank, second| match second {
        0..2 => 40,
        20 => 20 * i64::from(rank != 1),
        22 => 20 * i64::from(rank == 1),
        _ => 0,
    });
    assert_eq!(words(&said), [""; 0]);
}

#[test]
fn a_rank_that_counts_elsewhere_is_not_silent() {
    let mut notes = Notes::default();
    for second in 0..20 {
        let now_s = f64::from(second);
        notes.moves.insert(Rank(0), (now_s, now_s));
        let ranks = [share(0, 3, 100), share(1, 3 + i64::from(second), 100)];
        assert_eq!(notes.of_ranks(BAR, Reduction::Mean, &ranks, now_s), []);
    }
    // It stopped there as well.
    let said = (20..=25).map(|second| {
        let ranks = [share(0, 3, 100), share(1, 3 + second, 100)];
        texts(&notes.of_ranks(BAR, Reduction::Mean, &ranks, second as f64))
    });
    assert_eq!(said.last().unwrap(), ["rank 0 silent for 6s at 3"]);
}

#[test]
fn a_rank_that_only_shows_a_counter_of_the_job_is_not_silent() {
    for (reduction, is_silent) in [(Reduction::Job, false), (Reduction::Mean, true)] {
        let mut notes = Notes::default();
        let mut said = Vec::new();
        for second in 0..20 {
            notes.moves.entry(Rank(0)).or_insert((0.0, 0.0));
            let ranks = [share(0, 0, 100), share(1, second, 100)];
            said = texts(&notes.of_ranks(BAR, reduction, &ranks, second as f64));
        }
        assert_eq!(
            said.iter().any(|note| note.contains("rank 0 silent")),
            is_silent
        );
    }
}

#[test]
fn a_rank_that_goes_on_after_a_long_stop_is_not_slow() {
    let said = said(40, &[100_000; 3], |rank, second| {
        if rank == 1 && (10..18).contains(&second) {
            0
        } else {
            40
        }
    });
    let found = words(&said);
    assert!(
        found.iter().all(|word| word == "rank 1 silent"),
        "{found:?}"
    );
    assert_eq!(words(&said[18..]), [""; 0]);
}

#[test]
fn ranks_that_take_long_for_an_item_can_be_slow() {
    // Eight seconds an item, and sixteen.
    let said = said(200, &[100; 3], |rank, second| {
        let every = if rank == 0 { 16 } else { 8 };
        i64::from(second % every == every - 1)
    });
    assert!(words(&said[150..]).iter().any(|word| word == "rank 0 slow"));
    assert!(!words(&said).iter().any(|word| word == "rank 1 slow"));
}
