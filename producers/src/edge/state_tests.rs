//! The edge's quota state over time: leases, local policies, restarts.

use super::*;
use proptest::prelude::*;
use std::time::Duration;
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

pub(crate) fn recommendation(node_id: &str, sequence: i64, quota: f64) -> QuotaCommand {
    QuotaCommand { mode: QuotaMode::Recommend, ..command(node_id, sequence, quota) }
}

/// The wall clock and the monotonic one in step.
pub(crate) fn at(ms: i64) -> Moment {
    Moment { wall_ms: ms, since: Duration::from_millis(ms.unsigned_abs()) }
}

fn report(ms: i64, cpu: f64) -> LoadReport {
    LoadReport { cpu: Some(cpu), sequence: ms, ..LoadReport::new("a", ms, 10_000, 1000.0) }
}

fn centre(quota: f64, sequence: i64) -> InForce {
    InForce { quota, sequence: Some(sequence), source: Source::Centre }
}

const BASE: InForce = InForce { quota: 1000.0, sequence: None, source: Source::Base };

fn edge(policy: LocalPolicy) -> EdgeState {
    EdgeState::new("a", 1000.0).with_policy(policy, Settings::default())
}

/// A command that no rail bound.
fn free(sequence: i64, quota: f64) -> QuotaCommand {
    QuotaCommand { limits_hit: Vec::new(), ..command("a", sequence, quota) }
}

#[test]
fn commands_are_told_apart() {
    let mut edge = EdgeState::new("a", 1000.0);
    let mut apply = |command: QuotaCommand| edge.apply(command, Heard::Live, at(0));
    assert_eq!(apply(command("b", 9, 1.0)), Applied::Foreign);
    assert_eq!(apply(command("a", 1, f64::NAN)), Applied::Invalid);
    assert_eq!(apply(command("a", 1, -1.0)), Applied::Invalid);
    assert_eq!(apply(command("a", 5, 1350.0)), Applied::Changed { from: 1000.0, to: 1350.0 });
    assert_eq!(apply(command("a", 6, 1350.0)), Applied::Renewed);
    assert_eq!(apply(command("a", 6, 700.0)), Applied::Old);
    assert_eq!(apply(command("a", 4, 700.0)), Applied::Old);
    assert_eq!(edge.in_force(), centre(1350.0, 6));
}

#[test]
fn after_the_lease_each_policy_does_what_it_says_and_the_centre_is_obeyed_at_once_again() {
    let local = InForce { quota: 1440.0, sequence: None, source: Source::Local };
    let hold = InForce { quota: 700.0, sequence: Some(0), source: Source::Hold };
    for (policy, wanted) in [(LocalPolicy::Hold, hold), (LocalPolicy::Base, BASE), (LocalPolicy::Local, local)] {
        let mut edge = edge(policy);
        edge.apply(free(0, 700.0), Heard::Live, at(0));
        edge.reported(&report(50_000, 0.96), at(50_000));
        edge.settle(at(59_999));
        assert_eq!(edge.in_force(), centre(700.0, 0), "{policy:?}");
        edge.settle(at(60_000));
        assert_eq!(edge.in_force(), wanted, "{policy:?}");
        edge.apply(free(70_000, 2_900.0), Heard::Live, at(70_000));
        assert_eq!(edge.in_force(), centre(2_900.0, 70_000), "{policy:?}");
    }
}

#[test]
fn policy_local_decides_once_for_each_report() {
    let mut rails = Settings::default();
    rails.rails.largest_step_up = Some(0.1);
    let mut edge = EdgeState::new("a", 1000.0).with_policy(LocalPolicy::Local, rails);
    edge.apply(free(0, 700.0), Heard::Live, at(0));
    edge.settle(at(60_000));
    assert_eq!(edge.in_force().quota, 700.0, "nothing was measured yet");
    for (n, wanted) in [(7, 800.0), (8, 900.0), (9, 1000.0)] {
        edge.reported(&report(n * 10_000, 0.96), at(n * 10_000));
        edge.settle(at(n * 10_000 + 5_000));
        edge.settle(at(n * 10_000 + 9_000));
        assert!((edge.in_force().quota - wanted).abs() < 1e-9, "{:?}", edge.in_force());
    }
}

#[test]
fn under_a_recommendation_the_base_quota_holds_until_quotas_are_enforced_again() {
    for policy in [LocalPolicy::Hold, LocalPolicy::Base, LocalPolicy::Local] {
        let mut edge = edge(policy);
        let mut apply = |command: QuotaCommand| (edge.apply(command, Heard::Live, at(0)), edge.in_force());
        assert_eq!(apply(recommendation("a", 1, 1350.0)), (Applied::Recommended { begins: true }, BASE));
        assert_eq!(apply(recommendation("a", 2, 700.0)), (Applied::Recommended { begins: false }, BASE));
        assert_eq!(apply(command("a", 1, 700.0)), (Applied::Old, BASE));
        let obeyed = Applied::Changed { from: 1000.0, to: 700.0 };
        assert_eq!(apply(command("a", 3, 700.0)), (obeyed, centre(700.0, 3)));
        let begins = (Applied::Recommended { begins: true }, BASE);
        assert_eq!(apply(recommendation("a", 4, 1500.0)), begins, "the command before it counts no longer");
        edge.settle(at(70_000));
        assert_eq!(edge.in_force(), BASE, "there is nothing to hold");
    }
}

#[test]
fn another_nodes_state_is_not_taken_and_a_local_decision_belongs_to_its_base_quota() {
    let mut before = edge(LocalPolicy::Local);
    before.apply(free(0, 700.0), Heard::Live, at(0));
    before.reported(&report(60_000, 0.96), at(60_000));
    let saved = before.saved().unwrap();
    assert!(saved.is_sound() && (saved.quota - 1440.0).abs() < 1e-9, "{saved:?}");
    let mut other = EdgeState::new("b", 1000.0);
    assert!(!other.restore(saved.clone(), at(61_000)) && other == EdgeState::new("b", 1000.0));
    let mut smaller = EdgeState::new("a", 500.0).with_policy(LocalPolicy::Local, Settings::default());
    assert!(smaller.restore(saved, at(61_000)));
    assert_eq!((smaller.in_force().quota, smaller.in_force().source), (700.0, Source::Local), "from the command again");
}

fn policy() -> impl Strategy<Value = LocalPolicy> {
    prop_oneof![Just(LocalPolicy::Hold), Just(LocalPolicy::Base), Just(LocalPolicy::Local)]
}

/// What happens to an edge, and how long after what came before, ms.
#[derive(Debug, Clone)]
enum Event {
    Command(i64, f64, bool),
    Report(f64),
    Nothing,
}

fn events() -> impl Strategy<Value = Vec<(Event, i64)>> {
    let event =
        prop_oneof![
            (0i64..300_000, 100_000i64..30_000_000, any::<bool>())
                .prop_map(|(sequence, quota, enforced)| Event::Command(sequence, quota as f64 / 1e4, enforced)),
            (0.0..2.0f64).prop_map(Event::Report),
            Just(Event::Nothing),
        ];
    proptest::collection::vec((event, 0i64..40_000), 1..30)
}

fn happen(edge: &mut EdgeState, event: &Event, now: i64) {
    match event {
        Event::Command(sequence, quota, enforced) => {
            let mode = if *enforced { QuotaMode::Enforce } else { QuotaMode::Recommend };
            edge.apply(QuotaCommand { mode, ..free(*sequence, *quota) }, Heard::Live, at(now));
        }
        Event::Report(cpu) => edge.reported(&report(now, *cpu), at(now)),
        Event::Nothing => {}
    }
    // What was dropped told no time.
    edge.settle(at(now));
}

proptest! {
    #[test]
    fn in_any_order_and_however_often_the_newest_command_ends_up_in_force(
        mut sequences in proptest::collection::vec(0i64..20, 1..40),
    ) {
        let run = |sequences: &[i64]| {
            let mut edge = EdgeState::new("a", 1000.0);
            for &s in sequences {
                edge.apply(command("a", s, 500.0 + s as f64), Heard::Live, at(0));
            }
            edge
        };
        let edge = run(&sequences);
        let newest = sequences.iter().max().copied();
        prop_assert_eq!(edge.in_force().sequence, newest);
        sequences.reverse();
        prop_assert_eq!(run(&sequences), edge);
    }

    #[test]
    fn whatever_happens_no_quota_leaves_the_rails(policy in policy(), events in events()) {
        let (mut edge, mut now) = (edge(policy), 0);
        for (event, later) in events {
            now += later;
            happen(&mut edge, &event, now);
            let InForce { quota, sequence, source } = edge.in_force();
            prop_assert!((10.0..=3_000.0).contains(&quota), "{}", quota);
            let of_command = edge.command().map(|c| (c.quota, c.sequence));
            match source {
                Source::Centre | Source::Hold => prop_assert_eq!(Some((quota, sequence.unwrap())), of_command),
                Source::Base => prop_assert_eq!((quota, sequence), (1000.0, None)),
                Source::Local => prop_assert!(policy == LocalPolicy::Local && sequence.is_none()),
            }
        }
    }

    #[test]
    fn a_restart_changes_nothing(
        policy in policy(), before in events(), after in events(), rebooted in any::<bool>(),
    ) {
        let (mut lived, mut now) = (edge(policy), 0);
        for (event, later) in before {
            now += later;
            happen(&mut lived, &event, now);
        }
        let Some(saved) = lived.saved() else { return Ok(()) };
        // It goes through the cache's text; the monotonic clock of the new process begins anew.
        let text = serde_json::to_string(&saved).unwrap();
        let mut restarted = edge(policy);
        let restart = Moment { since: Duration::ZERO, ..at(now) };
        let taken = restarted.restore(serde_json::from_str(&text).unwrap(), if rebooted { restart } else { at(now) });
        prop_assert!(taken);
        prop_assert_eq!(restarted.in_force(), lived.in_force());
        let shift = if rebooted { now } else { 0 };
        // The age of what answers a report of the process before is no longer known: those are left out.
        for (event, later) in after.into_iter().filter(|(event, _)| !matches!(event, Event::Command(..))) {
            now += later;
            happen(&mut lived, &event, now);
            match event {
                Event::Report(cpu) => restarted.reported(&report(now, cpu), Moment { wall_ms: now, ..at(now - shift) }),
                _ => restarted.settle(Moment { wall_ms: now, ..at(now - shift) }),
            }
            if !matches!(event, Event::Nothing) || policy != LocalPolicy::Local {
                prop_assert_eq!(restarted.in_force(), lived.in_force());
            }
        }
        let held = lived.command().map_or(0, |c| c.sequence);
        prop_assert_eq!(restarted.apply(free(held, 1.0), Heard::Live, at(0)), Applied::Old);
    }
}
