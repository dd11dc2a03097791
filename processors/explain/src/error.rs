//! Why there is nothing to explain.

use thiserror::Error;

/// What keeps a decision from being explained.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// Nothing in the evidence is of this node.
    #[error("there is no node {0:?} here: no report, forecast or command has that key")]
    UnknownNode(String),
    /// The node has reports, and none of them, nor a command, is the wanted one.
    #[error("{node} has no command with sequence {sequence} here; {there}")]
    NoSuchSequence {
        /// The node.
        node: String,
        /// What was asked for.
        sequence: i64,
        /// What there is instead.
        there: String,
    },
    /// All that is known of the node is later.
    #[error("{node} has no command at or before {at_ms} (ms since the epoch) here; {there}")]
    NothingBefore {
        /// The node.
        node: String,
        /// What was asked for, Unix ms.
        at_ms: i64,
        /// What there is instead.
        there: String,
    },
    /// The report that a command names is not in the evidence.
    #[error(
        "the report that led to it, {topic}/{partition}/{offset}, is not here any more; without it and the {reach} of \
         reports before it the decision cannot be reproduced"
    )]
    ReportGone {
        /// Topic of the report.
        topic: String,
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: i64,
        /// How far back a decision depends on reports, in words.
        reach: String,
    },
    /// The stages made nothing of the report.
    #[error("the report {position} leads to no decision: {why}")]
    NoDecision {
        /// Its position.
        position: String,
        /// What the stage says.
        why: String,
    },
    /// No record of an alert has this fingerprint.
    #[error(
        "there is no alert with the fingerprint {fingerprint} here ({others} records of others): it never fired, its \
         record is gone, or it is an alert of somebody else's"
    )]
    UnknownAlert {
        /// What was asked for.
        fingerprint: String,
        /// Records of other alerts.
        others: u64,
    },
    /// The alert is about several nodes.
    #[error(
        "the alert {rule} ({labels}) is about no single node, so no single decision led to it; it fires since event time \
         {fired_at} (ms since the epoch): explain one of the nodes at that time"
    )]
    AlertOfNoNode {
        /// The rule.
        rule: String,
        /// Its labels.
        labels: String,
        /// Event time since which it fires, Unix ms.
        fired_at: i64,
    },
    /// A record is not what its topic promises.
    #[error("{0}")]
    Schema(String),
}
