//! The way from the forecast to the quota, step by step, as the decision itself tells it.

use tidegate_quota::{Decision, PolicyName};

use crate::explanation::StepView;

/// The policy's wish, then every guard rail and control that bound; values are multiples of the base quota.
pub(crate) fn steps(decision: &Decision) -> Vec<StepView> {
    let Decision { predicted_load: p50, forecast_p90: p90, current_load, margin, .. } = decision;
    let (peak, why) = match decision.policy {
        PolicyName::Threshold => {
            (*p50, format!("threshold: forecast peak {p50:.4} (p50), current load {current_load:.4}"))
        }
        PolicyName::Headroom => (*p90, format!("headroom: forecast peak {p90:.4} (p90) and a margin of {margin:.4}")),
    };
    let mut steps = vec![step("policy", peak, decision.wish, why)];
    let mut before = decision.wish;
    for bound in &decision.bounds {
        steps.push(step(bound.limit, before, bound.scale, words(bound.limit).to_owned()));
        before = bound.scale;
    }
    steps
}

fn step(name: &str, before: f64, after: f64, why: String) -> StepView {
    StepView { name: name.to_owned(), before: rounded(before), after: rounded(after), why }
}

/// What a guard rail or control does.
fn words(limit: &str) -> &'static str {
    match limit {
        "min" => "the quota may not be smaller",
        "max" => "the quota may not be larger",
        "largest_step_up" => "the quota may not rise further at once",
        "largest_step_down" => "the quota may not fall further at once",
        "dead_band" => "too small a change: the quota stays as it is",
        "hold_down" => "the quota rose a short while ago and may not fall yet",
        "stale_input" => "nothing new was measured: the quota stays until its lease ends",
        "override" => "an operator's control says so",
        "freeze" => "an operator's control keeps the quota as it is",
        _ => "a guard rail",
    }
}

fn rounded(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}
