//! Controls in words, and what is wrong with one in words.

use serde_json::{Value, json};
use tidegate_quota::PolicyName;
use tidegate_schemas::controls::Controls;
use tidegate_schemas::records::Control;

use super::compare::{Change, Step};
use super::moments::Moments;
use crate::args::Common;
use crate::commands::{say, say_json};
use crate::event_time;

/// Checks a control; its span only where its beginning is known.
///
/// # Errors
/// What is wrong, as one sentence.
pub(super) fn check(control: &Control, is_stamped: bool) -> Result<(), String> {
    if let Some(until) = control.until.filter(|until| is_stamped && *until <= control.timestamp) {
        let (from, until) = (event_time::show(control.timestamp), event_time::show(until));
        return Err(format!("it would end (until) at {until}, not after its beginning (from) at {from}"));
    }
    let until = control.until.filter(|_| is_stamped);
    let spanless = Control { until, ..control.clone() };
    spanless.validate().map_err(|e| e.to_string())?;
    check_policy(control)
}

/// Checks the name of the policy.
///
/// # Errors
/// It is no policy, and which there are.
pub(super) fn check_policy(control: &Control) -> Result<(), String> {
    control.policy.as_ref().map_or(Ok(()), |name| name.parse::<PolicyName>().map(drop).map_err(|e| e.to_string()))
}

/// How a control stands at a moment of event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    InForce,
    Planned,
    Ended,
    Cleared,
    /// A later one has begun.
    Replaced,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::InForce => "in force",
            Self::Planned => "planned",
            Self::Ended => "ended",
            Self::Cleared => "cleared",
            Self::Replaced => "replaced",
        }
    }
}

/// How the controls of one target stand, in their order.
fn states(said: &[Control], now: i64) -> impl Iterator<Item = (State, &Control)> {
    let begun = said.partition_point(|control| control.timestamp <= now);
    said.iter().enumerate().map(move |(at, control)| {
        let state = match control {
            control if control.is_clear() => State::Cleared,
            _ if at >= begun => State::Planned,
            _ if at + 1 < begun => State::Replaced,
            control if control.spans(now) => State::InForce,
            _ => State::Ended,
        };
        (state, control)
    })
}

/// Prints what was said of all targets: what is in force and planned, or `all`.
pub(super) fn list(common: &Common, controls: &Controls, moments: &Moments, all: bool) -> anyhow::Result<()> {
    let rows: Vec<(State, &Control)> = controls
        .by_target()
        .into_iter()
        .flat_map(|(target, said)| states(said, moments.now(target).saturating_add(1)))
        .filter(|(state, _)| all || matches!(state, State::InForce | State::Planned))
        .collect();
    if common.json {
        let objects: Vec<Value> = rows.iter().map(|(state, control)| with_state(*state, control)).collect();
        return say_json(&json!({ "controls": objects }));
    }
    if rows.is_empty() {
        return say("no control is in force or planned");
    }
    rows.iter().try_for_each(|(state, control)| say(format!("{:<9} {}", state.name(), line(control))))
}

fn with_state(state: State, control: &Control) -> Value {
    let mut object = json!(control);
    object["state"] = state.name().into();
    object
}

/// Prints what `set` or `clear` did.
pub(super) fn said(
    common: &Common,
    control: Option<&Control>,
    before: Option<&Control>,
    target_known: bool,
) -> anyhow::Result<()> {
    if common.json {
        return say_json(&json!({ "control": control, "replaces": before, "target_known": target_known }));
    }
    control.iter().try_for_each(|control| say(line(control)))?;
    before.iter().try_for_each(|before| say(format!("  instead of {}", line(before))))
}

/// A step of a bulk file in one line.
pub(super) fn step(step: &Step) -> String {
    let sign = match step.change {
        Change::Add => "+",
        Change::Replace => "~",
        Change::Clear => "-",
        Change::Unchanged => "=",
    };
    match step.present.as_ref().filter(|_| step.change == Change::Replace) {
        Some(before) => format!("{sign} {}\n    instead of {}", line(&step.control), line(before)),
        None => format!("{sign} {}", line(&step.control)),
    }
}

/// A control in one line.
pub(super) fn line(control: &Control) -> String {
    let words = if control.is_clear() { "cleared".to_owned() } else { control.words().join(", ") };
    let until = control.until.map_or(String::new(), |until| format!(" until {}", event_time::show(until)));
    let from = event_time::show(control.timestamp);
    format!("{}  {words}  from {from}{until}  ({}: {})", control.target, control.by, control.why)
}

#[cfg(test)]
mod tests {
    use super::super::compare::clear;
    use super::*;

    fn freeze(timestamp: i64, until: Option<i64>) -> Control {
        Control { freeze: true, until, ..clear("pool:x", timestamp, "alice", "release") }
    }

    #[test]
    fn a_control_reads_as_a_line() {
        let control = Control { override_quota: Some(1500.0), min_quota: Some(2.5), ..freeze(1_000, Some(61_000)) };
        assert_eq!(
            line(&control),
            "pool:x  override 1500, freeze, min 2.5  from 1970-01-01T00:00:01.000Z until 1970-01-01T00:01:01.000Z  (alice: release)"
        );
        let cleared = clear("a", 0, "bob", "done");
        assert_eq!(line(&cleared), "a  cleared  from 1970-01-01T00:00:00.000Z  (bob: done)");
    }

    #[test]
    fn states_follow_the_rule_of_the_stage() {
        let said = [freeze(10, None), freeze(20, Some(30)), freeze(40, None), clear("pool:x", 50, "a", "b")];
        let at = |now| states(&said, now).map(|(state, _)| state).collect::<Vec<_>>();
        use State::{Cleared, Ended, InForce, Planned, Replaced};
        assert_eq!(at(5), [Planned, Planned, Planned, Cleared]);
        assert_eq!(at(15), [InForce, Planned, Planned, Cleared]);
        assert_eq!(at(25), [Replaced, InForce, Planned, Cleared]);
        assert_eq!(at(35), [Replaced, Ended, Planned, Cleared]);
        assert_eq!(at(60), [Replaced, Replaced, Replaced, Cleared]);
        let mut controls = Controls::default();
        said.iter().cloned().for_each(|c| controls.take(c));
        for now in [5, 15, 25, 35, 45, 60] {
            let shown = states(&said, now).find(|(state, _)| *state == InForce).map(|(_, control)| control);
            assert_eq!(shown, controls.of_pool("x", now), "at {now}");
        }
    }

    #[test]
    fn an_unknown_policy_is_named_with_those_there_are() {
        let control = Control { policy: Some("best".into()), ..freeze(0, None) };
        let said = check(&control, true).unwrap_err();
        assert!(said.contains("best") && said.contains("threshold") && said.contains("headroom"), "{said}");
    }
}
