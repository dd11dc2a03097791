//! From use to a load report. Pure.

use tidegate_schemas::records::LoadReport;

use crate::error::ProducerError;

use super::rates::Usage;
use super::state::{InForce, Source};

/// Who reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Node id; not empty.
    pub node_id: String,
    /// Pool; empty: it stands alone.
    pub pool: String,
    /// What the whole capacity of this host counts as, in the resource units of its contract; above 0. Loads are shares
    /// of that capacity, whatever the unit.
    pub base_quota: f64,
    /// Time between reports by plan, ms.
    pub interval_ms: i64,
}

/// Writes the reports of one edge; sequences grow even where the clock goes back.
#[derive(Debug, Clone)]
pub struct Reporter {
    identity: Identity,
    last_sequence: i64,
}

impl Reporter {
    /// A reporter that has written nothing.
    ///
    /// # Errors
    /// [`ProducerError::Options`] names what of the identity cannot be.
    pub fn new(identity: Identity) -> Result<Self, ProducerError> {
        let Identity { node_id, base_quota, interval_ms, .. } = &identity;
        let wrong = |what: String| Err(ProducerError::Options(what));
        if node_id.is_empty() {
            return wrong("the node id is empty".into());
        }
        if !(base_quota.is_finite() && *base_quota > 0.0) {
            return wrong(format!("the base quota must be a finite number above 0, not {base_quota}"));
        }
        if *interval_ms < 1 {
            return wrong(format!("the interval must be at least 1 ms, not {interval_ms}"));
        }
        Ok(Self { identity, last_sequence: i64::MIN })
    }

    /// What the whole capacity counts as, resource units.
    #[must_use]
    pub fn base_quota(&self) -> f64 {
        self.identity.base_quota
    }

    /// The report of what is used at `now_ms` (Unix ms) under this quota. Shares are rounded to 1e-4, rates to whole bytes.
    pub fn report(&mut self, usage: &Usage, in_force: InForce, now_ms: i64) -> LoadReport {
        self.last_sequence = now_ms.max(self.last_sequence.saturating_add(1));
        let Identity { node_id, pool, base_quota, interval_ms } = &self.identity;
        let share = |value: f64| (value * 1e4).round() / 1e4;
        LoadReport {
            pool: pool.clone(),
            sequence: self.last_sequence,
            cpu: usage.cpu.map(share),
            memory: usage.memory.map(share),
            net_in: usage.net_in.map(f64::round),
            net_out: usage.net_out.map(f64::round),
            disk_io: usage.disk_io.map(f64::round),
            quota_in_force: (in_force.source != Source::Base).then_some(in_force.quota),
            quota_sequence: in_force.sequence,
            ..LoadReport::new(node_id.as_str(), now_ms, *interval_ms, *base_quota)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_valid_rounded_and_their_sequences_grow() {
        let identity = Identity { node_id: "a".into(), pool: "p".into(), base_quota: 4000.0, interval_ms: 10_000 };
        let mut reporter = Reporter::new(identity).unwrap();
        let usage = Usage { cpu: Some(0.123_456), net_in: Some(10.4), ..Usage::default() };
        let held = InForce { quota: 4800.0, sequence: Some(7), source: Source::Centre };
        let report = reporter.report(&usage, held, 1_000);
        assert_eq!(report.validate(), Ok(()));
        assert_eq!((report.cpu, report.memory, report.net_in), (Some(0.1235), None, Some(10.0)));
        assert_eq!((report.quota_in_force, report.quota_sequence), (Some(4800.0), Some(7)));
        let none = reporter.report(&usage, InForce { quota: 4000.0, sequence: None, source: Source::Base }, 900);
        assert_eq!((none.timestamp, none.sequence, none.quota_in_force), (900, 1_001, None));
        let alone = InForce { quota: 4400.0, sequence: None, source: Source::Local };
        let alone = reporter.report(&usage, alone, 2_000);
        assert_eq!((alone.quota_in_force, alone.quota_sequence), (Some(4400.0), None), "a quota of no command");
    }

    #[test]
    fn an_identity_that_cannot_be_is_refused() {
        let refused = |node_id: &str, base_quota, interval_ms| {
            let identity = Identity { node_id: node_id.into(), pool: String::new(), base_quota, interval_ms };
            Reporter::new(identity).unwrap_err().to_string()
        };
        assert_eq!(refused("", 1.0, 1), "the node id is empty");
        assert_eq!(refused("a", 0.0, 1), "the base quota must be a finite number above 0, not 0");
        assert_eq!(refused("a", 1.0, 0), "the interval must be at least 1 ms, not 0");
    }
}
