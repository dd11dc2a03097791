//! [`Alert`]: one alert, firing or resolved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Cause;

/// Whether the condition holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AlertStatus {
    /// It holds.
    #[default]
    Firing,
    /// It no longer does.
    Resolved,
}

/// One alert; fields, units and defaults in `avro/alert_v2.avsc`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Alert {
    pub fingerprint: String,
    pub rule: String,
    pub status: AlertStatus,
    pub node_id: String,
    pub labels: BTreeMap<String, String>,
    pub annotations: BTreeMap<String, String>,
    pub value: f64,
    pub starts_at: i64,
    pub fired_at: i64,
    pub reported_at: i64,
    pub ends_at: Option<i64>,
    pub cause: Cause,
}

super::record!(Alert);
