//! What a gateway shows on `/metrics`.

use prometheus::core::Collector;
use prometheus::{IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts};
use tidegate_broker::Registry;

/// Metrics of one gateway.
#[derive(Debug, Clone)]
pub(crate) struct GatewayMetrics {
    pub(crate) connections: IntGauge,
    pub(crate) streams: IntGaugeVec,
    pub(crate) batches: IntCounterVec,
    pub(crate) in_flight: IntGauge,
    pub(crate) records: IntCounterVec,
    pub(crate) refused: IntCounterVec,
    pub(crate) known_nodes: IntGauge,
    pub(crate) updates: IntCounter,
}

impl GatewayMetrics {
    /// Registers them.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, label: &str| IntCounterVec::new(Opts::new(name, help), &[label]);
        let metrics = Self {
            connections: IntGauge::new("tidegate_gateway_connections", "Connections of edges")?,
            streams: IntGaugeVec::new(Opts::new("tidegate_gateway_streams", "Streams of edges"), &["call"])?,
            batches: counters("tidegate_gateway_batches_total", "Batches of reports, by how they ended", "result")?,
            in_flight: IntGauge::new("tidegate_gateway_in_flight_batches", "Batches that wait for Kafka")?,
            records: counters("tidegate_gateway_records_total", "Records of edges, by what became of them", "result")?,
            refused: counters("tidegate_gateway_refused_total", "What was refused, by why", "reason")?,
            known_nodes: IntGauge::new("tidegate_gateway_known_nodes", "Nodes whose last quota command is held")?,
            updates: IntCounter::new("tidegate_gateway_quota_updates_total", "Quota commands sent to edges")?,
        };
        let all: [Box<dyn Collector>; 8] = [
            Box::new(metrics.connections.clone()),
            Box::new(metrics.streams.clone()),
            Box::new(metrics.batches.clone()),
            Box::new(metrics.in_flight.clone()),
            Box::new(metrics.records.clone()),
            Box::new(metrics.refused.clone()),
            Box::new(metrics.known_nodes.clone()),
            Box::new(metrics.updates.clone()),
        ];
        all.into_iter().try_for_each(|collector| registry.register(collector))?;
        Ok(metrics)
    }

    /// Counts something that was refused.
    pub(crate) fn refuse(&self, reason: &str) {
        self.refused.with_label_values(&[reason]).inc();
    }

    /// Counts a stream as long as the guard lives.
    pub(crate) fn stream(&self, call: &str) -> Counted {
        Counted::of(self.streams.with_label_values(&[call]))
    }
}

/// One more on a gauge until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(IntGauge);

impl Counted {
    pub(crate) fn of(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
