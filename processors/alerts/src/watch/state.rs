//! What becomes of an alert from one evaluation to the next: Prometheus' own rules for `for` and `keep_firing_for`.

use std::collections::BTreeMap;

use crate::expr::Found;
use crate::labels::Key;
use crate::rules::Rule;

/// An alert that fires on is told again so often, in ms: topics forget what is old.
const AGAIN_MS: i64 = 24 * 3_600_000;

/// An alert that is pending or firing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Active {
    /// Event time at which its expression began to hold.
    pub(super) since: i64,
    /// Event time since which it fires; `None`: it is pending.
    pub(super) fired_at: Option<i64>,
    /// Event time at which the expression ceased to hold, while it fires on.
    pub(super) ceased_at: Option<i64>,
    /// Value of the expression when it last held.
    pub(super) value: f64,
}

/// An alert that began to fire, or ceased to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) firing: bool,
    /// It began or ended by this evaluation; else it is told again.
    pub(super) is_new: bool,
    pub(super) active: Active,
}

impl Step {
    /// How many alerts more fire by it.
    pub(super) fn more(&self) -> i32 {
        match (self.is_new, self.firing) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => -1,
        }
    }
}

/// Takes what an expression found into the alerts of its rule; gives those that began to fire or were resolved.
pub(super) fn step(
    active: &mut BTreeMap<(u32, Key), Active>,
    rule: &Rule,
    found: &Found,
    (at, interval_ms): (i64, i64),
) -> Vec<(Key, Step)> {
    let mut steps = Vec::new();
    for (key, value) in found {
        let new = Active { since: at, fired_at: None, ceased_at: None, value: *value };
        let alert = active.entry((rule.number, *key)).or_insert(new);
        (alert.value, alert.ceased_at) = (*value, None);
        if alert.fired_at.is_none() && at - alert.since >= rule.for_ms {
            alert.fired_at = Some(at);
            steps.push((*key, Step { firing: true, is_new: true, active: *alert }));
        } else if alert.fired_at.is_some_and(|fired_at| is_due_again(fired_at, at, interval_ms)) {
            steps.push((*key, Step { firing: true, is_new: false, active: *alert }));
        }
    }
    if !active.is_empty() {
        active.retain(|(number, key), alert| {
            let is_found = || found.binary_search_by_key(key, |(key, _)| *key).is_ok();
            if *number != rule.number || is_found() || fires_on(alert, rule, at) {
                return true;
            }
            if alert.fired_at.is_some() {
                steps.push((*key, Step { firing: false, is_new: true, active: *alert }));
            }
            false
        });
    }
    steps
}

/// Whether an alert whose expression does not hold goes on firing.
fn fires_on(alert: &mut Active, rule: &Rule, at: i64) -> bool {
    alert.fired_at.is_some() && at - *alert.ceased_at.get_or_insert(at) < rule.keep_ms
}

/// Whether a day since it began to fire is full by this evaluation, and was not by the one before.
fn is_due_again(fired_at: i64, at: i64, interval_ms: i64) -> bool {
    (at - fired_at) / AGAIN_MS > (at - interval_ms - fired_at).max(0) / AGAIN_MS
}
