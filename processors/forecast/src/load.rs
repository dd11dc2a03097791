//! The values that go in and come out: samples of load, and forecasts of it.
//!
//! A report becomes a [`Sample`]; a model turns it, with the node's state, into a [`Prediction`]. Load is
//! always a fraction of the node's base quota (1.0 = all of it); event times are Unix milliseconds.

use serde::{Deserialize, Serialize};

/// How far a forecast looks ahead: 5 minutes, in milliseconds.
pub const HORIZON_MS: i64 = 300_000;

/// Minutes on the forecast path.
pub const PATH_MINUTES: usize = 5;

/// The largest load that is told apart, as a fraction of the base quota; more is taken as this much.
pub const MAX_LOAD: f32 = 1_000.0;

/// One load report of one node, as far as forecasting needs it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Event time, Unix milliseconds.
    pub timestamp_ms: i64,
    /// The node's report interval in milliseconds (10 s, 1 min, 5 min, …).
    pub interval_ms: i64,
    /// CPU load as a fraction of the base quota; `None`: not measured.
    pub cpu: Option<f32>,
    /// Memory load as a fraction of the base quota; `None`: not measured.
    pub memory: Option<f32>,
}

/// All reports of one node from one file, in order of event time.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The node's name.
    pub node_id: String,
    /// The file the reports came from; series of one source share the split by time.
    pub source: String,
    /// The reports, sorted by event time.
    pub samples: Vec<Sample>,
}

/// The two resources that are forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resource {
    /// Processor time.
    Cpu,
    /// Memory in use.
    Memory,
}

impl Resource {
    /// Both, in the order in which states and tensors are kept.
    pub const ALL: [Resource; 2] = [Resource::Cpu, Resource::Memory];

    /// The lower-case name used in artifacts and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Resource::Cpu => "cpu",
            Resource::Memory => "memory",
        }
    }

    /// This resource's load in a sample: `None` where it was not measured, or is no load at all
    /// (not finite, negative); capped at [`MAX_LOAD`].
    #[must_use]
    pub fn of(self, sample: &Sample) -> Option<f32> {
        let load = match self {
            Resource::Cpu => sample.cpu,
            Resource::Memory => sample.memory,
        };
        load.filter(|value| value.is_finite() && *value >= 0.0).map(|value| value.min(MAX_LOAD))
    }
}

/// Who made a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    /// The node's state has not seen a full context window yet: the baseline forecasts.
    Warming,
    /// The model forecasts.
    Ready,
    /// The model has been worse than the baseline, which forecasts instead. No forecast of this crate
    /// carries it yet.
    Demoted,
}

/// Two quantiles of the peak load over the next 5 minutes; fractions, 0 ≤ p50 ≤ p90, rounded to 1e-4.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quantiles {
    /// The median.
    pub p50: f32,
    /// The 0.9 quantile.
    pub p90: f32,
}

/// The forecast of one resource of one node; fractions of the base quota, ≥ 0, rounded to 1e-4.
///
/// A resource that was never measured (or not within a context window) has all zeros.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ResourceForecast {
    /// The load now: the report's value, or the last one where the report lacks it.
    pub current: f32,
    /// The load 1, 2, 3, 4 and 5 minutes from now.
    pub path: [f32; PATH_MINUTES],
    /// The maximum over the next 5 minutes.
    pub peak: Quantiles,
}

/// The answer to one report.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// Who made it. Ready only where every resource the node reports is.
    pub status: Status,
    /// CPU.
    pub cpu: ResourceForecast,
    /// Memory.
    pub memory: ResourceForecast,
    /// Event time of each resource's last measurement, Unix milliseconds, in the order of [`Resource::ALL`]; `None`
    /// where its forecast is all zeros.
    pub measured_ms: [Option<i64>; 2],
}

/// Rounds a fraction to 1e-4, the precision in which floats leave a stage.
pub(crate) fn round(fraction: f32) -> f32 {
    // In f64, so that the rounded decimal is hit from both sides of a tie alike.
    ((f64::from(fraction) * 1e4).round() / 1e4) as f32
}
