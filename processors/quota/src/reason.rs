//! The reason of a decision in words, for people: what was seen, what was forecast, what followed.

use crate::decision::Inputs;
use crate::rails::Bound;
use crate::threshold::{HIGH, LOW};

/// One sentence for a decision of the `threshold` policy.
pub(crate) fn threshold(inputs: &Inputs, scale: f64, bounded: f64, bounds: &[Bound]) -> String {
    let (p, c) = (inputs.predicted_load(), inputs.current_load());
    let resource = inputs.resource().name();
    let source = if inputs.from_model { "forecast" } else { "baseline forecast" };
    let mut text = if p > HIGH {
        format!("{source} {resource} peak {p:.2} is above {HIGH:.2}: {scale:.2} × base")
    } else if c < LOW {
        format!("load {c:.2} is below {LOW:.2} and no rise is forecast (peak {p:.2}): {scale:.2} × base")
    } else {
        format!("load {c:.2} and {source} {resource} peak {p:.2} are in range: base quota")
    };
    for Bound { limit, .. } in bounds {
        text.push_str(&format!("; bound by {limit} to {bounded:.2} × base"));
    }
    text
}
