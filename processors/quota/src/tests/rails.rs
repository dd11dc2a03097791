//! Each guard rail by itself and several at once, round every policy.

use proptest::prelude::*;

use super::inputs;
use crate::{Before, Decision, Figures, InForce, Inputs, Mode, PolicyName, Rails, Settings, decide};

fn before(scale: f64) -> Before {
    Before { quota: 500.0 * scale, hold_until: None, valid_until: 200_000, steering: Vec::new() }
}

fn settings(policy: PolicyName, rails: Rails) -> Settings {
    Settings { policy, rails, ..Settings::default() }
}

fn limits(decision: &Decision) -> Vec<&'static str> {
    decision.bounds.iter().map(|bound| bound.limit).collect()
}

fn policy() -> impl Strategy<Value = PolicyName> {
    prop::sample::select(PolicyName::ALL)
}

/// Whether the quota is that of the scale.
fn is(decision: &Decision, scale: f64) -> bool {
    (decision.quota - 500.0 * scale).abs() < 1e-3
}

proptest! {
    #[test]
    fn min_and_max_bound_whatever_else_is_said(
        policy in policy(), peak: f64, current: f64, last in 0.0..5.0f64,
        given in prop::option::of(any::<f64>()), freeze: bool, min in 0.0..2.0f64, more in 0.0..2.0f64,
    ) {
        let rails = Rails { min_scale: min, max_scale: min + more, ..Rails::default() };
        let control = InForce { override_quota: given, freeze, ..InForce::default() };
        let decision = decide(&settings(policy, rails), &inputs(peak, current), Some(&before(last)), &control);
        prop_assert!(decision.quota >= 500.0 * min - 1e-3 && decision.quota <= 500.0 * (min + more) + 1e-3, "{:?}", decision);
        prop_assert!(decision.scale_factor.is_finite() && !decision.margin.is_nan());
    }

    #[test]
    fn no_step_is_larger_than_allowed(policy in policy(), peak in 0.0..2.0f64, current in 0.0..1.0f64, last in 0.2..2.5f64) {
        let rails = Rails { largest_step_up: Some(0.2), largest_step_down: Some(0.1), ..Rails::default() };
        let wish = decide(&settings(policy, Rails::default()), &inputs(peak, current), None, &InForce::default());
        let decision = decide(&settings(policy, rails), &inputs(peak, current), Some(&before(last)), &InForce::default());
        let step = decision.quota / 500.0 - last;
        prop_assert!((-0.1 - 1e-6..=0.2 + 1e-6).contains(&step), "{}", step);
        prop_assert_eq!(limits(&decision).contains(&"largest_step_up"), wish.wish > last + 0.2);
        prop_assert_eq!(limits(&decision).contains(&"largest_step_down"), wish.wish < last - 0.1);
    }

    #[test]
    fn within_the_dead_band_nothing_changes(policy in policy(), peak in 0.0..2.0f64, current in 0.0..1.0f64, last in 0.2..2.5f64) {
        let rails = Rails { dead_band: 0.15, ..Rails::default() };
        let decision = decide(&settings(policy, rails), &inputs(peak, current), Some(&before(last)), &InForce::default());
        let is_small = (decision.wish - last).abs() < 0.15 - 1e-6;
        prop_assert!(!is_small || is(&decision, last));
        prop_assert!(is_small || is(&decision, last) || !limits(&decision).contains(&"dead_band"));
    }

    #[test]
    fn nothing_is_lowered_while_it_is_held(policy in policy(), peaks in prop::collection::vec(0.0..1.5f64, 2..40)) {
        let rails = Rails { hold_down_ms: 180_000, ..Rails::default() };
        let settings = settings(policy, rails);
        let mut last: Option<(Decision, Before)> = None;
        for (minute, peak) in peaks.into_iter().enumerate() {
            let now = Inputs { timestamp: 60_000 * minute as i64, ..inputs(peak, 0.5) };
            let decision = decide(&settings, &now, last.as_ref().map(|(_, before)| before), &InForce::default());
            if let Some((then, before)) = &last {
                let is_held = before.hold_until.is_some_and(|until| now.timestamp < until);
                prop_assert!(!is_held || decision.quota >= then.quota);
                prop_assert_eq!(limits(&decision).contains(&"hold_down"), is_held && decision.wish * 500.0 < then.quota - 1e-4);
            }
            last = Some((decision.clone(), decision.leaves()));
        }
    }

    #[test]
    fn every_policy_is_monotone_in_the_forecast(
        policy in policy(), peak in 0.0..2.0f64, more in 0.0..2.0f64, current in 0.0..1.0f64, last in 0.2..2.5f64,
        hold: bool, band in 0.0..0.3f64,
    ) {
        let rails = Rails { largest_step_up: Some(0.5), largest_step_down: Some(0.3), dead_band: band, ..Rails::default() };
        let rails = Rails { hold_down_ms: if hold { 60_000 } else { 0 }, ..rails };
        let last = Before { hold_until: hold.then_some(2_000), ..before(last) };
        let at = |peak| decide(&settings(policy, rails), &inputs(peak, current), Some(&last), &InForce::default()).quota;
        prop_assert!(at(peak + more) >= at(peak));
    }

    #[test]
    fn stale_input_holds_the_quota_and_its_lease(policy in policy(), peak in 0.0..2.0f64, last in 0.2..2.5f64, age in 1_i64..9_000_000) {
        let rails = Rails { stale_after_ms: Some(120_000), ..Rails::default() };
        let fresh = inputs(peak, 0.5);
        let now = Inputs { timestamp: fresh.cpu.measured_at + age, ..fresh };
        let decision = decide(&settings(policy, rails), &now, Some(&before(last)), &InForce::default());
        if age > 120_000 {
            prop_assert!(is(&decision, last));
            prop_assert_eq!((limits(&decision), decision.valid_until), (vec!["stale_input"], 200_000));
        } else {
            prop_assert!(!limits(&decision).contains(&"stale_input"));
            prop_assert_eq!(decision.valid_until, now.timestamp + 300_000);
        }
    }

    #[test]
    fn freeze_and_override_do_as_they_say(policy in policy(), peak in 0.0..2.0f64, last in 0.2..2.5f64, given in 60.0..1_400.0f64) {
        let freeze = InForce { freeze: true, ..InForce::default() };
        let decide = |control: &InForce| decide(&settings(policy, Rails::default()), &inputs(peak, 0.5), Some(&before(last)), control);
        let frozen = decide(&freeze);
        prop_assert!(is(&frozen, last));
        prop_assert_eq!(limits(&frozen), ["freeze"]);
        let overridden = decide(&InForce { override_quota: Some(given), ..freeze });
        prop_assert!((overridden.quota - given).abs() < 1e-3);
        prop_assert_eq!(limits(&overridden), ["override"]);
    }

    #[test]
    fn recommend_changes_the_mode_alone(policy in policy(), peak in 0.0..2.0f64, last in 0.2..2.5f64) {
        let decide = |control: &InForce| decide(&settings(policy, Rails::default()), &inputs(peak, 0.5), Some(&before(last)), control);
        let enforced = decide(&InForce::default());
        let recommended = decide(&InForce { mode: Some(Mode::Recommend), ..InForce::default() });
        prop_assert_eq!((enforced.mode, recommended.mode), (Mode::Enforce, Mode::Recommend));
        prop_assert_eq!(enforced, Decision { mode: Mode::Enforce, ..recommended });
    }
}

#[test]
fn several_bind_in_the_written_order() {
    let rails = Rails {
        max_scale: 1.05,
        largest_step_up: Some(0.2),
        dead_band: 0.05,
        hold_down_ms: 60_000,
        stale_after_ms: Some(120_000),
        ..Rails::default()
    };
    let settings = settings(PolicyName::Threshold, rails);
    let decide =
        |inputs: &Inputs, last: &Before, control: &InForce| limits(&decide(&settings, inputs, Some(last), control));
    let free = InForce::default();
    assert_eq!(decide(&inputs(1.0, 1.0), &before(1.0), &free), ["largest_step_up", "max"]);
    let held = Before { hold_until: Some(9_000), ..before(1.2) };
    assert_eq!(decide(&inputs(0.2, 0.2), &held, &free), ["hold_down", "max"]);
    assert_eq!(decide(&inputs(0.5, 0.5), &Before { quota: 510.0, ..held.clone() }, &free), ["dead_band"]);
    let stale = Inputs { timestamp: 500_000, ..inputs(1.0, 1.0) };
    assert_eq!(decide(&stale, &before(1.2), &free), ["stale_input", "max"]);
    let frozen = InForce { freeze: true, ..InForce::default() };
    assert_eq!(decide(&stale, &before(1.2), &frozen), ["freeze", "max"]);
    let all = InForce { override_quota: Some(800.0), ..frozen };
    assert_eq!(decide(&stale, &before(1.2), &all), ["override", "max"]);
    let wider = InForce { max_quota: Some(900.0), ..all };
    assert_eq!(
        decide(&stale, &before(1.2), &wider),
        ["override"],
        "an operator's bound stands in for the configured one"
    );
}

#[test]
fn words_for_headroom_and_its_rails() {
    let rails = Rails { largest_step_up: Some(0.1), ..Rails::default() };
    let settings = settings(PolicyName::Headroom, rails);
    let say = |inputs: &Inputs, control: &InForce| decide(&settings, inputs, Some(&before(0.5)), control).reason;
    let calm = inputs(0.57, 0.5);
    insta::assert_snapshot!(say(&inputs(0.4, 0.3), &InForce::default()), @"forecast CPU peak 0.45 (p90) and a margin of 0.01 for 1 % violations: 0.46 × base");
    insta::assert_snapshot!(say(&calm, &InForce::default()), @"forecast CPU peak 0.62 (p90) and a margin of 0.01 for 1 % violations: 0.63 × base; bound by largest step up to 0.60 × base");
    let warming = Inputs { from_model: false, memory: Figures { p90: 0.9, ..calm.memory }, ..calm };
    insta::assert_snapshot!(say(&warming, &InForce::default()), @"baseline forecast memory peak 0.90 (p90) and a margin of 0.09 for 1 % violations: 0.99 × base; bound by largest step up to 0.60 × base");
    let said = vec!["alice on node-1: maintenance".to_owned()];
    insta::assert_snapshot!(say(&calm, &InForce { override_quota: Some(400.0), said: said.clone(), ..InForce::default() }), @"forecast CPU peak 0.62 (p90) and a margin of 0.01 for 1 % violations: 0.63 × base; overridden to 0.80 × base; said by alice on node-1: maintenance");
    insta::assert_snapshot!(say(&calm, &InForce { freeze: true, said, ..InForce::default() }), @"forecast CPU peak 0.62 (p90) and a margin of 0.01 for 1 % violations: 0.63 × base; frozen at 0.50 × base; said by alice on node-1: maintenance");
}
