//! The threshold policy's decisions: reasons, leases, bounds.

use proptest::prelude::*;

use super::inputs;
use crate::{Before, Counted, Figures, InForce, Inputs, PolicyName, Settings, decide};

#[test]
fn reasons_read_as_sentences() {
    let say = |peak, current| decide(&Settings::default(), &inputs(peak, current), None, &InForce::default()).reason;
    assert_eq!(say(0.92, 0.55), "forecast CPU peak 0.92 is above 0.80: 1.38 × base");
    assert_eq!(say(0.2, 0.15), "load 0.15 is below 0.30 and no rise is forecast (peak 0.20): 0.70 × base");
    assert_eq!(say(0.6, 0.5), "load 0.50 and forecast CPU peak 0.60 are in range: base quota");
    assert_eq!(say(2.4, 1.0), "forecast CPU peak 2.40 is above 0.80: 3.60 × base; bound by max to 3.00 × base");
    let memory = Figures { p50: 0.9, ..inputs(0.6, 0.5).memory };
    let warming = Inputs { from_model: false, memory, ..inputs(0.6, 0.5) };
    assert_eq!(
        decide(&Settings::default(), &warming, None, &InForce::default()).reason,
        "baseline forecast memory peak 0.90 is above 0.80: 1.35 × base"
    );
}

#[test]
fn the_lease_ends_in_event_time() {
    let settings = Settings { lease_ms: 60_000, ..Settings::default() };
    assert_eq!(decide(&settings, &inputs(0.5, 0.5), None, &InForce::default()).valid_until, 61_000);
    assert!(Settings { lease_ms: 0, ..settings }.validate().is_err());
}

#[test]
fn the_resource_that_counts_is_a_setting() {
    let memory = Figures { current: 0.4, p50: 0.9, p90: 0.95, measured_at: 1_000 };
    let inputs = Inputs { memory, ..inputs(0.5, 0.35) };
    let scale = |resource| {
        let settings = Settings { resource, ..Settings::default() };
        decide(&settings, &inputs, None, &InForce::default()).scale_factor
    };
    assert_eq!([Counted::Max, Counted::Cpu, Counted::Memory].map(scale), [1.35, 1.0, 1.35]);
}

#[test]
fn an_outcome_needs_every_resource_that_counts_and_is_known() {
    let at = |cpu, memory| {
        let mut inputs = inputs(0.5, 0.5);
        (inputs.cpu.measured_at, inputs.memory.measured_at) = (cpu, memory);
        Counted::ALL.iter().map(|counted| inputs.is_measured(*counted)).collect::<Vec<_>>()
    };
    // max, cpu, memory
    assert_eq!(at(1_000, 1_000), [true, true, true]);
    assert_eq!(at(1_000, 400), [false, true, false]);
    assert_eq!(at(1_000, 0), [true, true, false], "memory was never measured");
    assert_eq!(at(0, 0), [false, false, false], "a forecast of before there was measured_at");
}

#[test]
fn headroom_steers_on_from_what_its_last_command_left() {
    let settings = Settings { policy: PolicyName::Headroom, ..Settings::default() };
    let mut before = None;
    let mut margins = Vec::new();
    for minute in 1..3_000 {
        let figures = Figures { current: 0.5, p50: 0.2, p90: 0.25, measured_at: minute * 60_000 };
        let inputs = Inputs { timestamp: minute * 60_000, cpu: figures, ..inputs(0.0, 0.0) };
        let inputs = Inputs { memory: Figures::default(), ..inputs };
        let decision = decide(&settings, &inputs, before.as_ref(), &InForce::default());
        margins.push(decision.margin);
        before = Some(decision.leaves());
    }
    assert!(margins[0] < 0.1, "the prior's margin is small: {}", margins[0]);
    assert!(margins.last().is_some_and(|margin| (0.25..0.3).contains(margin)), "{:?}", margins.last());
    let threshold = InForce { policy: Some(PolicyName::Threshold), ..InForce::default() };
    let other = decide(&settings, &inputs(0.5, 0.5), before.as_ref(), &threshold);
    assert_eq!(Some(&other.leaves().steering), before.as_ref().map(|before| &before.steering), "kept for its return");
}

#[test]
fn a_steering_of_another_form_begins_anew() {
    let settings = Settings { policy: PolicyName::Headroom, ..Settings::default() };
    let decided = |steering: Vec<u8>| {
        let before = Before { quota: 250.0, hold_until: None, valid_until: 0, steering };
        decide(&settings, &inputs(0.5, 0.4), Some(&before), &InForce::default())
    };
    let anew = decided(Vec::new());
    let cut_off = anew.steering[..anew.steering.len() - 1].to_vec();
    let too_long = [&anew.steering[..], &[0]].concat();
    for foreign in [vec![0], vec![2; 40], vec![255; 600], cut_off, too_long] {
        assert_eq!(decided(foreign), anew);
    }
}

proptest! {
    #[test]
    fn the_quota_is_bounded_and_free_of_nan(peak: f64, current: f64, base in 1e-3..1e9f64) {
        let settings = Settings::default();
        let inputs = Inputs { base_quota: base, ..inputs(peak, current) };
        let decision = decide(&settings, &inputs, None, &InForce::default());
        let (low, high) = (settings.rails.min_scale * base, settings.rails.max_scale * base);
        prop_assert!(decision.quota >= low - 1e-4 && decision.quota <= high + 1e-4, "{decision:?}");
    }
}
