//! What a line says of ranks that died, are silent or are slow: each by itself where there is room.

use mp_tqdm_counters::RankShare;
use mp_tqdm_render::Remark;

/// What is the matter with a rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    Died,
    Silent,
    Slow,
}

impl Trouble {
    const ALL: [Self; 3] = [Self::Died, Self::Silent, Self::Slow];

    fn word(self) -> &'static str {
        match self {
            Self::Died => "died",
            Self::Silent => "silent",
            Self::Slow => "slow",
        }
    }

    /// One remark for all ranks (each with the seconds since its last count) that are in this trouble.
    fn remark(self, ranks: &[(&RankShare, f64)]) -> Remark {
        let word = self.word();
        let since = |still_s: f64| match self {
            Self::Silent => format!(" for {still_s:.0}s"),
            Self::Died | Self::Slow => String::new(),
        };
        let each = ranks.iter().map(|(share, still_s)| {
            let (rank, n) = (share.rank.0, share.n.as_f64());
            format!("rank {rank} {word}{} at {n}", since(*still_s))
        });
        let all = Remark::new(Vec::from_iter(each).join(", "));
        let remark = if let [(share, still_s)] = ranks {
            let rank = format!("rank {} {word}", share.rank.0);
            match since(*still_s) {
                none if none.is_empty() => all.or(rank),
                since => all.or(format!("{rank}{since}")).or(rank),
            }
        } else {
            let numbers = ranks.iter().map(|(share, _)| share.rank.0.to_string());
            let numbers = Vec::from_iter(numbers).join(", ");
            all.or(format!("ranks {numbers} {word}"))
                .or(format!("{} ranks {word}", ranks.len()))
        };
        match self {
            Self::Died | Self::Silent => remark.as_alarm(),
            Self::Slow => remark,
        }
    }
}

/// The remarks on ranks in trouble, each with the seconds since its last count: the worst first.
pub(crate) fn remarks(troubled: &[(Trouble, &RankShare, f64)]) -> Vec<Remark> {
    let of = |trouble: Trouble| {
        let ranks = troubled
            .iter()
            .filter(|(of_rank, ..)| *of_rank == trouble)
            .map(|(_, share, still_s)| (*share, *still_s));
        let ranks = Vec::from_iter(ranks);
        (!ranks.is_empty()).then(|| trouble.remark(&ranks))
    };
    Trouble::ALL.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::tests::share;

    #[test]
    fn ranks_in_one_trouble_are_one_remark_with_shorter_words_and_the_worst_is_first() {
        let [one, two, three] = [(1, 410), (2, 9), (3, 7)].map(|(rank, n)| share(rank, n, 1000));
        let said = remarks(&[
            (Trouble::Slow, &one, 0.0),
            (Trouble::Silent, &two, 12.3),
            (Trouble::Died, &one, 1.0),
            (Trouble::Died, &three, 2.0),
        ]);
        let died = Remark::new("rank 1 died at 410, rank 3 died at 7");
        let silent = Remark::new("rank 2 silent for 12s at 9").or("rank 2 silent for 12s");
        let slow = Remark::new("rank 1 slow at 410").or("rank 1 slow");
        let expected = [
            died.or("ranks 1, 3 died").or("2 ranks died").as_alarm(),
            silent.or("rank 2 silent").as_alarm(),
            slow,
        ];
        assert_eq!(said, expected);
        assert_eq!(remarks(&[]), []);
    }
}
