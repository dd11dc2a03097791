//! The recent past of one resource as minute bars.
//!
//! Each measurement goes into the bar of its minute (event time, `floor(t / 60 s)`): the bar keeps mean and
//! maximum, in points (1 point = 0.01 of the base quota). Minutes without a measurement repeat the bar before
//! them. The bars of the last 121 minutes and the one in progress are kept as they are, and the maxima of a whole day in
//! short (`day.rs`): that is all that the features ever look at, whatever the report interval.

use crate::day::{Day, Yesterday};
use crate::numeric::larger;

/// Bars kept: the minute in progress and the 121 before it.
pub(crate) const BARS: usize = 122;
/// The bar in progress.
pub(crate) const NOW: usize = BARS - 1;

/// Minute bars, oldest first; the last one is the minute in progress.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    /// Mean of each minute, in points.
    pub(crate) mean: [f32; BARS],
    /// Maximum of each minute, in points.
    pub(crate) max: [f32; BARS],
    /// The last measured value, in points.
    pub(crate) value: f32,
    pub(crate) day: Day,
    pub(crate) minute: i64,
    pub(crate) sum: f32,
    pub(crate) count: u32,
    /// Which of the last 32 minutes had a measurement; the lowest bit is the minute in progress.
    pub(crate) measured: u32,
}

impl History {
    /// Begins with one measurement: the minutes before it are taken to have been the same.
    pub(crate) fn begin(minute: i64, points: f32) -> Self {
        Self {
            mean: [points; BARS],
            max: [points; BARS],
            value: points,
            day: Day::begin(minute),
            minute,
            sum: points,
            count: 1,
            measured: 1,
        }
    }

    /// The minute in progress.
    pub(crate) fn minute(&self) -> i64 {
        self.minute
    }

    /// Moves on to `minute`, repeating the last bar over the minutes between; earlier minutes change nothing.
    pub(crate) fn advance(&mut self, minute: i64) {
        let steps = minute.saturating_sub(self.minute);
        if steps <= 0 {
            return;
        }
        let shift = usize::try_from(steps).map_or(BARS, |steps| steps.min(BARS));
        let (mean, max) = (self.mean[NOW], self.max[NOW]);
        // A track begins afresh after an hour: no more minutes than that are repeated.
        for passed in (self.minute..minute).take(BARS) {
            self.day.put(passed, max);
        }
        if shift < BARS {
            self.mean.copy_within(shift.., 0);
            self.max.copy_within(shift.., 0);
        }
        self.mean[BARS - shift..].fill(mean);
        self.max[BARS - shift..].fill(max);
        self.minute = minute;
        self.sum = 0.0;
        self.count = 0;
        self.measured = u32::try_from(shift).ok().and_then(|shift| self.measured.checked_shl(shift)).unwrap_or(0);
    }

    /// Adds a measurement to the minute in progress.
    pub(crate) fn measure(&mut self, points: f32) {
        self.value = points;
        self.measured |= 1;
        self.sum += points;
        self.count = self.count.saturating_add(1);
        self.mean[NOW] = self.sum / self.count as f32;
        self.max[NOW] = if self.count == 1 { points } else { larger(self.max[NOW], points) };
    }

    /// What happened at this time yesterday; `None` until a day was seen.
    pub(crate) fn yesterday(&self) -> Option<Yesterday> {
        self.day.yesterday(self.minute)
    }

    /// The maximum of what was measured in the last 5 minutes, the one in progress included, in points; the last
    /// value if nothing was.
    pub(crate) fn peak(&self) -> f32 {
        self.measured_peak(0, 5).unwrap_or(self.value)
    }

    /// The maximum of what was measured in `minutes` minutes, the newest of them `ago` minutes before the one in progress
    /// (together at most 32), in points.
    pub(crate) fn measured_peak(&self, ago: usize, minutes: usize) -> Option<f32> {
        let newest_first = self.max.iter().rev().enumerate().skip(ago).take(minutes);
        newest_first.filter(|(ago, _)| self.measured >> ago & 1 == 1).map(|(_, max)| *max).reduce(larger)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bar_keeps_mean_and_maximum_and_gaps_repeat_it() {
        let mut history = History::begin(10, 4.0);
        history.measure(8.0);
        assert_eq!((history.mean[NOW], history.max[NOW]), (6.0, 8.0));
        history.advance(13);
        assert_eq!(history.mean[NOW - 3..], [6.0; 4]);
        history.measure(1.0);
        assert_eq!((history.mean[NOW], history.max[NOW], history.value), (1.0, 1.0, 1.0));
        assert_eq!(history.peak(), 8.0);
        // The 8 of minute 10 has left the last five; later, nothing was measured in them.
        history.advance(15);
        assert_eq!((history.mean[NOW], history.peak()), (1.0, 1.0));
        history.advance(30);
        assert_eq!(history.peak(), 1.0);
    }

    proptest! {
        #[test]
        fn after_enough_minutes_the_beginning_is_forgotten(
            loads in prop::collection::vec(0f32..100.0, BARS + 1..300),
        ) {
            let run = |from: usize| {
                let mut history = History::begin(from as i64, loads[from]);
                for (minute, load) in loads.iter().enumerate().skip(from + 1) {
                    history.advance(minute as i64);
                    history.measure(*load);
                }
                history
            };
            // The day is longer: it has a test of its own.
            let kept = |history: History| {
                let History { mean, max, value, minute, sum, count, measured, .. } = history;
                (mean, max, value, minute, sum, count, measured)
            };
            prop_assert_eq!(kept(run(0)), kept(run(loads.len() - BARS)));
        }
    }
}
