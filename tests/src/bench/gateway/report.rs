//! What the gateway's benchmark found, as a table and as one object. Field names of the object are an interface.

use std::fmt;

use serde::Serialize;

use super::edges::Found;
use super::{Costs, GatewayOptions};
use crate::bench::paced::{Latency, quantile};

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct GatewayReport {
    pub cores: usize,
    pub edges: u32,
    pub interval_s: u64,
    pub seconds: f64,
    /// CPU time over time.
    pub gateway_cores: f64,
    pub gateway_mib: f64,
    /// Of both stages, and of the process that plays the edges.
    pub stages_cores: f64,
    pub edges_cores: f64,
    /// From a report to its command, both at the edge.
    pub over_the_gateway: Latency,
    /// The same by clients of Kafka.
    pub straight: Latency,
    /// p99 over the gateway over that straight.
    pub p99_ratio: f64,
}

impl GatewayReport {
    pub(super) fn new(options: &GatewayOptions, costs: &Costs, mut found: Found, straight: Latency) -> Self {
        found.latencies_ms.sort_by(f64::total_cmp);
        let over_the_gateway = Latency {
            p50_ms: quantile(&found.latencies_ms, 0.5),
            p99_ms: quantile(&found.latencies_ms, 0.99),
            sent: found.sent,
            answered: found.latencies_ms.len() as u64,
        };
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            edges: options.edges,
            interval_s: options.interval,
            seconds: costs.seconds,
            gateway_cores: costs.gateway_cores,
            gateway_mib: costs.gateway_kib as f64 / 1024.0,
            stages_cores: costs.stages_cores,
            edges_cores: costs.edges_cores,
            p99_ratio: over_the_gateway.p99_ms / straight.p99_ms,
            over_the_gateway,
            straight,
        }
    }
}

impl fmt::Display for GatewayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, edges, interval_s, seconds, .. } = self;
        writeln!(
            f,
            "{edges} edges, a report every {interval_s} s each, {seconds:.0} s; all on {cores} cores with the broker"
        )?;
        writeln!(f, "gateway     {:.2} cores, {:.0} MiB resident", self.gateway_cores, self.gateway_mib)?;
        writeln!(f, "beside it   both stages {:.2} cores, the edges {:.2}", self.stages_cores, self.edges_cores)?;
        for (way, latency) in [("gateway", &self.over_the_gateway), ("straight", &self.straight)] {
            let Latency { p50_ms, p99_ms, sent, answered } = latency;
            writeln!(
                f,
                "{way:9}   report to command: p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms; {answered} of {sent} answered"
            )?;
        }
        writeln!(f, "p99 over the gateway is {:.2} × that straight over Kafka", self.p99_ratio)
    }
}
