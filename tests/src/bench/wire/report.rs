//! What the wire's benchmark found, as a table and as one object. Field names of the object are an interface.

use std::fmt;

use serde::Serialize;

use super::WireOptions;
use crate::bench::paced::quantile;

/// The reference.
pub(super) const REFERENCE: &str = "JSON, a connection a request";
pub(super) const KEPT_ALIVE: &str = "JSON, kept alive";
pub(super) const OURS: &str = "tidegate's gateway";

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
pub struct WireReport {
    /// Milliseconds that the link takes each way.
    pub delay_ms: u64,
    /// Reports of each edge.
    pub rounds: u64,
    /// By nodes of an edge, and within that reference, kept alive, ours.
    pub ways: Vec<Way>,
    /// Ours beside both, by nodes of an edge.
    pub saved: Vec<Saved>,
}

/// One way.
#[derive(Debug, Clone, Serialize)]
pub struct Way {
    /// What it is.
    pub way: &'static str,
    /// Nodes of the edge.
    pub nodes: u64,
    /// Bytes of the connection's opening and the first time.
    pub opening_bytes: u64,
    /// Bytes each time that all nodes have reported, both ways, TLS included, TCP and IP not.
    pub bytes_each: f64,
    /// From the call to the acknowledgement, ms.
    pub p50_ms: f64,
    /// 99th percentile.
    pub p99_ms: f64,
}

/// What ours has less than another way, in percent of the other's.
#[derive(Debug, Clone, Serialize)]
pub struct Saved {
    /// The other way.
    pub than: &'static str,
    /// Nodes of the edge.
    pub nodes: u64,
    /// Of the bytes.
    pub bytes_percent: f64,
    /// Of the median latency.
    pub latency_percent: f64,
}

impl Way {
    pub(super) fn new(
        way: &'static str,
        nodes: u64,
        opening_bytes: u64,
        bytes: u64,
        mut latencies_ms: Vec<f64>,
    ) -> Self {
        latencies_ms.sort_by(f64::total_cmp);
        let bytes_each = bytes as f64 / latencies_ms.len() as f64;
        let (p50_ms, p99_ms) = (quantile(&latencies_ms, 0.5), quantile(&latencies_ms, 0.99));
        Self { way, nodes, opening_bytes, bytes_each, p50_ms, p99_ms }
    }
}

impl WireReport {
    pub(super) fn new(options: &WireOptions, ways: Vec<Way>) -> Self {
        let less = |ours: f64, other: f64| (1.0 - ours / other) * 100.0;
        let saved = |ours: &Way| {
            let others = ways.iter().filter(|other| other.nodes == ours.nodes && other.way != ours.way);
            let saved = others.map(|other| Saved {
                than: other.way,
                nodes: ours.nodes,
                bytes_percent: less(ours.bytes_each, other.bytes_each),
                latency_percent: less(ours.p50_ms, other.p50_ms),
            });
            saved.collect::<Vec<_>>()
        };
        let saved = ways.iter().filter(|way| way.way == OURS).flat_map(saved).collect();
        Self { delay_ms: options.delay, rounds: options.rounds, ways, saved }
    }
}

impl fmt::Display for WireReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ms each way, {} times, TLS everywhere; until Kafka has all\n", self.delay_ms, self.rounds)?;
        writeln!(
            f,
            "{:30} {:>5} {:>14} {:>12} {:>9} {:>9}",
            "WAY", "NODES", "OPENING BYTES", "BYTES EACH", "P50 MS", "P99 MS"
        )?;
        for Way { way, nodes, opening_bytes, bytes_each, p50_ms, p99_ms } in &self.ways {
            writeln!(f, "{way:30} {nodes:>5} {opening_bytes:>14} {bytes_each:>12.0} {p50_ms:>9.1} {p99_ms:>9.1}")?;
        }
        writeln!(f)?;
        for Saved { than, nodes, bytes_percent, latency_percent } in &self.saved {
            let nodes = if *nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
            writeln!(f, "{nodes}, beside {than}: {bytes_percent:.1} % fewer bytes, p50 {latency_percent:.1} % lower")?;
        }
        Ok(())
    }
}
