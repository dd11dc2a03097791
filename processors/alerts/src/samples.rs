//! The samples of one series of one node: as many as the rules can still ask for.

use std::collections::VecDeque;

/// Samples in the order of their event times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(VecDeque<(i64, f64)>);

impl Samples {
    /// Takes a sample; one that is not newer than the last is left out, as Prometheus does. Nobody will ask for what
    /// is older than the last sample at or before `since`.
    pub(crate) fn push(&mut self, at: i64, value: f64, since: i64) {
        if self.0.back().is_some_and(|(last, _)| *last >= at) {
            return;
        }
        self.0.push_back((at, value));
        while self.0.get(1).is_some_and(|(second, _)| *second <= since) {
            self.0.pop_front();
        }
    }

    /// The newest sample at or before `at`, unless it is older than `lookback`.
    pub(crate) fn newest(&self, at: i64, lookback: i64) -> Option<(i64, f64)> {
        let newest = self.0.iter().rev().find(|(t, _)| *t <= at)?;
        (newest.0 >= at - lookback).then_some(*newest)
    }

    /// The samples from `from` to `to`, both included.
    pub(crate) fn within(&self, from: i64, to: i64) -> impl ExactSizeIterator<Item = (i64, f64)> + Clone + '_ {
        let begin = self.0.partition_point(|(t, _)| *t < from);
        let end = self.0.partition_point(|(t, _)| *t <= to).max(begin);
        self.0.range(begin..end).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_still_be_asked_for_stays_and_no_more() {
        let mut samples = Samples::default();
        for i in 0..100 {
            samples.push(i * 10, i as f64, i * 10 - 50);
        }
        assert_eq!(samples.0.len(), 6, "five within the reach, and the one at its end");
        assert_eq!(samples.newest(985, 50), Some((980, 98.0)));
        assert_eq!(samples.newest(990, 0), Some((990, 99.0)));
        assert_eq!(samples.newest(1041, 50), None);
        assert_eq!(samples.within(950, 970).map(|(t, _)| t).collect::<Vec<_>>(), [950, 960, 970]);
        samples.push(990, 1.0, 0);
        samples.push(5, 1.0, 0);
        assert_eq!(samples.newest(2000, 2000), Some((990, 99.0)), "older ones are left out");
    }
}
