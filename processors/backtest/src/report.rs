//! The figures of a run, as they stand in `--json`. Errors and unused capacity are in points (1 point = 0.01 of the base
//! quota), rounded to 1e-4; `null` (`None`): nothing was measured.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_schemas::records::ForecastsByState;

/// Everything about one run under one policy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Nodes with a decision in the measured part.
    pub nodes: usize,
    /// Decisions in the measured part.
    pub reports: u64,
    /// The most common report interval, ms.
    pub interval_ms: i64,
    /// Decisions by who forecast.
    pub states: ForecastsByState,
    /// Errors of the forecasts as published, warming nodes left out.
    pub forecast: ByResource,
    /// Errors of the simple forecasts over the same reports.
    pub baselines: ByForecaster,
    /// What the policy did.
    pub policy: PolicyReport,
    /// Errors of the forecasts as published, warming nodes included.
    pub forecast_all_states: ByResource,
    /// The model that forecast.
    pub model: String,
    /// Resource that counts: `max`, `cpu` or `memory`.
    pub resource: String,
    /// First event time measured, Unix ms.
    pub from_ms: Option<i64>,
    /// Last event time, Unix ms.
    pub to_ms: Option<i64>,
    /// Reports by interval in ms.
    pub intervals_ms: BTreeMap<i64, u64>,
    /// What the linear regression learned from.
    pub linear: LinearReport,
    /// Records that led to no decision, by why, over the whole file.
    pub dropped: BTreeMap<String, u64>,
    /// The same by node, the one with most violations of its horizon first.
    pub by_node: Vec<NodeReport>,
}

/// Errors of one forecaster.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ByResource {
    /// Of CPU.
    pub cpu: ForecastErrors,
    /// Of memory.
    pub memory: ForecastErrors,
}

/// Errors of the simple forecasts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ByForecaster {
    /// It stays as it is.
    pub persistence: ByResource,
    /// It peaks where the last 5 minutes did.
    pub max_last_5m: ByResource,
    /// It returns to its weighted mean.
    pub ewma: ByResource,
    /// Linear regression on window statistics.
    pub linear: ByResource,
}

/// Errors of one forecaster on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ForecastErrors {
    /// The peak over the next 5 minutes.
    pub peak: PeakErrors,
    /// The path at +5 minutes.
    pub at_5m: MeanError,
    /// Forecasts counted: not warming, with a known outcome.
    pub rows: u64,
}

/// Errors of the peak.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct PeakErrors {
    /// Mean absolute error of the median, points.
    pub mae: Option<f64>,
    /// Pinball loss of the median, points.
    pub pinball_q50: Option<f64>,
    /// Pinball loss of the 0.9 quantile, points.
    pub pinball_q90: Option<f64>,
    /// Share of peaks at or below the 0.9 quantile, 0 to 1.
    pub coverage_q90: Option<f64>,
    /// Share of peaks at or below the median, 0 to 1.
    pub coverage_q50: Option<f64>,
}

/// One mean error.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct MeanError {
    /// Mean absolute error, points.
    pub mae: Option<f64>,
}

/// What a policy did over the measured part.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct PolicyReport {
    /// Its name, or what it was called in a comparison.
    pub name: String,
    /// Share of samples above the quota then in force, %.
    pub violations_percent: Option<f64>,
    /// Share of samples within 5 minutes of a decision above the quota then decided, %.
    pub horizon_violations_percent: Option<f64>,
    /// The same over decisions later than 24 hours after their node's first report, %.
    pub horizon_violations_percent_after_first_day: Option<f64>,
    /// Mean of max(quota − load, 0) over those samples, points.
    pub mean_unused: Option<f64>,
    /// Mean of max(load − quota, 0) over those samples, points.
    pub mean_shortfall: Option<f64>,
    /// Commands that changed the quota, a node and hour.
    pub changes_per_node_hour: Option<f64>,
    /// Of the demanded load, the share under the quota in force, %.
    pub goodput_percent: Option<f64>,
    /// The same had every node had a constant multiple of its base quota, of the same mean over the fleet, %.
    pub static_goodput_percent_at_equal_mean_quota: Option<f64>,
    /// Mean quota in force, × base quota.
    pub mean_scale: Option<f64>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub node_id: String,
    /// Its decisions in the measured part.
    pub reports: u64,
    /// By who forecast.
    pub states: ForecastsByState,
    /// Errors of its forecasts.
    pub forecast: ByResource,
    /// What the policy did.
    pub policy: PolicyReport,
}

/// What the linear regression learned from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LinearReport {
    /// Rows of CPU; fewer than 500: it stands for the peak of the last 5 minutes.
    pub cpu_rows: u64,
    /// Rows of memory.
    pub memory_rows: u64,
    /// Where they came from: `before from`, `fit file` or `what came before each forecast`.
    pub learned_from: String,
}

/// Rounds to 1e-4.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}
