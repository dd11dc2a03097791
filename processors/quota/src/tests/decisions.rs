//! The threshold policy's decisions: reasons, leases, bounds.

use proptest::prelude::*;

use super::inputs;
use crate::{Figures, InForce, Inputs, Settings, decide};

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
