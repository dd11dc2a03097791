//! The latest decisions worth a reader's time.
//!
//! Every forecast leads to a command, so most commands only renew a lease. Listed are those that changed something: the
//! kind of decision (raised, base, lowered), the scale by [`WORTH_LISTING`] or more, or the guard rails that bound it.

use std::collections::VecDeque;

use serde::Serialize;
use tidegate_schemas::records::{QuotaCommand, QuotaMode};

/// A change of the scale factor of at least this much is listed.
const WORTH_LISTING: f64 = 0.05;
/// Longer reasons are cut here (characters): the page's memory must not depend on what others write.
const REASON_CHARS: usize = 240;
/// At most so many guard rails of one decision are kept.
const LIMITS_KEPT: usize = 8;
/// Longer names of guard rails are cut here (characters).
const LIMIT_CHARS: usize = 40;

/// One decision as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// Event time in milliseconds.
    pub t: i64,
    /// Node.
    pub node: String,
    /// What the node may use, in the units of its base quota.
    pub quota: f64,
    /// `quota / base quota`.
    pub scale: f64,
    /// Whether edges enforce it; else it is a recommendation.
    pub enforced: bool,
    /// The decision in words.
    pub reason: String,
    /// Guard rails that bound it.
    pub limits: Vec<String>,
    /// Forecast peak behind it, fraction of the base quota.
    pub predicted: f64,
    /// Load behind it, fraction of the base quota.
    pub current: f64,
    /// From the report's produce call to the command in the edge's hands, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Id of the trace from its report to it.
    pub trace: Option<String>,
}

/// What is known of a command beside what it says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Beside {
    /// From its report's produce call to the edge's hands, in milliseconds.
    pub latency_ms: Option<f64>,
    /// Id of its trace.
    pub trace: Option<String>,
}

impl Decision {
    pub(super) fn new(command: &QuotaCommand, Beside { latency_ms, trace }: Beside) -> Self {
        Self {
            t: command.timestamp,
            node: command.node_id.clone(),
            quota: command.quota,
            scale: command.scale_factor,
            enforced: command.mode == QuotaMode::Enforce,
            reason: cut(&command.reason, REASON_CHARS),
            limits: command.limits_hit.iter().take(LIMITS_KEPT).map(|limit| cut(limit, LIMIT_CHARS)).collect(),
            predicted: command.predicted_load,
            current: command.current_load,
            latency_ms: latency_ms.filter(|ms| ms.is_finite()),
            trace,
        }
    }
}

/// The begin of a text.
pub(super) fn cut(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

/// What of a node's last listed decision the next one is compared with.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    scale: f64,
    limits: Vec<String>,
}

impl Default for Listed {
    /// A node begins at its base quota.
    fn default() -> Self {
        Self { scale: 1.0, limits: Vec::new() }
    }
}

impl Listed {
    /// Whether `decision` is worth a line; if so it is the one to compare with from now on.
    pub(super) fn takes(&mut self, decision: &Decision) -> bool {
        let kind = |scale: f64| scale.partial_cmp(&1.0);
        let new = kind(self.scale) != kind(decision.scale)
            || (self.scale - decision.scale).abs() >= WORTH_LISTING
            || self.limits != decision.limits;
        if new {
            *self = Self { scale: decision.scale, limits: decision.limits.clone() };
        }
        new
    }
}

/// The latest decisions, newest first, never more than `room`.
#[derive(Debug)]
pub(super) struct Decisions {
    room: usize,
    latest: VecDeque<Decision>,
}

impl Decisions {
    pub(super) fn new(room: usize) -> Self {
        Self { room, latest: VecDeque::new() }
    }

    pub(super) fn push(&mut self, decision: Decision) {
        self.latest.push_front(decision);
        self.latest.truncate(self.room);
    }

    pub(super) fn newest_first(&self) -> impl Iterator<Item = &Decision> {
        self.latest.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(scale: f64, limits: &[&str]) -> Decision {
        Decision {
            t: 0,
            node: "n".into(),
            quota: 1000.0 * scale,
            scale,
            enforced: true,
            reason: String::new(),
            limits: limits.iter().map(ToString::to_string).collect(),
            predicted: 0.0,
            current: 0.0,
            latency_ms: None,
            trace: None,
        }
    }

    #[test]
    fn renewals_and_small_changes_are_not_listed() {
        let mut listed = Listed::default();
        assert!(!listed.takes(&decision(1.0, &[])), "base quota, as at the beginning");
        assert!(listed.takes(&decision(1.21, &[])), "raised");
        assert!(!listed.takes(&decision(1.25, &[])), "4 points more");
        assert!(listed.takes(&decision(1.27, &[])), "6 points more than what was listed");
        assert!(listed.takes(&decision(1.27, &["max"])), "a guard rail binds");
        assert!(!listed.takes(&decision(1.27, &["max"])));
        assert!(listed.takes(&decision(1.0, &[])));
        assert!(listed.takes(&decision(0.97, &[])), "lowered, though by little");
    }

    #[test]
    fn newest_first_and_never_more_than_its_room() {
        let mut decisions = Decisions::new(3);
        for t in 0..10 {
            decisions.push(Decision { t, ..decision(1.2, &[]) });
        }
        assert_eq!(decisions.newest_first().map(|d| d.t).collect::<Vec<_>>(), [9, 8, 7]);
    }
}
