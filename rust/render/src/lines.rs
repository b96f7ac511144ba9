//! When a log gets a line: seldom, and ever more seldom.

/// Seconds before the first, the second and the third line; then always the last of them.
const STEPS_S: [f64; 4] = [10.0, 20.0, 40.0, 60.0];

/// The schedule of one output that is not a terminal.
///
/// It is kept for the output and not for each bar: a job of ten hours writes some 600 lines,
/// whether it is one bar or 300 after another. The line that a bar leaves at its end takes the
/// place of the next one on schedule.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schedule {
    due_s: Option<f64>,
    step: usize,
    interval_s: Option<f64>,
    has_written: bool,
}

impl Schedule {
    /// Takes note of what is shown: when the oldest bar of now started, and the interval that
    /// replaces the steps where a user asked for one.
    pub(crate) fn observe(&mut self, oldest_start_s: f64, interval_s: Option<f64>) {
        if interval_s != self.interval_s {
            self.interval_s = interval_s;
            self.due_s = None;
        }
        // A bar that starts after an idle hour is waited for like the first one.
        let first_s = oldest_start_s + self.interval_s.unwrap_or(STEPS_S[0]);
        let due_s = self.due_s.filter(|due_s| *due_s >= oldest_start_s);
        self.due_s = Some(due_s.unwrap_or(first_s));
    }

    /// Whether a line is due at `now_s`; if so, the wait for the next one starts.
    pub(crate) fn take(&mut self, now_s: f64) -> bool {
        let Some(due_s) = self.due_s.filter(|due_s| now_s >= *due_s) else {
            return false;
        };
        let step_s = self.next_step_s();
        // After a stop the lines that were missed are not made up for.
        let next_s = due_s + step_s;
        self.due_s = Some(if next_s > now_s {
            next_s
        } else {
            now_s + step_s
        });
        self.has_written = true;
        true
    }

    /// Whether a line that nobody misses may be written at `now_s`: it is due, or would be the
    /// first of this log.
    pub(crate) fn has_room(&self, now_s: f64) -> bool {
        !self.has_written || self.due_s.is_some_and(|due_s| now_s >= due_s)
    }

    /// A bar's last line is written at `now_s`, in place of the next one on schedule. Two steps are
    /// waited at most, so that a burst of such lines is not followed by a long silence.
    pub(crate) fn replace_one(&mut self, now_s: f64) {
        self.has_written = true;
        if self.interval_s.is_none()
            && let Some(due_s) = self.due_s
        {
            let step_s = self.next_step_s();
            self.due_s = Some((due_s + step_s).min(now_s + 2.0 * step_s));
        }
    }

    fn next_step_s(&mut self) -> f64 {
        self.step = (self.step + 1).min(STEPS_S.len() - 1);
        self.interval_s
            .map_or(STEPS_S[self.step], |interval_s| interval_s.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which a line is due, looking ten times a second.
    fn due_times(schedule: &mut Schedule, seconds: f64, interval_s: Option<f64>) -> Vec<f64> {
        let mut times = Vec::new();
        for tick in 0..=(seconds * 10.0) as u32 {
            let now_s = f64::from(tick) / 10.0;
            schedule.observe(0.0, interval_s);
            if schedule.take(now_s) {
                times.push(now_s);
            }
        }
        times
    }

    #[test]
    fn lines_become_seldom() {
        let times = due_times(&mut Schedule::default(), 260.0, None);
        assert_eq!(times, [10.0, 30.0, 70.0, 130.0, 190.0, 250.0]);
    }

    #[test]
    fn an_interval_of_the_users_replaces_the_steps() {
        let times = due_times(&mut Schedule::default(), 20.0, Some(6.0));
        assert_eq!(times, [6.0, 12.0, 18.0]);
    }

    #[test]
    fn lines_missed_in_a_stop_are_not_made_up_for() {
        let mut schedule = Schedule::default();
        schedule.observe(0.0, None);
        assert!(schedule.take(500.0));
        assert!(!schedule.take(519.0));
        assert!(schedule.take(520.0));
    }

    #[test]
    fn a_bar_that_starts_later_is_waited_for() {
        let mut schedule = Schedule::default();
        due_times(&mut schedule, 100.0, None);
        schedule.observe(5000.0, None);
        assert!(!schedule.take(5009.0));
        assert!(schedule.take(5010.0));
    }

    #[test]
    fn a_log_of_ten_hours_has_about_six_hundred_lines() {
        // Epochs of every length that makes 300 or fewer of them, each leaving a line.
        for epoch_s in [120.0, 125.0, 179.0, 181.0, 600.0, 36_000.0] {
            let mut schedule = Schedule::default();
            let (mut lines, mut next_end_s) = (0, epoch_s);
            for tick in 0..360_000 {
                let now_s = f64::from(tick) / 10.0;
                schedule.observe(0.0, None);
                if now_s >= next_end_s {
                    next_end_s += epoch_s;
                    lines += 1;
                    schedule.replace_one(now_s);
                }
                lines += u32::from(schedule.take(now_s));
            }
            assert!(
                (590..=620).contains(&lines),
                "{lines} lines with epochs of {epoch_s} s"
            );
        }
    }
}
