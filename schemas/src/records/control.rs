//! [`Control`]: an operator's word on a node or a pool.

use serde::{Deserialize, Serialize};

/// Whether edges enforce the quotas they receive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ControlMode {
    /// As configured.
    #[default]
    Unchanged,
    /// Quotas are published and not enforced.
    Recommend,
    /// Quotas are enforced.
    Enforce,
}

/// One control; fields, units and defaults in `avro/control.avsc`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Control {
    pub target: String,
    pub timestamp: i64,
    pub override_quota: Option<f64>,
    pub freeze: bool,
    pub min_quota: Option<f64>,
    pub max_quota: Option<f64>,
    pub policy: Option<String>,
    pub mode: ControlMode,
    pub until: Option<i64>,
    pub by: String,
    pub why: String,
}

super::record!(Control);
