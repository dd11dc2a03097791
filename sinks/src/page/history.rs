//! One node's recent past, thinned: the last 2 hours of event time in steps of 30 s.
//!
//! A report, forecast or command lands in the step of its event time. A step keeps the highest load of its reports, so
//! that thinning hides no peak, and the last forecast and quota.

use std::collections::VecDeque;

/// How much event time is kept, in milliseconds.
pub const SPAN_MS: i64 = 2 * 60 * 60 * 1000;
/// At most so many points are kept for a node.
pub const POINTS: usize = 240;
/// Width of one point in event time, in milliseconds.
pub const BUCKET_MS: i64 = SPAN_MS / POINTS as i64;

/// One step of the past; NaN stands for "not known". Loads, forecasts and quotas are fractions of the base quota.
#[derive(Debug, Clone, Copy)]
pub(super) struct Point {
    /// Start of the step, milliseconds since the epoch.
    pub(super) start: i64,
    pub(super) cpu: f32,
    pub(super) memory: f32,
    pub(super) p50: f32,
    pub(super) p90: f32,
    /// Quota that the node said it obeys.
    pub(super) in_force: f32,
    /// Quota by the latest command.
    pub(super) granted: f32,
}

impl Point {
    fn new(start: i64) -> Self {
        let unknown = f32::NAN;
        Self { start, cpu: unknown, memory: unknown, p50: unknown, p90: unknown, in_force: unknown, granted: unknown }
    }

    /// The quota to draw: what the node obeys or, where it does not say, what it was granted.
    pub(super) fn quota(&self) -> f32 {
        if self.in_force.is_nan() { self.granted } else { self.in_force }
    }

    /// The larger of CPU and memory; NaN where neither was measured.
    pub(super) fn load(&self) -> f32 {
        self.cpu.max(self.memory)
    }
}

/// The steps of one node, oldest first.
#[derive(Debug, Default)]
pub(super) struct History {
    points: VecDeque<Point>,
}

impl History {
    /// The step of event time `t` (milliseconds); `None` if it is older than the newest and was never begun.
    pub(super) fn at(&mut self, t: i64) -> Option<&mut Point> {
        let start = t.div_euclid(BUCKET_MS) * BUCKET_MS;
        if self.points.back().is_none_or(|newest| newest.start < start) {
            self.points.push_back(Point::new(start));
            while self.points.front().is_some_and(|oldest| oldest.start <= start - SPAN_MS) {
                self.points.pop_front();
            }
            return self.points.back_mut();
        }
        let found = self.points.binary_search_by_key(&start, |p| p.start).ok()?;
        self.points.get_mut(found)
    }

    /// All steps, oldest first.
    pub(super) fn points(&self) -> impl Iterator<Item = &Point> {
        self.points.iter()
    }

    /// Start of the oldest step kept.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.points.front().map(|p| p.start)
    }
}

/// `value` or, if it is not a number, nothing is changed in `kept`; otherwise the larger of the two.
pub(super) fn keep_highest(kept: &mut f32, value: Option<f64>) {
    if let Some(value) = value {
        *kept = kept.max(value as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_step_keeps_its_highest_load() {
        let mut history = History::default();
        for (t, cpu) in [(0, 0.2), (10_000, 0.9), (20_000, 0.4), (30_000, 0.1)] {
            keep_highest(&mut history.at(t).unwrap().cpu, Some(cpu));
        }
        let kept: Vec<_> = history.points().map(|p| (p.start, p.cpu)).collect();
        assert_eq!(kept, [(0, 0.9), (30_000, 0.1)]);
    }

    #[test]
    fn a_late_record_finds_its_step_or_none() {
        let mut history = History::default();
        history.at(0);
        history.at(90_000);
        assert_eq!(history.at(29_999).unwrap().start, 0);
        assert!(history.at(30_000).is_none(), "never begun, and older than the newest");
    }

    #[test]
    fn the_quota_drawn_is_the_nodes_word_before_the_command() {
        let mut point = Point::new(0);
        assert!(point.quota().is_nan());
        point.granted = 1.5;
        assert_eq!(point.quota(), 1.5);
        point.in_force = 1.2;
        assert_eq!(point.quota(), 1.2);
    }

    proptest! {
        #[test]
        fn never_more_than_its_share(times in proptest::collection::vec(0_i64..40_000_000, 1..800)) {
            let mut history = History::default();
            for t in times {
                history.at(t);
                let starts: Vec<_> = history.points().map(|p| p.start).collect();
                prop_assert!(starts.len() <= POINTS);
                prop_assert!(starts.is_sorted());
                prop_assert!(starts[starts.len() - 1] - starts[0] < SPAN_MS);
            }
        }
    }
}
