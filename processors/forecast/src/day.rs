//! The last day of one resource: the maximum of each minute, so that what happened at this time yesterday is known.
//!
//! Bars of [`History`](crate::history::History) that are whole come in, one a minute. Each is kept in 2 bytes, in steps of 0.02
//! points up to 1,310 points (more counts as that much); together 2.9 KiB.

use crate::numeric::larger;

/// Minutes of a day.
const DAY: i64 = 1_440;
/// The oldest minute that is looked at lies so many minutes before the one in progress.
pub(crate) const DAY_MINUTES: i64 = DAY + 4;
const SLOTS: usize = DAY_MINUTES as usize + 1;
const STEPS_PER_POINT: f32 = 50.0;

/// Maxima of the last minutes, by minute modulo their count.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Day {
    maxima: Box<[u16; SLOTS]>,
    /// The first minute, which may not have been seen from its start.
    pub(crate) begun: i64,
}

/// What happened at this time yesterday, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Yesterday {
    /// The maximum of the same minute.
    pub(crate) then: f32,
    /// The maximum of the five minutes that ended with it.
    pub(crate) before: f32,
    /// The maximum of the five minutes after it: the peak that followed.
    pub(crate) after: f32,
    /// The maximum of the ten minutes from the one before it on.
    pub(crate) around: f32,
}

impl Day {
    pub(crate) fn begin(minute: i64) -> Self {
        Self { maxima: Box::new([0; SLOTS]), begun: minute }
    }

    /// Takes in the maximum of a whole minute.
    pub(crate) fn put(&mut self, minute: i64, points: f32) {
        // A cast from float saturates.
        self.put_steps(minute, (points * STEPS_PER_POINT).round() as u16);
    }

    /// The same in steps.
    pub(crate) fn put_steps(&mut self, minute: i64, steps: u16) {
        self.maxima[slot(minute)] = steps;
    }

    /// The maximum of a minute of the last day, in steps.
    pub(crate) fn steps(&self, minute: i64) -> u16 {
        self.maxima[slot(minute)]
    }

    /// Yesterday, seen from the minute in progress; `None` until a day was seen.
    pub(crate) fn yesterday(&self, minute: i64) -> Option<Yesterday> {
        if minute.saturating_sub(DAY_MINUTES) <= self.begun {
            return None;
        }
        let now = minute - DAY;
        let most = |from: i64, to: i64| (from..=to).map(|at| self.at(now + at)).fold(0.0, larger);
        let after = most(1, 5);
        let around = larger(larger(self.at(now - 1), self.at(now)), larger(after, most(6, 8)));
        Some(Yesterday { then: self.at(now), before: most(-4, 0), after, around })
    }

    fn at(&self, minute: i64) -> f32 {
        f32::from(self.maxima[slot(minute)]) * (1.0 / STEPS_PER_POINT)
    }
}

fn slot(minute: i64) -> usize {
    minute.rem_euclid(SLOTS as i64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn yesterday_is_known_after_a_day_and_by_hand() {
        let mut day = Day::begin(0);
        for minute in 0..3_000 {
            let known = day.yesterday(minute);
            assert_eq!(known.is_some(), minute > DAY_MINUTES, "minute {minute}");
            if let Some(Yesterday { then, before, after, around }) = known {
                let then_minute = minute - DAY;
                let at = |minute: i64| (minute % 100) as f32;
                let most = |from: i64, to: i64| (then_minute + from..=then_minute + to).map(at).fold(0.0, f32::max);
                assert_eq!((then, before), (at(then_minute), most(-4, 0)));
                assert_eq!((after, around), (most(1, 5), most(-1, 8)));
            }
            day.put(minute, (minute % 100) as f32);
        }
    }

    #[test]
    fn a_load_beyond_measure_counts_as_the_largest() {
        let mut day = Day::begin(0);
        for minute in 0..=DAY_MINUTES {
            day.put(minute, 100_000.0);
        }
        assert!((day.yesterday(DAY_MINUTES + 1).unwrap().after - 1_310.7).abs() < 0.01);
    }

    proptest! {
        #[test]
        fn older_minutes_are_forgotten(
            loads in prop::collection::vec(0f32..120.0, SLOTS + 50..SLOTS + 200),
            from in 1i64..40,
        ) {
            let run = |from: i64| {
                let mut day = Day::begin(from);
                for (minute, load) in (0..).zip(&loads).skip(from as usize) {
                    day.put(minute, *load);
                }
                day.yesterday(loads.len() as i64)
            };
            let full = run(0);
            prop_assert!(full.is_some());
            prop_assert_eq!(full, run(from));
        }
    }
}
