//! What is evaluated together: a node, or the nodes of a pool.

use std::collections::BTreeMap;

use super::on_grid;
use super::state::Active;
use crate::labels::Key;
use crate::rules::{Rule, Rules};

/// The state of the rules of a node or a pool.
#[derive(Debug, Default)]
pub(crate) struct Unit {
    /// Next evaluation of each group; never, where none of its rules is evaluated here.
    pub(super) next: Box<[i64]>,
    /// Alerts that are pending or firing, by the number of the rule.
    pub(super) active: BTreeMap<(u32, Key), Active>,
}

/// Which rules are evaluated of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Those of a node.
    Node,
    /// Those that take the nodes of a pool together.
    Pool,
    /// All, for a node without a pool.
    Alone,
}

impl Scope {
    pub(super) fn has(self, rule: &Rule) -> bool {
        match self {
            Self::Node => rule.plan.is_of_a_node(),
            Self::Pool => !rule.plan.is_of_a_node(),
            Self::Alone => true,
        }
    }
}

impl Unit {
    /// A unit that is evaluated from an event time on.
    pub(super) fn new(rules: &Rules, scope: Scope, from: i64) -> Self {
        let next = |group: &crate::rules::Group| {
            let has_any = group.rules.iter().any(|rule| scope.has(rule));
            if has_any { on_grid(from, group.interval_ms) } else { i64::MAX }
        };
        Self { next: rules.groups.iter().map(next).collect(), active: BTreeMap::new() }
    }

    /// The event time of the next evaluation, and the group that it is of.
    pub(super) fn due(&self) -> (i64, usize) {
        let due = self.next.iter().enumerate().min_by_key(|(_, at)| **at);
        due.map_or((i64::MAX, 0), |(group, at)| (*at, group))
    }

    /// Goes on with the first evaluations after an event time, whatever comes before.
    pub(super) fn skip_to(&mut self, rules: &Rules, from: i64) {
        for (next, group) in self.next.iter_mut().zip(&rules.groups) {
            if *next != i64::MAX {
                *next = on_grid(from, group.interval_ms);
            }
        }
    }

    /// Makes the last evaluation of each group again, where it is not of an event time before `begin`.
    pub(super) fn step_back(&mut self, rules: &Rules, begin: i64) {
        for (next, group) in self.next.iter_mut().zip(&rules.groups) {
            if *next != i64::MAX && *next - group.interval_ms >= begin {
                *next -= group.interval_ms;
            }
        }
    }

    /// Event time of the last evaluation; `None` before the first of `begin`.
    pub(super) fn evaluated(&self, rules: &Rules) -> Option<i64> {
        let last = |(next, group): (&i64, &crate::rules::Group)| (*next != i64::MAX).then(|| next - group.interval_ms);
        self.next.iter().zip(&rules.groups).filter_map(last).max()
    }
}
