//! The steering in a command: what was published is read back after a restart, whoever wrote it.

use tidegate_quota::{Before, Figures, InForce, Inputs, PolicyName, Settings, decide};

use crate::Target;

const MINUTE_MS: i64 = 60_000;
const BEGIN_MS: i64 = 1_767_571_200_000;

fn settings() -> Settings {
    Settings { policy: PolicyName::Headroom, ..Settings::default() }
}

/// A decision of this minute, on what the one before left.
fn decided(settings: &Settings, minute: i64, steering: Vec<u8>) -> Vec<u8> {
    let timestamp = BEGIN_MS + minute * MINUTE_MS;
    let load = 0.3 + (minute % 7) as f64 / 20.0;
    let cpu = Figures { current: load, p50: load, p90: load + 0.1, measured_at: timestamp };
    let inputs = Inputs { timestamp, base_quota: 1000.0, cpu, memory: Figures::default(), from_model: true };
    let before = Before { quota: 500.0, hold_until: None, valid_until: timestamp, steering };
    let decision = decide(settings, &inputs, Some(&before), &InForce::default());
    assert!(decision.quota.is_finite() && decision.quota >= 0.0, "{decision:?}");
    decision.steering
}

pub(super) const STEERING: Target = Target {
    name: "steering",
    usual: 20_000,
    corpus: || {
        let (settings, mut corpus) = (settings(), vec![Vec::new()]);
        for minute in 0..200 {
            corpus.push(decided(&settings, minute, corpus[minute as usize].clone()));
        }
        corpus.into_iter().step_by(20).collect()
    },
    decoder: || {
        let settings = settings();
        Box::new(move |bytes| {
            let next = decided(&settings, 201, bytes.to_vec());
            !decided(&settings, 202, next).is_empty()
        })
    },
};

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_steering() {
        super::STEERING.run();
    }
}
