//! How good forecasts and quotas were, summed up while records pass: the demo's summary.
//!
//! ```text
//! LoadReport   ──┬─> violations: was the demand above the base quota, above the quota in force?
//!                └─> peaks: what came within 5 minutes ──┐
//! Forecast     ────> peaks: what was expected ───────────┴─> mean absolute errors, beside two baselines
//! QuotaCommand ────> counted
//! ```
//!
//! Pure. Records of a topic come in event-time order per node; topics may run ahead of one another by hours of event time
//! ([`SAMPLES_KEPT`] reports a node). Repetitions (a sequence at or below the node's last) are dropped. Memory: at most
//! [`NODES_SCORED`] nodes; further ones are counted but not judged.

mod peaks;
mod violations;

use std::collections::HashMap;

use serde::Serialize;
use tidegate_schemas::records::{Forecast, ForecastsByState, LoadReport, QuotaCommand};

pub use peaks::SAMPLES_KEPT;
use peaks::{Judge, Sums};
use violations::{Meter, Shares};

/// Nodes judged at most: the first ones seen.
pub const NODES_SCORED: usize = 10_000;

/// The sums so far.
#[derive(Debug, Default)]
pub struct Scorecard {
    nodes: HashMap<String, Node>,
    counts: Counts,
    by_state: ForecastsByState,
    peaks: Sums,
    shares: Shares,
}

#[derive(Debug)]
struct Node {
    report: i64,
    forecast: i64,
    command: i64,
    judge: Judge,
    meter: Meter,
}

impl Node {
    fn new() -> Self {
        Self {
            report: i64::MIN,
            forecast: i64::MIN,
            command: i64::MIN,
            judge: Judge::default(),
            meter: Meter::default(),
        }
    }
}

/// What passed, repetitions left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Valid load reports.
    pub reports: u64,
    /// Forecasts.
    pub forecasts: u64,
    /// Quota commands.
    pub quota_commands: u64,
    /// READY forecasts whose 5 minutes have passed and that were held against what came, by at least one resource.
    pub judged: u64,
    /// READY forecasts that could not be judged: the reports around them were missing or no longer known.
    pub unjudged: u64,
}

/// Mean absolute errors of the 5-minute peak in points of load (100 points: the base quota), all over the same forecasts;
/// `None`: there were none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Errors {
    /// Of the forecast peak (p50).
    pub model: Option<f64>,
    /// Of "it stays as it is".
    pub persistence: Option<f64>,
    /// Of "as high as in the last 5 minutes".
    pub max_last_5m: Option<f64>,
}

/// Errors by resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PeakError {
    /// CPU.
    pub cpu: Errors,
    /// Memory.
    pub memory: Errors,
}

/// Share of reports whose demand was above the quota, in percent; `None`: nothing can be said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ViolationsPercent {
    /// Had the quota always been the base quota.
    #[serde(rename = "static")]
    pub fixed: Option<f64>,
    /// Under the quota in force.
    pub tidegate: Option<f64>,
}

/// The summary; what is serialised are the fields of the demo's `--json` of the same names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Score {
    /// Forecasts by state.
    pub forecasts_by_state: ForecastsByState,
    /// Errors of the forecast peak.
    pub peak_error: PeakError,
    /// Demand above the quota.
    pub violations_percent: ViolationsPercent,
    /// What passed.
    #[serde(skip)]
    pub counts: Counts,
}

impl Scorecard {
    /// Takes a report; an invalid one (which becomes a dead letter elsewhere) is passed over.
    pub fn report(&mut self, report: &LoadReport) {
        if report.validate().is_err() {
            return;
        }
        if let Some(node) = place(&mut self.nodes, &report.node_id) {
            if report.sequence <= node.report {
                return;
            }
            node.report = report.sequence;
            node.judge.report(report, &mut self.peaks, &mut self.counts);
            node.meter.report(report, &mut self.shares);
        }
        self.counts.reports += 1;
    }

    /// Takes a forecast.
    pub fn forecast(&mut self, forecast: &Forecast) {
        if let Some(node) = place(&mut self.nodes, &forecast.node_id) {
            if forecast.sequence <= node.forecast {
                return;
            }
            node.forecast = forecast.sequence;
            node.judge.forecast(forecast, &mut self.peaks, &mut self.counts);
        }
        self.counts.forecasts += 1;
        self.by_state.count(forecast.state);
    }

    /// Takes a quota command.
    pub fn command(&mut self, command: &QuotaCommand) {
        if let Some(node) = place(&mut self.nodes, &command.node_id) {
            if command.sequence <= node.command {
                return;
            }
            node.command = command.sequence;
        }
        self.counts.quota_commands += 1;
    }

    /// Nodes seen, at most [`NODES_SCORED`].
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The summary so far; figures are rounded to three decimals.
    #[must_use]
    pub fn score(&self) -> Score {
        Score {
            forecasts_by_state: self.by_state,
            peak_error: self.peaks.means(),
            violations_percent: self.shares.percent(),
            counts: self.counts,
        }
    }
}

/// The node's place; `None` if it is new and there is no room.
fn place<'a>(nodes: &'a mut HashMap<String, Node>, id: &str) -> Option<&'a mut Node> {
    if !nodes.contains_key(id) && nodes.len() < NODES_SCORED {
        nodes.insert(id.to_owned(), Node::new());
    }
    nodes.get_mut(id)
}

/// Three decimals.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests;
