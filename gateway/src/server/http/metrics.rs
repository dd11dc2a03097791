//! What the HTTP side shows on `/metrics`.

use prometheus::core::Collector;
use prometheus::{IntCounterVec, IntGauge, Opts};
use tidegate_broker::Registry;
use tidegate_otlp::code_name;
use tidegate_samples::Counts;

/// Requests and samples by what became of them.
#[derive(Debug, Clone)]
pub(crate) struct HttpMetrics {
    requests: IntCounterVec,
    calls: IntCounterVec,
    samples: IntCounterVec,
    scrapes: IntCounterVec,
    nodes: IntGauge,
    series: IntGauge,
}

impl HttpMetrics {
    /// Registers them.
    pub(crate) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let requests = "HTTP requests, by what they were and how they were answered";
        let calls = "OTLP's calls by gRPC, by what they were and how they were answered";
        let scrapes = "Reports that samples did not give, by why";
        let metrics = Self {
            requests: counters("tidegate_gateway_http_requests_total", requests, &["call", "status"])?,
            calls: counters("tidegate_gateway_otlp_grpc_calls_total", calls, &["call", "code"])?,
            samples: counters("tidegate_gateway_samples_total", "Samples, by what became of them", &["result"])?,
            scrapes: counters("tidegate_gateway_missed_reports_total", scrapes, &["reason"])?,
            nodes: IntGauge::new("tidegate_gateway_sampled_nodes", "Nodes that are known by samples")?,
            series: IntGauge::new("tidegate_gateway_sampled_series", "Series that are kept of them")?,
        };
        let all: [Box<dyn Collector>; 6] = [
            Box::new(metrics.requests.clone()),
            Box::new(metrics.calls.clone()),
            Box::new(metrics.samples.clone()),
            Box::new(metrics.scrapes.clone()),
            Box::new(metrics.nodes.clone()),
            Box::new(metrics.series.clone()),
        ];
        all.into_iter().try_for_each(|collector| registry.register(collector))?;
        Ok(metrics)
    }

    /// Counts an answer.
    pub(super) fn answered(&self, call: &str, status: u16) {
        self.requests.with_label_values(&[call, &status.to_string()]).inc();
    }

    /// Counts an answer over gRPC.
    pub(super) fn answered_grpc(&self, call: &str, code: i32) {
        self.calls.with_label_values(&[call, code_name(code)]).inc();
    }

    /// Counts a request's samples, and shows what is held since.
    pub(super) fn taken(&self, counts: &Counts, (nodes, series): (usize, usize)) {
        for (result, count) in counts.samples() {
            self.samples.with_label_values(&[result]).inc_by(count);
        }
        self.scrapes.with_label_values(&["incomplete"]).inc_by(counts.incomplete);
        self.scrapes.with_label_values(&["lost"]).inc_by(counts.reports_lost);
        self.nodes.set(i64::try_from(nodes).unwrap_or(i64::MAX));
        self.series.set(i64::try_from(series).unwrap_or(i64::MAX));
    }
}
