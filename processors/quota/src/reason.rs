//! The reason of a decision in words, for people: what was seen, what was forecast, what followed, what bound it.

use crate::inputs::Inputs;
use crate::names::{Counted, PolicyName};
use crate::rails::Bound;
use crate::threshold::{HIGH, LOW};

/// What the sentence is made of.
pub(crate) struct Words<'a> {
    pub(crate) inputs: &'a Inputs,
    pub(crate) counted: Counted,
    pub(crate) policy: PolicyName,
    pub(crate) wish: f64,
    pub(crate) margin: f64,
    pub(crate) target: f64,
}

impl Words<'_> {
    /// One sentence for a decision.
    pub(crate) fn sentence(&self, bounds: &[Bound], said: &[String]) -> String {
        let mut text = match self.policy {
            PolicyName::Threshold => self.threshold(),
            PolicyName::Headroom => self.headroom(),
        };
        for Bound { limit, scale } in bounds {
            text.push_str(&match *limit {
                "override" => format!("; overridden to {scale:.2} × base"),
                "freeze" => format!("; frozen at {scale:.2} × base"),
                "stale_input" => format!("; nothing new was measured: {scale:.2} × base until the lease ends"),
                limit => format!("; bound by {} to {scale:.2} × base", limit.replace('_', " ")),
            });
        }
        if !said.is_empty() {
            text.push_str(&format!("; said by {}", said.join(" and by ")));
        }
        text
    }

    fn threshold(&self) -> String {
        let (p, c) = (self.inputs.predicted_load(self.counted), self.inputs.current_load(self.counted));
        let resource = self.inputs.resource(self.counted, |f| f.p50).name();
        let (source, scale) = (self.source(), self.wish);
        if p > HIGH {
            format!("{source} {resource} peak {p:.2} is above {HIGH:.2}: {scale:.2} × base")
        } else if c < LOW {
            format!("load {c:.2} is below {LOW:.2} and no rise is forecast (peak {p:.2}): {scale:.2} × base")
        } else {
            format!("load {c:.2} and {source} {resource} peak {p:.2} are in range: base quota")
        }
    }

    fn headroom(&self) -> String {
        let p90 = self.inputs.forecast_p90(self.counted);
        let resource = self.inputs.resource(self.counted, |f| f.p90).name();
        let (source, scale, margin) = (self.source(), self.wish, self.margin);
        let percent = (self.target * 1e6).round() / 1e4;
        format!(
            "{source} {resource} peak {p90:.2} (p90) and a margin of {margin:.2} for {percent} % violations: \
             {scale:.2} × base"
        )
    }

    fn source(&self) -> &'static str {
        if self.inputs.from_model { "forecast" } else { "baseline forecast" }
    }
}
