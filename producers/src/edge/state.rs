//! Which quota holds on this edge, and who says so: the newest command while its lease lasts, then the local policy. Pure.
//!
//! ```text
//! QuotaCommand ─ apply ──┐                      ┌─ lease lasts ──> centre: the command's quota
//! LoadReport ─ reported ─┼─> newest command ────┼─ lease over ───> hold | base | local, by the policy
//! time ─ settle ─────────┘                      └─ none, or a recommendation ─> base
//! ```

use serde::{Deserialize, Serialize};
use tidegate_quota::Settings;
use tidegate_schemas::records::{LoadReport, QuotaCommand, QuotaMode};

use super::lease::{Heard, Lease, Moment, Reported};
use super::local::{Granted, LocalPolicy};

/// What a command did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Applied {
    /// Another quota holds now; worth a line in the log and a new quota file.
    Changed {
        /// The quota in force before, resource units.
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

/// Who stands behind the quota in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The newest command, whose lease lasts.
    Centre,
    /// The last enforced command, after its lease.
    Hold,
    /// The contract: no command is to be enforced.
    Base,
    /// The threshold formula on what this edge measures.
    Local,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Centre, Self::Hold, Self::Base, Self::Local];

    /// Its name in files, metrics and the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Centre => "centre",
            Self::Hold => "hold",
            Self::Base => "base",
            Self::Local => "local",
        }
    }
}

/// The quota in force.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InForce {
    /// Resource units.
    pub quota: f64,
    /// Sequence of the command whose quota it is; `None`: it is of no command.
    pub sequence: Option<i64>,
    /// Who says so.
    pub source: Source,
}

/// What another process of this edge goes on from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// The newest command.
    pub command: QuotaCommand,
    /// End of its lease by the wall clock of this edge, Unix ms.
    lease_until_ms: i64,
    /// Base quota, resource units.
    base_quota: f64,
    local_policy: LocalPolicy,
    source: Source,
    /// In force, resource units.
    quota: f64,
    /// The last local decision, where one is in force.
    local: Option<Granted>,
}

impl Saved {
    /// Whether its values are such that an edge could have written them.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let quota = |quota: f64| quota.is_finite() && quota >= 0.0;
        quota(self.command.quota)
            && quota(self.quota)
            && quota(self.base_quota)
            && self.local.is_none_or(|local| quota(local.quota))
    }
}

/// The newest command with its lease.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    command: QuotaCommand,
    lease: Lease,
}

/// The quota state of one edge.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeState {
    node_id: String,
    base_quota: f64,
    policy: LocalPolicy,
    rails: Settings,
    held: Option<Held>,
    reported: Reported,
    /// The latest report of this process.
    measured: Option<LoadReport>,
    /// The last local decision, while policy `local` is in force.
    local: Option<Granted>,
    in_force: InForce,
}

impl EdgeState {
    /// An edge that has heard no command, with the default local policy and rails.
    #[must_use]
    pub fn new(node_id: impl Into<String>, base_quota: f64) -> Self {
        Self {
            node_id: node_id.into(),
            base_quota,
            policy: LocalPolicy::default(),
            rails: Settings::default(),
            held: None,
            reported: Reported::default(),
            measured: None,
            local: None,
            in_force: InForce { quota: base_quota, sequence: None, source: Source::Base },
        }
    }

    /// With this policy after a lease; policy `local` keeps to the resource and the rails of these settings.
    #[must_use]
    pub fn with_policy(self, policy: LocalPolicy, rails: Settings) -> Self {
        Self { policy, rails, ..self }
    }

    /// Takes a command.
    pub fn apply(&mut self, command: QuotaCommand, heard: Heard, at: Moment) -> Applied {
        if command.node_id != self.node_id {
            return Applied::Foreign;
        }
        if !(command.quota.is_finite() && command.quota >= 0.0) {
            return Applied::Invalid;
        }
        if self.command().is_some_and(|held| command.sequence <= held.sequence) {
            return Applied::Old;
        }
        let was_enforced = self.command().is_none_or(is_enforced);
        let is_enforced = is_enforced(&command);
        let lease = Lease::of(&command, heard, self.reported.age(command.sequence, at), at);
        self.held = Some(Held { command, lease });
        // Local decisions go on from the newest command.
        self.local = None;
        let from = self.in_force.quota;
        self.settle(at);
        let to = self.in_force.quota;
        if !is_enforced {
            return Applied::Recommended { begins: was_enforced };
        }
        if from.to_bits() == to.to_bits() { Applied::Renewed } else { Applied::Changed { from, to } }
    }

    /// A report was made: its load is what policy `local` goes by, once for each report.
    pub fn reported(&mut self, report: &LoadReport, at: Moment) {
        self.reported.add(report.sequence, at);
        if let (Some(local), Some(held)) = (self.local, &self.held) {
            self.local = Some(local.next(&self.rails, self.base_quota, &held.command, report));
        }
        self.measured = Some(report.clone());
        self.settle(at);
    }

    /// Time has passed: where the lease is over, the local policy begins.
    pub fn settle(&mut self, at: Moment) {
        let base = InForce { quota: self.base_quota, sequence: None, source: Source::Base };
        self.in_force = match self.held.as_ref().filter(|held| is_enforced(&held.command)) {
            None => base,
            Some(Held { command, lease }) => {
                let of_command = |source| InForce { quota: command.quota, sequence: Some(command.sequence), source };
                match self.policy {
                    _ if lease.holds(at) => of_command(Source::Centre),
                    LocalPolicy::Hold => of_command(Source::Hold),
                    LocalPolicy::Base => base,
                    LocalPolicy::Local => {
                        let first = || {
                            let begin = Granted::by(command);
                            let next = |report| begin.next(&self.rails, self.base_quota, command, report);
                            self.measured.as_ref().map_or(begin, next)
                        };
                        let granted = self.local.unwrap_or_else(first);
                        self.local = Some(granted);
                        InForce { quota: granted.quota, sequence: None, source: Source::Local }
                    }
                }
            }
        };
        if self.in_force.source != Source::Local {
            self.local = None;
        }
    }

    /// The newest command; its lease may be over.
    #[must_use]
    pub fn command(&self) -> Option<&QuotaCommand> {
        self.held.as_ref().map(|held| &held.command)
    }

    /// The quota that holds, as of the last call that told the time.
    #[must_use]
    pub fn in_force(&self) -> InForce {
        self.in_force
    }

    /// The policy after a lease.
    #[must_use]
    pub fn policy(&self) -> LocalPolicy {
        self.policy
    }

    /// What another process of this edge needs; `None` before the first command.
    #[must_use]
    pub fn saved(&self) -> Option<Saved> {
        self.held.as_ref().map(|held| Saved {
            command: held.command.clone(),
            lease_until_ms: held.lease.until_ms,
            base_quota: self.base_quota,
            local_policy: self.policy,
            source: self.in_force.source,
            quota: self.in_force.quota,
            local: self.local,
        })
    }

    /// Goes on where another process of this edge ended; `false`: that was another node, and nothing changes. A local
    /// decision that is relative to another base quota is made anew.
    pub fn restore(&mut self, saved: Saved, at: Moment) -> bool {
        if saved.command.node_id != self.node_id {
            return false;
        }
        let lease = Lease::restored(&saved.command, saved.lease_until_ms, at);
        self.local = saved.local.filter(|_| saved.base_quota.to_bits() == self.base_quota.to_bits());
        self.held = Some(Held { command: saved.command, lease });
        self.settle(at);
        true
    }
}

/// Whether edges are to obey the command.
pub(super) fn is_enforced(command: &QuotaCommand) -> bool {
    command.mode == QuotaMode::Enforce
}

#[cfg(test)]
#[path = "state_tests.rs"]
pub(crate) mod tests;
