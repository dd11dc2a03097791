//! The steering converges whatever the model, and its state comes back from its bytes.

use proptest::prelude::*;

use super::*;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440;

/// Repeatable noise in 0…1 (splitmix64).
fn noise(seed: u64, at: i64) -> f64 {
    let mut x = seed.wrapping_add((at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) as f64 / u64::MAX as f64
}

/// Share of outcomes above the quotas decided after the first day; `load` and `p90` by minute.
fn violations(days: i64, target: f64, load: impl Fn(i64) -> f64, p90: impl Fn(i64) -> f64) -> f64 {
    let prior = Prior::default();
    let mut state = State::new();
    let mut quotas: Vec<f64> = Vec::new();
    let (mut above, mut all) = (0_u32, 0_u32);
    for minute in 0..days * DAY {
        state.observe(minute * MINUTE, Some(load(minute)), target);
        for quota in quotas.iter().rev().take(5).filter(|_| minute > DAY) {
            all += 1;
            above += u32::from(load(minute) > *quota);
        }
        let margin = state.margin(&prior, true, target);
        quotas.push(p90(minute) + margin);
        state.wait(minute * MINUTE, p90(minute), margin);
    }
    f64::from(above) / f64::from(all)
}

fn daily(minute: i64) -> f64 {
    0.3 + 0.2 * (minute as f64 * std::f64::consts::TAU / DAY as f64).sin()
}

/// Load ±0.1 that creeps up by 0.01 a day while the model stays behind.
fn drift(minute: i64) -> f64 {
    daily(minute) + 0.2 * noise(1, minute) + 0.01 * minute as f64 / DAY as f64
}

/// Noise that grows threefold within 20 days.
fn wider(minute: i64) -> f64 {
    daily(minute) + 0.2 * noise(6, minute) * (1.0 + 0.1 * minute as f64 / DAY as f64)
}

/// Every few hours a burst of ten minutes, up to 0.5 high.
fn burst(minute: i64) -> f64 {
    let is_burst = noise(2, minute / 10) < 0.03;
    daily(minute) + 0.05 * noise(3, minute) + if is_burst { 0.5 * noise(4, minute / 10) } else { 0.0 }
}

#[test]
fn it_converges_to_the_target_under_drift_bursts_and_bad_models() {
    for target in [0.005, 0.01, 0.05] {
        for (name, share) in [
            ("drift", violations(20, target, drift, daily)),
            ("growing noise", violations(20, target, wider, daily)),
            ("bursts", violations(20, target, burst, daily)),
            ("a model 0.3 too low", violations(20, target, drift, |minute| (daily(minute) - 0.3).max(0.0))),
            ("a model 0.3 too high", violations(20, target, burst, |minute| daily(minute) + 0.3)),
            ("a model that knows nothing", violations(20, target, burst, |_| 0.0)),
        ] {
            let times = share / target;
            assert!((0.5..1.4).contains(&times), "{name}, target {target}: {times:.2} times the target");
        }
    }
}

#[test]
fn the_longer_a_drift_lasts_the_nearer_it_comes() {
    for target in [0.01, 0.05] {
        for (name, load) in [("drift", drift as fn(i64) -> f64), ("growing noise", wider)] {
            let [first, whole] = [20, 60].map(|days| violations(days, target, load, daily) / target);
            assert!(
                whole < first && (0.8..1.2).contains(&whole),
                "{name}, target {target}: {first:.2}, then {whole:.2}"
            );
        }
    }
}

#[test]
fn it_follows_the_baseline_within_hours() {
    // A slow rise, as memory has it: every sample is above the last peak, by little.
    let load = |minute: i64| 0.02 + 2e-4 * minute as f64 + 1e-4 * noise(7, minute);
    let share_above = |is_from_model: bool, target: f64| {
        let prior = Prior::default();
        let mut state = State::new();
        let mut quotas: Vec<f64> = Vec::new();
        let mut above = Vec::new();
        for minute in 0..300 {
            state.observe(minute * MINUTE, Some(load(minute)), target);
            above.extend(quotas.iter().rev().take(5).map(|quota| f64::from(u8::from(load(minute) > *quota))));
            let margin = state.margin(&prior, is_from_model, target);
            quotas.push(load(minute) + margin);
            state.wait(minute * MINUTE, load(minute), margin);
        }
        above.iter().sum::<f64>() / above.len() as f64
    };
    for target in [0.01, 0.05] {
        let share = share_above(false, target);
        assert!(share < 1.5 * target, "target {target}: {share}");
    }
    assert!(share_above(true, 0.05) > 1.5 * 0.05, "the model's prior does not fit the baseline");
}

#[test]
fn a_lower_target_never_has_a_smaller_margin() {
    let prior = Prior::default();
    let mut state = State::new();
    for minute in 0..3 * DAY {
        state.observe(minute * MINUTE, Some(noise(5, minute)), 0.01);
        state.wait(minute * MINUTE, 0.5, 0.4);
        let margins = [0.05, 0.02, 0.01, 0.001].map(|target| state.margin(&prior, true, target));
        assert!(margins.is_sorted(), "{margins:?}");
    }
}

#[test]
fn a_repeated_load_without_measurement_is_no_outcome() {
    let mut state = State::new();
    state.observe(MINUTE, Some(0.5), 0.01);
    state.wait(MINUTE, 0.5, 0.1);
    let mut unmeasured = state.clone();
    unmeasured.observe(2 * MINUTE, None, 0.01);
    assert_eq!(unmeasured.own, state.own);
    state.observe(2 * MINUTE, Some(0.5), 0.01);
    assert!((state.own.iter().sum::<f32>() - 1.0).abs() < 1e-6);
}

proptest! {
    #[test]
    fn the_state_is_what_its_bytes_say(
        reports in prop::collection::vec((-2_i64..400_000, prop::option::of(any::<f64>()), any::<f64>()), 0..300),
    ) {
        let mut state = State::new();
        let mut now = 1_700_000_000_000;
        for (after, load, p90) in reports {
            now += after * if after < 0 { 1_000_000 } else { 1 };
            state.observe(now, load, 0.01);
            let margin = state.margin(&Prior::default(), true, 0.01);
            prop_assert!(margin.is_finite() && margin.abs() < 20.0);
            state.wait(now, p90, margin);
            prop_assert!(state.pending.len() <= 61);
            let again = State::from_bytes(&state.to_bytes());
            prop_assert_eq!(again.as_ref(), Some(&state));
            state = again.unwrap();
        }
    }

    #[test]
    fn any_bytes_are_a_state_or_none(mut bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        if let Some(mut state) = State::from_bytes(&bytes) {
            state.observe(1, Some(0.5), 0.01);
            prop_assert!(state.margin(&Prior::default(), true, 0.01).is_finite());
            state.wait(i64::MAX, 0.5, 0.1);
            prop_assert!(State::from_bytes(&state.to_bytes()).is_some());
        }
    }
}
