//! Which quota holds on this edge: the newest command wins, its lease ends, and a recommendation is not enforced. Pure.

use tidegate_schemas::records::{QuotaCommand, QuotaMode};

/// What a command did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Applied {
    /// Another quota holds now; worth a line in the log and a new quota file.
    Changed {
        /// The quota before, resource units; the base quota where there was none.
        from: f64,
        /// The quota now.
        to: f64,
    },
    /// The same quota, a longer lease; worth a new quota file.
    Renewed,
    /// It is the newest and a recommendation: the base quota holds; worth a new quota file.
    Recommended {
        /// Whether the command before it was enforced, or there was none: worth a line in the log.
        begins: bool,
    },
    /// It is as old as the command that holds, or older: repeated or late.
    Old,
    /// It is for another node.
    Foreign,
    /// Its quota is no finite number of at least 0.
    Invalid,
}

impl Applied {
    /// Whether the command is the newest now.
    #[must_use]
    pub fn is_newest(self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Renewed | Self::Recommended { .. })
    }
}

/// The quota in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InForce {
    /// Resource units; the base quota where no command is enforced.
    pub quota: f64,
    /// Sequence of the command behind it; `None`: no command is enforced.
    pub sequence: Option<i64>,
}

/// The quota state of one edge.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeState {
    node_id: String,
    base_quota: f64,
    command: Option<QuotaCommand>,
}

impl EdgeState {
    /// An edge that has heard no command.
    #[must_use]
    pub fn new(node_id: impl Into<String>, base_quota: f64) -> Self {
        Self { node_id: node_id.into(), base_quota, command: None }
    }

    /// Takes a command.
    pub fn apply(&mut self, command: QuotaCommand) -> Applied {
        if command.node_id != self.node_id {
            return Applied::Foreign;
        }
        if !(command.quota.is_finite() && command.quota >= 0.0) {
            return Applied::Invalid;
        }
        if self.command.as_ref().is_some_and(|held| command.sequence <= held.sequence) {
            return Applied::Old;
        }
        let (from, to) = (self.enforced().map_or(self.base_quota, |held| held.quota), command.quota);
        let was_enforced = self.command.as_ref().is_none_or(is_enforced);
        let is_enforced = is_enforced(&command);
        self.command = Some(command);
        if !is_enforced {
            return Applied::Recommended { begins: was_enforced };
        }
        if from.to_bits() == to.to_bits() { Applied::Renewed } else { Applied::Changed { from, to } }
    }

    /// The newest command; its lease may be over.
    #[must_use]
    pub fn command(&self) -> Option<&QuotaCommand> {
        self.command.as_ref()
    }

    /// Whether there was a command and its lease is over at this time (Unix ms).
    #[must_use]
    pub fn expired(&self, now_ms: i64) -> bool {
        self.command.as_ref().is_some_and(|held| now_ms > held.valid_until)
    }

    /// The newest command, where it is to be enforced; its lease may be over.
    fn enforced(&self) -> Option<&QuotaCommand> {
        self.command.as_ref().filter(|held| is_enforced(held))
    }

    /// The quota that holds at this time (Unix ms): the newest command's while its lease lasts and if it is to be enforced,
    /// else the base quota.
    #[must_use]
    pub fn in_force(&self, now_ms: i64) -> InForce {
        match self.enforced().filter(|_| !self.expired(now_ms)) {
            Some(held) => InForce { quota: held.quota, sequence: Some(held.sequence) },
            None => InForce { quota: self.base_quota, sequence: None },
        }
    }
}

/// Whether edges are to obey the command.
pub(super) fn is_enforced(command: &QuotaCommand) -> bool {
    command.mode == QuotaMode::Enforce
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate_schemas::records::Cause;

    pub(crate) fn command(node_id: &str, sequence: i64, quota: f64) -> QuotaCommand {
        QuotaCommand {
            node_id: node_id.into(),
            pool: String::new(),
            timestamp: sequence,
            sequence,
            base_quota: 1000.0,
            quota,
            scale_factor: quota / 1000.0,
            reason: "because".into(),
            limits_hit: vec!["max".into()],
            predicted_load: 0.9,
            current_load: 0.5,
            forecast_p90: 0.0,
            margin: 0.0,
            hold_until: None,
            model: "m".into(),
            policy: "threshold".into(),
            mode: QuotaMode::Enforce,
            steering: Vec::new(),
            valid_until: sequence + 60_000,
            cause: Cause::default(),
        }
    }

    #[test]
    fn commands_are_told_apart() {
        let mut edge = EdgeState::new("a", 1000.0);
        assert_eq!(edge.in_force(0), InForce { quota: 1000.0, sequence: None });
        assert_eq!(edge.apply(command("b", 9, 1.0)), Applied::Foreign);
        assert_eq!(edge.apply(command("a", 1, f64::NAN)), Applied::Invalid);
        assert_eq!(edge.apply(command("a", 1, -1.0)), Applied::Invalid);
        assert_eq!(edge.apply(command("a", 5, 1350.0)), Applied::Changed { from: 1000.0, to: 1350.0 });
        assert_eq!(edge.apply(command("a", 6, 1350.0)), Applied::Renewed);
        assert_eq!(edge.apply(command("a", 6, 700.0)), Applied::Old);
        assert_eq!(edge.apply(command("a", 4, 700.0)), Applied::Old);
        assert_eq!(edge.in_force(6), InForce { quota: 1350.0, sequence: Some(6) });
    }

    #[test]
    fn a_lease_holds_up_to_its_last_millisecond() {
        let mut edge = EdgeState::new("a", 1000.0);
        assert!(!edge.expired(i64::MAX));
        edge.apply(command("a", 0, 700.0));
        assert!(!edge.expired(60_000) && edge.expired(60_001));
        assert_eq!(edge.in_force(60_001), InForce { quota: 1000.0, sequence: None });
    }

    pub(crate) fn recommendation(node_id: &str, sequence: i64, quota: f64) -> QuotaCommand {
        QuotaCommand { mode: QuotaMode::Recommend, ..command(node_id, sequence, quota) }
    }

    #[test]
    fn under_a_recommendation_the_base_quota_holds_until_quotas_are_enforced_again() {
        let mut edge = EdgeState::new("a", 1000.0);
        let base = InForce { quota: 1000.0, sequence: None };
        assert_eq!(edge.apply(recommendation("a", 1, 1350.0)), Applied::Recommended { begins: true });
        assert_eq!(edge.in_force(1), base);
        assert_eq!(edge.apply(recommendation("a", 2, 700.0)), Applied::Recommended { begins: false });
        assert_eq!(edge.apply(command("a", 1, 700.0)), Applied::Old);
        assert_eq!(edge.apply(command("a", 3, 700.0)), Applied::Changed { from: 1000.0, to: 700.0 });
        assert_eq!(edge.in_force(3), InForce { quota: 700.0, sequence: Some(3) });
        assert_eq!(edge.apply(recommendation("a", 4, 1500.0)), Applied::Recommended { begins: true });
        assert_eq!(edge.in_force(4), base, "the enforced command before it counts no longer, though its lease lasts");
        assert_eq!(edge.command().map(|c| c.sequence), Some(4));
    }

    proptest! {
        #[test]
        fn in_any_order_and_however_often_the_newest_command_ends_up_in_force(
            mut sequences in proptest::collection::vec(0i64..20, 1..40),
        ) {
            let run = |sequences: &[i64]| {
                let mut edge = EdgeState::new("a", 1000.0);
                for &s in sequences {
                    edge.apply(command("a", s, 500.0 + s as f64));
                }
                edge
            };
            let edge = run(&sequences);
            let newest = sequences.iter().max().copied();
            prop_assert_eq!(edge.in_force(0).sequence, newest);
            sequences.reverse();
            prop_assert_eq!(run(&sequences), edge);
        }
    }
}
