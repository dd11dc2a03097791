//! [`Forecast`]: the load of one node over the 5 minutes after a report.

use serde::{Deserialize, Serialize};

use super::Cause;

/// Load at one moment, fractions of the base quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Load {
    pub cpu: f64,
    pub memory: f64,
}

/// Event time of each resource's last measurement in ms since the epoch; 0: none within an hour, or unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct MeasuredAt {
    pub cpu: i64,
    pub memory: i64,
}

/// Two quantiles of one forecast, fractions of the base quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Quantiles {
    pub p50: f64,
    pub p90: f64,
}

/// Who forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ForecastState {
    /// Too little was seen: a baseline forecasts.
    #[default]
    Warming,
    /// The model forecasts.
    Ready,
    /// The model was worse than the baseline, which forecasts.
    Demoted,
}

impl ForecastState {
    /// The state as it stands in records and in `--json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Warming => "WARMING",
            Self::Ready => "READY",
            Self::Demoted => "DEMOTED",
        }
    }
}

/// Numbers of forecasts by state, as they stand in `--json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ForecastsByState {
    /// Too little was seen: the baseline forecast.
    #[serde(rename = "WARMING")]
    pub warming: u64,
    /// The model forecast.
    #[serde(rename = "READY")]
    pub ready: u64,
    /// The model had been worse than the baseline, which forecast.
    #[serde(rename = "DEMOTED")]
    pub demoted: u64,
}

impl ForecastsByState {
    /// Counts one more.
    pub fn count(&mut self, state: ForecastState) {
        match state {
            ForecastState::Warming => self.warming += 1,
            ForecastState::Ready => self.ready += 1,
            ForecastState::Demoted => self.demoted += 1,
        }
    }
}

impl std::ops::AddAssign for ForecastsByState {
    fn add_assign(&mut self, other: Self) {
        self.warming += other.warming;
        self.ready += other.ready;
        self.demoted += other.demoted;
    }
}

/// One forecast; fields, units and defaults in `avro/forecast_v3.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Forecast {
    pub node_id: String,
    pub pool: String,
    pub timestamp: i64,
    pub sequence: i64,
    pub base_quota: f64,
    pub quota_in_force: Option<f64>,
    pub quota_sequence: Option<i64>,
    pub requests_total: Option<i64>,
    pub requests_failed_total: Option<i64>,
    pub current: Load,
    pub measured_at: MeasuredAt,
    pub path_cpu: Vec<f64>,
    pub path_memory: Vec<f64>,
    pub peak_cpu: Quantiles,
    pub peak_memory: Quantiles,
    pub state: ForecastState,
    pub model: String,
    pub cause: Cause,
}

super::record!(Forecast);
