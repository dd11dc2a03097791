//! What an edge's link shows on `/metrics`.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry};
use tidegate_producers::edge::BreakerState;

/// Metrics of one link.
#[derive(Debug, Clone)]
pub(super) struct LinkMetrics {
    breaker: IntGaugeVec,
    transitions: IntCounterVec,
    attempts: IntCounterVec,
    reports: IntCounterVec,
    pub(super) connected: IntGauge,
    waiting: IntGauge,
    spooled: IntGauge,
    spooled_bytes: IntGauge,
}

impl LinkMetrics {
    /// Registers them.
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let breaker = Opts::new("tidegate_edge_breaker_state", "State of the circuit breaker: 1, the others 0");
        let metrics = Self {
            breaker: IntGaugeVec::new(breaker, &["state"])?,
            transitions: counters("tidegate_edge_breaker_transitions_total", "Changes of the breaker's state", "to")?,
            attempts: counters(
                "tidegate_edge_link_attempts_total",
                "Attempts to reach a gateway, by outcome",
                "result",
            )?,
            reports: counters("tidegate_edge_link_reports_total", "Reports, by what became of them", "result")?,
            connected: IntGauge::new("tidegate_edge_link_connected", "Whether a gateway serves this edge")?,
            waiting: IntGauge::new(
                "tidegate_edge_link_waiting_reports",
                "Reports in memory that no gateway acknowledged",
            )?,
            spooled: IntGauge::new("tidegate_edge_spool_reports", "Reports on disk that no gateway has acknowledged")?,
            spooled_bytes: IntGauge::new("tidegate_edge_spool_bytes", "Bytes of the reports on disk")?,
        };
        let all: [Box<dyn Collector>; 8] = [
            Box::new(metrics.breaker.clone()),
            Box::new(metrics.transitions.clone()),
            Box::new(metrics.attempts.clone()),
            Box::new(metrics.reports.clone()),
            Box::new(metrics.connected.clone()),
            Box::new(metrics.waiting.clone()),
            Box::new(metrics.spooled.clone()),
            Box::new(metrics.spooled_bytes.clone()),
        ];
        all.into_iter().try_for_each(|collector| registry.register(collector))?;
        metrics.state(BreakerState::Closed);
        Ok(metrics)
    }

    fn state(&self, now: BreakerState) {
        for state in BreakerState::ALL {
            self.breaker.with_label_values(&[state.name()]).set(i64::from(state == now));
        }
    }

    /// The breaker changed its state.
    pub(super) fn changed(&self, to: BreakerState) {
        self.state(to);
        self.transitions.with_label_values(&[to.name()]).inc();
    }

    /// An attempt ended so.
    pub(super) fn attempted(&self, result: &str) {
        self.attempts.with_label_values(&[result]).inc();
    }

    /// So many reports wait in memory; so many, of so many bytes, on disk.
    pub(super) fn waiting(&self, in_memory: usize, (on_disk, bytes): (u64, u64)) {
        self.waiting.set(i64::try_from(in_memory).unwrap_or(i64::MAX));
        self.spooled.set(i64::try_from(on_disk).unwrap_or(i64::MAX));
        self.spooled_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// That became of so many reports.
    pub(super) fn reported(&self, result: &str, count: usize) {
        self.reports.with_label_values(&[result]).inc_by(count as u64);
    }
}
