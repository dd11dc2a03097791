//! What an edge's link shows on `/metrics`: the link itself, and what waits for it.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGauge, IntGaugeVec, Opts};
use tidegate_broker::Registry;
use tidegate_producers::edge::BreakerState;

/// Metrics of one link.
#[derive(Debug, Clone)]
pub(crate) struct LinkMetrics {
    breaker: IntGaugeVec,
    transitions: IntCounterVec,
    attempts: IntCounterVec,
    pub(super) connected: IntGauge,
}

impl LinkMetrics {
    /// Registers them.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let breaker = Opts::new("tidegate_edge_breaker_state", "State of the circuit breaker: 1, the others 0");
        let metrics = Self {
            breaker: IntGaugeVec::new(breaker, &["state"])?,
            transitions: counters("tidegate_edge_breaker_transitions_total", "Changes of the breaker's state", "to")?,
            attempts: counters(
                "tidegate_edge_link_attempts_total",
                "Attempts to reach a gateway, by outcome",
                "result",
            )?,
            connected: IntGauge::new("tidegate_edge_link_connected", "Whether a gateway serves this edge")?,
        };
        let all: [Box<dyn Collector>; 4] = [
            Box::new(metrics.breaker.clone()),
            Box::new(metrics.transitions.clone()),
            Box::new(metrics.attempts.clone()),
            Box::new(metrics.connected.clone()),
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
}

/// Metrics of what waits for a gateway.
#[derive(Debug, Clone)]
pub(crate) struct StoreMetrics {
    records: IntCounterVec,
    waiting: IntGauge,
    spooled: IntGauge,
    spooled_bytes: IntGauge,
}

impl StoreMetrics {
    /// Registers those of `reports` or `spans`.
    pub(crate) fn register(registry: &Registry, what: &str) -> Result<Self, prometheus::Error> {
        let gauge = |name: String, help: String| IntGauge::new(name, help);
        let (total, help) = (format!("tidegate_edge_link_{what}_total"), format!("Of {what}, by what became of them"));
        let metrics = Self {
            records: counters(&total, &help, "result")?,
            waiting: gauge(
                format!("tidegate_edge_link_waiting_{what}"),
                format!("In memory, {what} that no gateway acknowledged"),
            )?,
            spooled: gauge(
                format!("tidegate_edge_spool_{what}"),
                format!("On disk, {what} that no gateway acknowledged"),
            )?,
            spooled_bytes: gauge(
                if what == "reports" {
                    "tidegate_edge_spool_bytes".into()
                } else {
                    format!("tidegate_edge_spool_{what}_bytes")
                },
                format!("Bytes of the {what} on disk"),
            )?,
        };
        for result in ["acknowledged", "set_aside", "dropped"] {
            metrics.records.with_label_values(&[result]);
        }
        let all: [Box<dyn Collector>; 4] = [
            Box::new(metrics.records.clone()),
            Box::new(metrics.waiting.clone()),
            Box::new(metrics.spooled.clone()),
            Box::new(metrics.spooled_bytes.clone()),
        ];
        all.into_iter().try_for_each(|collector| registry.register(collector))?;
        Ok(metrics)
    }

    /// So many wait in memory; so many, of so many bytes, on disk.
    pub(super) fn waiting(&self, in_memory: usize, (on_disk, bytes): (u64, u64)) {
        self.waiting.set(i64::try_from(in_memory).unwrap_or(i64::MAX));
        self.spooled.set(i64::try_from(on_disk).unwrap_or(i64::MAX));
        self.spooled_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// That became of so many.
    pub(super) fn became(&self, result: &str, count: usize) {
        self.records.with_label_values(&[result]).inc_by(count as u64);
    }
}

fn counters(name: &str, help: &str, label: &str) -> Result<IntCounterVec, prometheus::Error> {
    IntCounterVec::new(Opts::new(name, help), &[label])
}
