//! The state in a checkpoint: what was published is read back by whoever takes a partition over.

use std::sync::LazyLock;

use tidegate_forecast::{Model, NodeState, Sample};

use crate::Target;

const MINUTE_MS: i64 = 60_000;
const BEGIN_MS: i64 = 1_767_571_200_000;

static MODEL: LazyLock<Model> = LazyLock::new(|| Model::shipped().unwrap());

fn sample(minute: i64) -> Sample {
    let cpu = Some((minute % 41) as f32 / 50.0);
    Sample { timestamp_ms: BEGIN_MS + minute * MINUTE_MS, interval_ms: MINUTE_MS, cpu, memory: Some(0.4) }
}

/// Goes on from a state; whatever was read, what it says is finite.
fn goes_on(bytes: &[u8]) -> bool {
    let Ok(mut state) = MODEL.restore(bytes) else { return false };
    for minute in 2_000..2_003 {
        let said = MODEL.predict(&mut [(&mut state, sample(minute))])[0];
        assert!(said.cpu.current.is_finite(), "{said:?}");
    }
    let again = MODEL.snapshot(&state).bytes;
    assert!(MODEL.restore(&again).is_ok(), "what was written is not read");
    true
}

pub(super) const CHECKPOINTS: Target = Target {
    name: "checkpoints",
    usual: 5_000,
    corpus: || {
        let mut state = NodeState::new();
        let mut corpus = vec![MODEL.snapshot(&state).bytes];
        for minute in 0..2_000 {
            if minute % 600 == 0 || minute % 701 == 0 {
                corpus.push(MODEL.snapshot(&state).bytes);
                corpus.extend(MODEL.checkpoint(&state, BEGIN_MS + minute * MINUTE_MS).map(|kept| kept.bytes));
            }
            let _forecast = MODEL.predict(&mut [(&mut state, sample(minute))]);
        }
        corpus
    },
    decoder: || Box::new(goes_on),
};

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_checkpoints() {
        super::CHECKPOINTS.run();
    }
}
