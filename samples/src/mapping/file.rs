//! The text of a mapping.
//!
//! ```toml
//! replica_labels = ["prometheus_replica", "__replica__"]
//! [[node]]
//! id = "{instance|host}"
//! [[node.series]]
//! is = "cpu_used"
//! metric = "node_cpu_seconds_total"
//! without = { mode = ["idle", "iowait"] }
//! as = "rate"
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use super::matcher::Values;
use crate::buckets::BucketTable;

/// A file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Labels by which the replicas of one Prometheus differ.
    #[serde(default = "replica_labels")]
    pub(super) replica_labels: Vec<String>,
    /// Seconds of silence after which another replica is believed.
    failover_s: Option<u32>,
    #[serde(default)]
    pub(super) node: Vec<NodeTable>,
    #[serde(default)]
    pub(super) bucket: Vec<BucketTable>,
}

/// A kind of node.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NodeTable {
    pub(super) id: String,
    pub(super) pool: Option<String>,
    pub(super) base_quota: Option<f64>,
    pub(super) interval_s: Option<u32>,
    pub(super) series: Vec<SeriesTable>,
}

/// A rule: which series, and what they are. The values of all that fit are added up.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeriesTable {
    pub(crate) is: Measure,
    pub(crate) metric: String,
    #[serde(default)]
    with: BTreeMap<String, Values>,
    #[serde(default)]
    without: BTreeMap<String, Values>,
    #[serde(default, rename = "as")]
    pub(crate) reading: Reading,
    #[serde(default = "one")]
    pub(crate) scale: f64,
}

/// What a series is to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// CPU as a fraction of the base quota.
    Cpu,
    /// CPU in use, in the unit of its capacity (cores).
    CpuUsed,
    /// CPU that there is.
    CpuCapacity,
    /// Memory as a fraction.
    Memory,
    /// Memory in use, in the unit of its capacity.
    MemoryUsed,
    /// Memory that is not in use.
    MemoryAvailable,
    /// Memory that there is.
    MemoryCapacity,
    /// Base quota, in resource units; without it, the CPU capacity in thousandths.
    BaseQuota,
    /// Bytes received a second.
    NetIn,
    /// Bytes sent a second.
    NetOut,
    /// Bytes read and written a second.
    DiskIo,
    /// Counter of requests.
    Requests,
    /// Counter of those that failed.
    RequestsFailed,
}

/// How a series' samples become a value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// As they are.
    #[default]
    Value,
    /// Of a counter: its growth a second.
    Rate,
    /// Each series counts 1.
    Count,
}

impl Measure {
    /// Whether every report waits for its series; capacities may come more rarely.
    pub(crate) fn is_moving(self) -> bool {
        !matches!(self, Self::CpuCapacity | Self::MemoryCapacity | Self::BaseQuota)
    }

    /// Whether it counts since a beginning, whatever `as` says.
    pub(crate) fn is_total(self) -> bool {
        matches!(self, Self::Requests | Self::RequestsFailed)
    }
}

impl SeriesTable {
    pub(super) fn fits(&self, labels: &crate::Labels<'_>) -> bool {
        let has = |(name, values): (&String, &Values)| values.has(labels.get(name).unwrap_or_default());
        self.with.iter().all(has) && !self.without.iter().any(has)
    }
}

impl File {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map(|s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            line.map_or_else(|| e.message().to_owned(), |line| format!("line {line}: {}", e.message()))
        })?;
        if file.node.is_empty() && file.bucket.is_empty() {
            return Err("it has no [[node]] and no [[bucket]]".into());
        }
        for table in &file.node {
            let bad = |number: f64| !(number.is_finite() && number > 0.0);
            if table.base_quota.is_some_and(bad) || table.series.iter().any(|rule| bad(rule.scale)) {
                return Err(format!("the node {:?}: base_quota and scale want finite numbers above 0", table.id));
            }
            if table.interval_s == Some(0) {
                return Err(format!("the node {:?}: interval_s wants at least 1", table.id));
            }
        }
        Ok(file)
    }

    pub(super) fn failover_ms(&self) -> i64 {
        i64::from(self.failover_s.unwrap_or(30)) * 1000
    }
}

fn replica_labels() -> Vec<String> {
    ["__replica__", "prometheus_replica"].map(str::to_owned).into()
}

fn one() -> f64 {
    1.0
}
