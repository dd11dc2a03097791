//! Which quota holds on this edge: the newest command wins, its lease ends. Pure.

use tidegate_schemas::records::QuotaCommand;

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
    /// It is as old as the command that holds, or older: repeated or late.
    Old,
    /// It is for another node.
    Foreign,
    /// Its quota is no finite number of at least 0.
    Invalid,
}

impl Applied {
    /// Whether the command holds now.
    #[must_use]
    pub fn holds(self) -> bool {
        matches!(self, Self::Changed { .. } | Self::Renewed)
    }
}

/// The quota in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InForce {
    /// Resource units; the base quota where no command holds.
    pub quota: f64,
    /// Sequence of the command behind it; `None`: no command holds.
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
        let from = self.command.as_ref().map_or(self.base_quota, |held| held.quota);
        let to = command.quota;
        self.command = Some(command);
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

    /// The quota that holds at this time (Unix ms): the newest command's while its lease lasts, else the base quota.
    #[must_use]
    pub fn in_force(&self, now_ms: i64) -> InForce {
        match self.command.as_ref().filter(|_| !self.expired(now_ms)) {
            Some(held) => InForce { quota: held.quota, sequence: Some(held.sequence) },
            None => InForce { quota: self.base_quota, sequence: None },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;
    use tidegate_schemas::records::{Cause, QuotaMode};

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
