//! An operator's word, as far as one decision is concerned: who said it for which nodes is resolved before.

use crate::names::{Mode, PolicyName};

/// An operator's word in force for one decision; the default says nothing. Quotas are in the units of the base quota.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct InForce {
    /// The quota to grant, whatever the policy says; bounded by minimum and maximum only.
    pub override_quota: Option<f64>,
    /// Keep the last quota.
    pub freeze: bool,
    /// Lower bound in place of the configured one.
    pub min_quota: Option<f64>,
    /// Upper bound in place of the configured one.
    pub max_quota: Option<f64>,
    /// Policy in place of the configured one.
    pub policy: Option<PolicyName>,
    /// Mode in place of the configured one.
    pub mode: Option<Mode>,
    /// Who said it where and why, for the reason: "alice on node-1: maintenance".
    pub said: Vec<String>,
}
