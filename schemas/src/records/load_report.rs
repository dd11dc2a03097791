//! [`LoadReport`]: what an edge measured, and what makes a report invalid.

use serde::{Deserialize, Serialize};

/// One load report of one node; fields, units and defaults in `avro/load_report.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct LoadReport {
    pub node_id: String,
    pub pool: String,
    pub timestamp: i64,
    pub sequence: i64,
    pub interval_ms: i64,
    pub cpu: Option<f64>,
    pub memory: Option<f64>,
    pub net_in: Option<f64>,
    pub net_out: Option<f64>,
    pub disk_io: Option<f64>,
    pub requests_total: Option<i64>,
    pub requests_failed_total: Option<i64>,
    pub base_quota: f64,
    pub quota_in_force: Option<f64>,
    pub quota_sequence: Option<i64>,
}

super::record!(LoadReport);

/// Why a report is set aside. [`InvalidReport::class`] names the error of its dead letter.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReport {
    /// Nobody to give a quota to.
    #[error("the node id is empty")]
    EmptyNodeId,
    /// A name that would make what follows from it too large for its topic.
    #[error("{field} has {bytes} bytes; at most {MOST_NAME_BYTES} are allowed")]
    NameTooLong {
        /// Field of the report.
        field: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// The key names another node: its partition would be wrong.
    #[error("the record's key is not the node id {0:?}")]
    KeyMismatch(String),
    /// A measured value is NaN, infinite or negative.
    #[error("{field} is {value}; it must be a finite number of at least 0")]
    BadNumber {
        /// Field of the report.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// Without a positive base quota there is nothing that load could be a fraction of.
    #[error("base_quota is {0}; it must be a finite number above 0")]
    BadBaseQuota(f64),
    /// The event time is before the Unix epoch.
    #[error("the event time {0} is before the Unix epoch")]
    BadTimestamp(i64),
    /// The edge's clock is ahead of the log.
    #[error(
        "the event time is {ahead_ms} ms ahead of the record's Kafka timestamp; at most {allowed_ms} ms are allowed"
    )]
    ClockAhead {
        /// By how much.
        ahead_ms: i64,
        /// What is allowed.
        allowed_ms: i64,
    },
}

impl InvalidReport {
    /// Stable name for the `error.class` header.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::EmptyNodeId => "empty-node-id",
            Self::NameTooLong { .. } => "name-too-long",
            Self::KeyMismatch(_) => "key-mismatch",
            Self::BadNumber { .. } => "bad-number",
            Self::BadBaseQuota(_) => "bad-base-quota",
            Self::BadTimestamp(_) => "bad-timestamp",
            Self::ClockAhead { .. } => "clock-ahead",
        }
    }
}

/// Largest node id and pool name, in bytes of UTF-8.
pub(super) const MOST_NAME_BYTES: usize = 255;

/// How far an event time may be ahead of the record's Kafka timestamp, in milliseconds.
pub const CLOCK_AHEAD_ALLOWED_MS: i64 = 60_000;

impl LoadReport {
    /// A report with only what every report has.
    #[must_use]
    pub fn new(node_id: impl Into<String>, timestamp: i64, interval_ms: i64, base_quota: f64) -> Self {
        Self {
            node_id: node_id.into(),
            pool: String::new(),
            timestamp,
            sequence: timestamp,
            interval_ms,
            cpu: None,
            memory: None,
            net_in: None,
            net_out: None,
            disk_io: None,
            requests_total: None,
            requests_failed_total: None,
            base_quota,
            quota_in_force: None,
            quota_sequence: None,
        }
    }

    /// The node's single load figure: the larger of CPU and memory, 0 where neither was measured.
    #[must_use]
    pub fn load(&self) -> f64 {
        self.cpu.unwrap_or(0.0).max(self.memory.unwrap_or(0.0))
    }

    /// Checks the values themselves.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidReport> {
        if self.node_id.is_empty() {
            return Err(InvalidReport::EmptyNodeId);
        }
        for (field, name) in [("node_id", &self.node_id), ("pool", &self.pool)] {
            if name.len() > MOST_NAME_BYTES {
                return Err(InvalidReport::NameTooLong { field, bytes: name.len() });
            }
        }
        if self.timestamp < 0 {
            return Err(InvalidReport::BadTimestamp(self.timestamp));
        }
        if !(self.base_quota.is_finite() && self.base_quota > 0.0) {
            return Err(InvalidReport::BadBaseQuota(self.base_quota));
        }
        let measured = [
            ("cpu", self.cpu),
            ("memory", self.memory),
            ("net_in", self.net_in),
            ("net_out", self.net_out),
            ("disk_io", self.disk_io),
            ("quota_in_force", self.quota_in_force),
        ];
        for (field, value) in measured {
            if let Some(value) = value.filter(|v| !(v.is_finite() && *v >= 0.0)) {
                return Err(InvalidReport::BadNumber { field, value });
            }
        }
        Ok(())
    }

    /// Checks the report against the record that carried it.
    ///
    /// # Errors
    /// As [`LoadReport::validate`]; a key other than the node id; an event time more than a minute ahead of the record's
    /// Kafka timestamp (the log decides, not the reader's clock).
    pub fn validate_in_log(&self, key: Option<&[u8]>, kafka_timestamp: Option<i64>) -> Result<(), InvalidReport> {
        self.validate()?;
        if key != Some(self.node_id.as_bytes()) {
            return Err(InvalidReport::KeyMismatch(self.node_id.clone()));
        }
        let ahead_ms = kafka_timestamp.map_or(0, |at| self.timestamp.saturating_sub(at));
        if ahead_ms > CLOCK_AHEAD_ALLOWED_MS {
            return Err(InvalidReport::ClockAhead { ahead_ms, allowed_ms: CLOCK_AHEAD_ALLOWED_MS });
        }
        Ok(())
    }
}
