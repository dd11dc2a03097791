//! What was measured, as a table and as one object. Field names of the object are an interface.

use std::fmt;

use serde::Serialize;

use super::{AlertsOptions, Counted};

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct AlertsReport {
    pub nodes: u64,
    pub reports: u64,
    pub alerts: u64,
    pub evaluations: u64,
    /// Reports a second of one core's time.
    pub reports_per_core_s: f64,
    /// The reference: records decoded a second of one core's time.
    pub decoded_per_core_s: f64,
    /// Rate of the stage over that of the reference.
    pub ratio: f64,
    pub record_bytes: f64,
    /// Growth of the process over the nodes.
    pub bytes_per_node: f64,
}

impl AlertsReport {
    pub(super) fn new(options: &AlertsOptions, counted: &Counted, alerts: u64, evaluations: u64, grown: u64) -> Self {
        let reports = counted.reports as f64;
        Self {
            nodes: options.nodes,
            reports: counted.reports,
            alerts,
            evaluations,
            reports_per_core_s: reports / counted.stage_seconds,
            decoded_per_core_s: reports / counted.decode_seconds,
            ratio: counted.decode_seconds / counted.stage_seconds,
            record_bytes: counted.bytes as f64 / reports,
            bytes_per_node: grown as f64 / options.nodes as f64,
        }
    }
}

impl fmt::Display for AlertsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nodes, reports, alerts, evaluations, .. } = self;
        writeln!(
            f,
            "{reports} reports of {nodes} nodes, the shipped rules: {evaluations} evaluations, {alerts} alerts told\n"
        )?;
        writeln!(f, "one core's time                    a second   µs each")?;
        for (name, rate) in [("alerts stage", self.reports_per_core_s), ("bare decoding", self.decoded_per_core_s)] {
            writeln!(f, "{name:<30} {rate:>12.0} {:>9.2}", 1e6 / rate)?;
        }
        writeln!(f, "ratio to the bare decoding of records of {:.0} bytes: {:.2}", self.record_bytes, self.ratio)?;
        writeln!(f, "memory: {:.0} bytes a node", self.bytes_per_node)
    }
}
