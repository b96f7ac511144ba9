//! How fast a count grows, and when it will be done: tqdm's smoothed rate.

/// The rate of one count, from what it read at some frames.
///
/// Items and seconds are averaged apart, each with weights that fall off by `1 - smoothing` a
/// sample, and then divided. A sample that a stall has stretched to five seconds is thus forgotten
/// after some twenty ordinary ones, two seconds of frames.
///
/// # Examples
///
/// ```
/// use mp_tqdm_render::Estimator;
///
/// let mut estimator = Estimator::new(0.3, 100.0, 0.0);
/// estimator.update(100.5, 10.0);
/// assert_eq!(estimator.rate(100.5), Some(20.0));
/// assert_eq!(estimator.remaining_s(100.5, 50.0), Some(2.0));
/// ```
#[derive(Clone, Debug)]
pub struct Estimator {
    smoothing: f64,
    start_s: f64,
    initial: f64,
    last_s: f64,
    last_n: f64,
    items: Average,
    seconds: Average,
}

/// An exponential moving average without its first value's bias.
#[derive(Clone, Copy, Debug, Default)]
struct Average {
    sum: f64,
    weight: f64,
}

impl Estimator {
    /// An estimator of a count that was `initial` at `start_s`. `smoothing` lies between 0, the
    /// average since the start, and 1, the last sample alone; others are clamped, NaN is 0.
    #[must_use]
    pub fn new(smoothing: f64, start_s: f64, initial: f64) -> Self {
        let smoothing = if smoothing.is_nan() {
            0.0
        } else {
            smoothing.clamp(0.0, 1.0)
        };
        Self {
            smoothing,
            start_s,
            initial,
            last_s: start_s,
            last_n: initial,
            items: Average::default(),
            seconds: Average::default(),
        }
    }

    /// Takes note that the count reads `n` at `now_s`.
    ///
    /// A count that did not move adds nothing: its time goes to the next sample. One that went
    /// back was corrected or reset, so that nothing learned before holds.
    pub fn update(&mut self, now_s: f64, n: f64) {
        let (items, seconds) = (n - self.last_n, now_s - self.last_s);
        if !items.is_finite() || items == 0.0 || seconds <= 0.0 {
            return;
        }
        if items < 0.0 {
            self.items = Average::default();
            self.seconds = Average::default();
        } else if self.smoothing > 0.0 {
            self.items.add(items, self.smoothing);
            self.seconds.add(seconds, self.smoothing);
        }
        self.last_s = now_s;
        self.last_n = n;
    }

    /// The clock starts at another time; what was learned holds.
    pub fn start_at(&mut self, start_s: f64) {
        self.start_s = start_s;
    }

    /// The `rest_s` seconds before `now_s` were a pause, and no sample is to have them.
    pub fn rest(&mut self, rest_s: f64, now_s: f64) {
        self.last_s = (self.last_s + rest_s).min(now_s);
    }

    /// The smoothed rate in items a second; `None` before the first sample, after a correction, and
    /// without smoothing.
    #[must_use]
    pub fn smoothed_rate(&self) -> Option<f64> {
        let seconds = self.seconds.value()?;
        self.items.value().map(|items| items / seconds)
    }

    /// The smoothed rate, else the average since the start; `None` if nothing was counted.
    #[must_use]
    pub fn rate(&self, now_s: f64) -> Option<f64> {
        self.smoothed_rate().or_else(|| {
            let (items, seconds) = (self.last_n - self.initial, now_s - self.start_s);
            (items > 0.0 && seconds > 0.0).then(|| items / seconds)
        })
    }

    /// Seconds until the count reaches `total`, by [`rate`](Self::rate).
    #[must_use]
    pub fn remaining_s(&self, now_s: f64, total: f64) -> Option<f64> {
        self.rate(now_s)
            .map(|rate| ((total - self.last_n) / rate).max(0.0))
    }
}

impl Average {
    fn add(&mut self, value: f64, smoothing: f64) {
        self.sum += smoothing * (value - self.sum);
        self.weight += smoothing * (1.0 - self.weight);
    }

    fn value(self) -> Option<f64> {
        (self.weight > 0.0).then(|| self.sum / self.weight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a steady 100 items a second, ten times a second.
    fn feed(estimator: &mut Estimator, from_s: f64, from_n: f64, seconds: f64) -> (f64, f64) {
        let frames = (seconds * 10.0).round();
        for frame in 1..=frames as u32 {
            let passed = f64::from(frame) * 0.1;
            estimator.update(from_s + passed, from_n + passed * 100.0);
        }
        (from_s + frames * 0.1, from_n + frames * 10.0)
    }

    fn assert_close(value: Option<f64>, expected: f64, tolerance: f64) {
        let value = value.unwrap();
        assert!(
            (value - expected).abs() <= tolerance * expected,
            "{value}, not {expected}"
        );
    }

    #[test]
    fn a_steady_count_has_its_rate_at_once() {
        let mut estimator = Estimator::new(0.3, 0.0, 50.0);
        assert_eq!(estimator.rate(1.0), None);
        estimator.update(0.1, 60.0);
        assert_close(estimator.rate(0.1), 100.0, 1e-9);
        assert_close(estimator.remaining_s(0.1, 160.0), 1.0, 1e-9);
    }

    #[test]
    fn the_rate_is_right_again_three_seconds_after_a_stop_of_five() {
        let mut estimator = Estimator::new(0.3, 0.0, 0.0);
        let (now_s, n) = feed(&mut estimator, 0.0, 0.0, 10.0);
        feed(&mut estimator, now_s + 5.0, n, 3.0);
        assert_close(estimator.smoothed_rate(), 100.0, 0.01);
    }

    #[test]
    fn smoothing_of_zero_is_the_average_and_of_one_the_last_sample() {
        let mut average = Estimator::new(0.0, 0.0, 0.0);
        let mut last = Estimator::new(1.0, 0.0, 0.0);
        for estimator in [&mut average, &mut last] {
            estimator.update(1.0, 10.0);
            estimator.update(2.0, 40.0);
        }
        assert_eq!(average.smoothed_rate(), None);
        assert_close(average.rate(2.0), 20.0, 1e-9);
        assert_close(last.rate(2.0), 30.0, 1e-9);
    }

    #[test]
    fn samples_weigh_as_in_tqdm() {
        // tqdm's EMA(0.3) of 10 and then 40 items, each in one second.
        let mut estimator = Estimator::new(0.3, 0.0, 0.0);
        estimator.update(1.0, 10.0);
        estimator.update(2.0, 50.0);
        assert_close(estimator.smoothed_rate(), 14.1 / 0.51, 1e-9);
    }

    #[test]
    fn a_count_that_goes_back_starts_anew() {
        let mut estimator = Estimator::new(0.3, 0.0, 0.0);
        estimator.update(1.0, 1000.0);
        estimator.update(2.0, 0.0);
        assert_eq!(estimator.smoothed_rate(), None);
        assert_eq!(estimator.rate(2.0), None);
        estimator.update(3.0, 5.0);
        assert_close(estimator.rate(3.0), 5.0, 1e-9);
    }

    #[test]
    fn a_pause_is_in_no_sample() {
        let mut estimator = Estimator::new(0.3, 0.0, 0.0);
        let (now_s, n) = feed(&mut estimator, 0.0, 0.0, 2.0);
        estimator.rest(500.0, now_s + 500.0);
        feed(&mut estimator, now_s + 500.0, n, 0.1);
        assert_close(estimator.smoothed_rate(), 100.0, 1e-9);
    }

    #[test]
    fn a_clock_that_starts_at_another_time_changes_the_average_alone() {
        let mut estimator = Estimator::new(0.3, 0.0, 0.0);
        let (now_s, _) = feed(&mut estimator, 0.0, 0.0, 2.0);
        estimator.start_at(now_s - 1.0);
        assert_close(estimator.smoothed_rate(), 100.0, 1e-9);
        let mut average = Estimator::new(0.0, 0.0, 0.0);
        average.update(now_s, 50.0);
        average.start_at(now_s - 1.0);
        assert_close(average.rate(now_s), 50.0, 1e-9);
    }

    #[test]
    fn nonsense_changes_nothing() {
        let mut estimator = Estimator::new(f64::NAN, 0.0, 0.0);
        estimator.update(1.0, f64::NAN);
        estimator.update(1.0, f64::INFINITY);
        estimator.update(-1.0, 5.0);
        assert_eq!(estimator.rate(1.0), None);
    }
}
