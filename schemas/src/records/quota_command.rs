//! [`QuotaCommand`]: what one node may use from now on, and why.

use serde::{Deserialize, Serialize};

use super::Cause;

/// Whether edges enforce a quota.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum QuotaMode {
    /// They do.
    #[default]
    Enforce,
    /// It is published to be seen only.
    Recommend,
}

/// One decision; fields, units and defaults in `avro/quota_command_v2.avsc`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct QuotaCommand {
    pub node_id: String,
    pub pool: String,
    pub timestamp: i64,
    pub sequence: i64,
    pub base_quota: f64,
    pub quota: f64,
    pub scale_factor: f64,
    pub reason: String,
    pub limits_hit: Vec<String>,
    pub predicted_load: f64,
    pub forecast_p90: f64,
    pub current_load: f64,
    pub margin: f64,
    pub hold_until: Option<i64>,
    pub model: String,
    pub policy: String,
    pub mode: QuotaMode,
    #[serde(with = "super::opaque")]
    pub steering: Vec<u8>,
    pub valid_until: i64,
    pub cause: Cause,
}

super::record!(QuotaCommand);
