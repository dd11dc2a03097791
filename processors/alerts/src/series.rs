//! The series that rules may ask for, and what of a report each takes.

use crate::expr::LOOKBACK_MS;

/// A series of a node. Its labels are `node`, `pool` where the node has one, and what [`Series::label`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "ABOUT says what each is")]
pub enum Series {
    CpuUsage,
    MemoryUsage,
    Load,
    BaseQuota,
    Quota,
    QuotaMax,
    PeakP50,
    PeakP90,
    Warming,
    Ready,
    Demoted,
    RequestsTotal,
    RequestsFailedTotal,
    LastReport,
}

/// A node that has been silent for longer is forgotten, unless an alert of it fires.
pub const SILENCE_MS: i64 = 3_600_000;

/// Number of series.
pub const SERIES: usize = 14;

/// Each series with its metric name and what it is.
pub const ABOUT: [(Series, &str, &str); SERIES] = [
    (Series::CpuUsage, "node_cpu_usage", "CPU in use, fraction of the base quota"),
    (Series::MemoryUsage, "node_memory_usage", "memory in use, fraction of the base quota"),
    (Series::Load, "node_load", "the larger of both, fraction of the base quota"),
    (Series::BaseQuota, "node_base_quota", "base quota, resource units"),
    (Series::Quota, "node_quota", "quota in force by the report, resource units"),
    (Series::QuotaMax, "node_quota_max", "largest quota that the settings allow, resource units"),
    (Series::PeakP50, "node_forecast_peak", "forecast peak of the next 5 minutes, fraction of the base quota"),
    (Series::PeakP90, "node_forecast_peak", "forecast peak of the next 5 minutes, fraction of the base quota"),
    (Series::Warming, "node_forecast_state", "1 in the state that its label names, else 0"),
    (Series::Ready, "node_forecast_state", "1 in the state that its label names, else 0"),
    (Series::Demoted, "node_forecast_state", "1 in the state that its label names, else 0"),
    (Series::RequestsTotal, "requests_total", "counter of requests"),
    (Series::RequestsFailedTotal, "requests_failed_total", "counter of failed requests"),
    (Series::LastReport, "node_last_report_timestamp_seconds", "event time of the node's last report"),
];

/// Values of one report, by series; `None`: the report does not have it.
pub type Readings = [Option<f64>; SERIES];

impl Series {
    /// All series of a metric name, in the order of their labels.
    pub(crate) fn named(metric: &str) -> Vec<Self> {
        ABOUT.iter().filter(|(_, name, _)| *name == metric).map(|(series, ..)| *series).collect()
    }

    /// How long its last sample counts.
    pub(crate) fn lookback_ms(self) -> i64 {
        match self {
            Self::LastReport => SILENCE_MS,
            _ => LOOKBACK_MS,
        }
    }

    /// The metric name.
    #[must_use]
    pub fn name(self) -> &'static str {
        ABOUT[self as usize].1
    }

    /// The label that tells it from others of its name, with its value.
    #[must_use]
    pub fn label(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::PeakP50 => Some(("quantile", "0.5")),
            Self::PeakP90 => Some(("quantile", "0.9")),
            Self::Warming => Some(("state", "WARMING")),
            Self::Ready => Some(("state", "READY")),
            Self::Demoted => Some(("state", "DEMOTED")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_series() {
        for (at, (series, ..)) in ABOUT.iter().enumerate() {
            assert_eq!(*series as usize, at);
        }
        assert_eq!(Series::named("node_forecast_peak"), [Series::PeakP50, Series::PeakP90]);
    }
}
