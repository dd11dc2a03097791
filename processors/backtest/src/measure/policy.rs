//! Sums of what a policy did to one node.
//!
//! Two views: *in force*, where each sample is held against the quota that was in force when it was measured (the newest command
//! before it while its lease lasts, else the base quota); and *horizon*, where each decision is held against all samples of
//! its 5 minutes.

use crate::report::{PolicyReport, rounded};

/// Quotas and loads carry four decimals: a load on its quota is no violation.
const ROUNDING: f64 = 1e-7;
/// Time between two decisions beyond which nothing was decided, ms.
const LONGEST_STEP_MS: i64 = 3_600_000;
const HOUR_MS: f64 = 3_600_000.0;

/// Pairs of a decision and a sample of its horizon; quota and load as fractions of the base quota.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Pairs {
    count: u64,
    above: u64,
    unused: f64,
    shortfall: f64,
}

impl Pairs {
    fn add(&mut self, quota: f64, load: f64) {
        self.count += 1;
        self.above += u64::from(load > quota + ROUNDING);
        self.unused += (quota - load).max(0.0);
        self.shortfall += (load - quota).max(0.0);
    }

    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.above += other.above;
        self.unused += other.unused;
        self.shortfall += other.shortfall;
    }
}

/// The sums of one policy.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct PolicySums {
    pairs: Pairs,
    later_pairs: Pairs,
    samples: u64,
    above: u64,
    /// In resource units, over the samples: demand, what of it was under the quota in force, quota in force, base quota.
    demand: f64,
    served: f64,
    quota: f64,
    base: f64,
    changes: u64,
    decided_ms: i64,
}

impl PolicySums {
    /// A sample in the horizon of a decision; `later`: the decision came after its node's first day.
    pub(super) fn horizon(&mut self, quota: f64, load: f64, later: bool) {
        self.pairs.add(quota, load);
        if later {
            self.later_pairs.add(quota, load);
        }
    }

    /// A sample under the quota in force (a fraction of the base quota).
    pub(super) fn in_force(&mut self, quota: f64, load: f64, base: f64) {
        self.samples += 1;
        self.above += u64::from(load > quota + ROUNDING);
        self.demand += load * base;
        self.served += load.min(quota) * base;
        self.quota += quota * base;
        self.base += base;
    }

    /// A decision `passed_ms` after the one before, which changed the quota or did not.
    pub(super) fn decided(&mut self, passed_ms: i64, changed: bool) {
        if passed_ms <= LONGEST_STEP_MS {
            self.decided_ms += passed_ms.max(0);
        }
        self.changes += u64::from(changed);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.pairs.merge(&other.pairs);
        self.later_pairs.merge(&other.later_pairs);
        self.samples += other.samples;
        self.above += other.above;
        self.demand += other.demand;
        self.served += other.served;
        self.quota += other.quota;
        self.base += other.base;
        self.changes += other.changes;
        self.decided_ms += other.decided_ms;
    }

    /// Mean quota in force over the samples, × base quota.
    pub(super) fn mean_scale(&self) -> Option<f64> {
        (self.base > 0.0).then(|| self.quota / self.base)
    }

    /// The figures; `static_served` is what a constant quota of the same mean would have served, in resource units.
    pub(super) fn report(&self, name: &str, static_served: Option<f64>) -> PolicyReport {
        let share = |part: f64, whole: f64| (whole > 0.0).then(|| rounded(100.0 * part / whole));
        let percent = |part: u64, whole: u64| share(part as f64, whole as f64);
        PolicyReport {
            name: name.to_owned(),
            violations_percent: percent(self.above, self.samples),
            horizon_violations_percent: percent(self.pairs.above, self.pairs.count),
            horizon_violations_percent_after_first_day: percent(self.later_pairs.above, self.later_pairs.count),
            mean_unused: share(self.pairs.unused, self.pairs.count as f64),
            mean_shortfall: share(self.pairs.shortfall, self.pairs.count as f64),
            changes_per_node_hour: (self.decided_ms > 0)
                .then(|| rounded(self.changes as f64 * HOUR_MS / self.decided_ms as f64)),
            goodput_percent: share(self.served, self.demand),
            static_goodput_percent_at_equal_mean_quota: static_served.and_then(|s| share(s, self.demand)),
            mean_scale: self.mean_scale().map(rounded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        let mut sums = PolicySums::default();
        sums.horizon(0.7, 0.5, false);
        sums.horizon(0.7, 0.8, true);
        sums.in_force(1.0, 0.5, 100.0);
        sums.in_force(0.7, 0.8, 100.0);
        sums.decided(1_800_000, true);
        sums.decided(1_800_000, false);
        sums.decided(7_200_000, true);
        let report = sums.report("threshold", Some(120.0));
        assert_eq!(report.horizon_violations_percent, Some(50.0));
        assert_eq!(report.horizon_violations_percent_after_first_day, Some(100.0));
        assert_eq!((report.mean_unused, report.mean_shortfall), (Some(10.0), Some(5.0)));
        assert_eq!(report.violations_percent, Some(50.0));
        // 50 + 70 of 130 units.
        assert_eq!(report.goodput_percent, Some(92.3077));
        assert_eq!(report.static_goodput_percent_at_equal_mean_quota, Some(92.3077));
        assert_eq!(report.mean_scale, Some(0.85));
        // Two changes in the hour that was decided; the gap of two hours is none of it.
        assert_eq!(report.changes_per_node_hour, Some(2.0));
    }

    #[test]
    fn a_load_on_its_quota_is_no_violation() {
        let mut sums = PolicySums::default();
        sums.horizon(0.1 + 0.2, 0.3, false);
        sums.horizon(0.3, 0.1 + 0.2, false);
        assert_eq!(sums.report("p", None).horizon_violations_percent, Some(0.0));
    }
}
