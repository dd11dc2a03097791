//! What the edge agent shows on `/metrics`.

use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};

use tidegate_broker::Registry;
use tidegate_schemas::records::{LoadReport, QuotaCommand};

use super::state::{Applied, EdgeState, Source};
use crate::error::ProducerError;

/// Metrics of one edge.
#[derive(Debug, Clone)]
pub struct EdgeMetrics {
    quota: Gauge,
    quota_sequence: IntGauge,
    valid_until: Gauge,
    load: GaugeVec,
    reports: IntCounter,
    commands: IntCounterVec,
    source: IntGaugeVec,
    runs: IntCounterVec,
}

impl EdgeMetrics {
    /// Registers the metrics: `tidegate_edge_quota`, `tidegate_edge_quota_sequence`, `tidegate_edge_quota_valid_until_seconds`,
    /// `tidegate_edge_load{resource}`, `tidegate_edge_reports_total`, `tidegate_edge_quota_commands_total{result}`,
    /// `tidegate_edge_quota_source{source}`, `tidegate_edge_on_change_total{result}`.
    ///
    /// # Errors
    /// [`ProducerError::Metrics`] where the registry has one of these names already.
    pub fn register(registry: &Registry) -> Result<Self, ProducerError> {
        let metrics = Self {
            quota: Gauge::new("tidegate_edge_quota", "Quota in force, in resource units")?,
            quota_sequence: IntGauge::new(
                "tidegate_edge_quota_sequence",
                "Sequence of the newest quota command; 0: none",
            )?,
            valid_until: Gauge::new(
                "tidegate_edge_quota_valid_until_seconds",
                "End of the newest command's lease, seconds since the Unix epoch; 0: none",
            )?,
            load: GaugeVec::new(
                Opts::new("tidegate_edge_load", "Load last reported, as a fraction of the base quota"),
                &["resource"],
            )?,
            reports: IntCounter::new("tidegate_edge_reports_total", "Load reports sent")?,
            commands: IntCounterVec::new(
                Opts::new(
                    "tidegate_edge_quota_commands_total",
                    "Quota commands received, by what became of them: changed, renewed, recommended, old, foreign, invalid",
                ),
                &["result"],
            )?,
            source: IntGaugeVec::new(
                Opts::new(
                    "tidegate_edge_quota_source",
                    "Who stands behind the quota in force, centre, hold, base or local: 1, the others 0",
                ),
                &["source"],
            )?,
            runs: IntCounterVec::new(
                Opts::new(
                    "tidegate_edge_on_change_total",
                    "Runs of the command on change, by how they ended: ok, failed, timeout",
                ),
                &["result"],
            )?,
        };
        registry.register(Box::new(metrics.quota.clone()))?;
        registry.register(Box::new(metrics.quota_sequence.clone()))?;
        registry.register(Box::new(metrics.valid_until.clone()))?;
        registry.register(Box::new(metrics.load.clone()))?;
        registry.register(Box::new(metrics.reports.clone()))?;
        registry.register(Box::new(metrics.commands.clone()))?;
        registry.register(Box::new(metrics.source.clone()))?;
        registry.register(Box::new(metrics.runs.clone()))?;
        Ok(metrics)
    }

    /// A report was sent.
    pub fn reported(&self, report: &LoadReport) {
        self.reports.inc();
        for (resource, load) in [("cpu", report.cpu), ("memory", report.memory)] {
            if let Some(load) = load {
                self.load.with_label_values(&[resource]).set(load);
            }
        }
    }

    /// A command came, and this became of it.
    pub fn commanded(&self, applied: Applied) {
        let result = match applied {
            Applied::Changed { .. } => "changed",
            Applied::Renewed => "renewed",
            Applied::Recommended { .. } => "recommended",
            Applied::Old => "old",
            Applied::Foreign => "foreign",
            Applied::Invalid => "invalid",
        };
        self.commands.with_label_values(&[result]).inc();
    }

    /// A run of the command on change ended so.
    pub fn ran(&self, result: &str) {
        self.runs.with_label_values(&[result]).inc();
    }

    /// Shows the state as of its last moment.
    pub fn show(&self, state: &EdgeState) {
        let in_force = state.in_force();
        self.quota.set(in_force.quota);
        for source in Source::ALL {
            self.source.with_label_values(&[source.name()]).set(i64::from(source == in_force.source));
        }
        let command = state.command();
        self.quota_sequence.set(command.map_or(0, |c: &QuotaCommand| c.sequence));
        self.valid_until.set(command.map_or(0.0, |c| c.valid_until as f64 / 1000.0));
    }
}

#[cfg(test)]
mod tests {
    use super::super::lease::Heard;
    use super::super::state::tests::{at, command, recommendation};
    use super::*;
    use prometheus::TextEncoder;

    #[test]
    fn the_metrics_show_quota_lease_and_load() {
        let registry = Registry::new();
        let metrics = EdgeMetrics::register(&registry).unwrap();
        let mut state = EdgeState::new("a", 1000.0);
        metrics.commanded(state.apply(command("a", 5_000, 1350.0), Heard::Live, at(5_000)));
        metrics.commanded(state.apply(command("a", 5_000, 1350.0), Heard::Live, at(5_000)));
        let mut report = LoadReport::new("a", 5_000, 10_000, 1000.0);
        report.cpu = Some(0.5);
        metrics.reported(&report);
        metrics.ran("ok");
        metrics.show(&state);
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            "tidegate_edge_quota 1350",
            "tidegate_edge_quota_sequence 5000",
            "tidegate_edge_quota_valid_until_seconds 65",
            "tidegate_edge_load{resource=\"cpu\"} 0.5",
            "tidegate_edge_reports_total 1",
            "tidegate_edge_quota_commands_total{result=\"changed\"} 1",
            "tidegate_edge_quota_commands_total{result=\"old\"} 1",
            "tidegate_edge_quota_source{source=\"centre\"} 1",
            "tidegate_edge_quota_source{source=\"base\"} 0",
            "tidegate_edge_on_change_total{result=\"ok\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("memory"), "what was not measured is not shown");
        state.settle(at(65_001));
        metrics.show(&state);
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        assert!(text.lines().any(|l| l == "tidegate_edge_quota 1000"), "the lease is over");
        metrics.commanded(state.apply(recommendation("a", 66_000, 1350.0), Heard::Live, at(66_000)));
        metrics.show(&state);
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in ["tidegate_edge_quota 1000", "tidegate_edge_quota_commands_total{result=\"recommended\"} 1"] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(matches!(EdgeMetrics::register(&registry), Err(ProducerError::Metrics(_))));
    }
}
