//! How fast a model, or the shipped one, forecasts on one core: rows a second in batches, and the cost of a batch of one.
//!
//! `cargo run --release -p tidegate-forecast --example throughput -- [MODEL]`
#![allow(clippy::print_stdout, reason = "its output is its purpose")]

use std::error::Error;
use std::time::Instant;

use tidegate_forecast::{Artifact, Model, NodeState, Sample};

const NODES: usize = 2_000;
/// More than a day, so that every input is known.
const WARM_MINUTES: i64 = 1_500;
const MEASURED_MINUTES: i64 = 100;

/// A load that moves, different for each node.
fn sample(node: usize, minute: i64) -> Sample {
    let wave = ((minute * 7 + node as i64 * 13) % 97) as f32 / 97.0;
    Sample {
        timestamp_ms: minute * 60_000,
        interval_ms: 60_000,
        cpu: Some(0.2 + 0.5 * wave),
        memory: Some(0.4 + 0.1 * wave),
    }
}

fn run(model: &Model, states: &mut [NodeState], batch: usize, minutes: std::ops::Range<i64>) -> f64 {
    let begun = Instant::now();
    let mut sum = 0.0;
    for minute in minutes {
        for (first, states) in (0..).step_by(batch).zip(states.chunks_mut(batch)) {
            let rows = states.iter_mut().enumerate();
            let mut rows: Vec<_> = rows.map(|(i, state)| (state, sample(first + i, minute))).collect();
            for prediction in model.predict(&mut rows) {
                sum += prediction.cpu.peak.p50;
            }
        }
    }
    assert!(sum.is_finite());
    begun.elapsed().as_secs_f64()
}

fn main() -> Result<(), Box<dyn Error>> {
    let model = match std::env::args().nth(1) {
        Some(path) => Model::from_artifact(&Artifact::from_bytes(&std::fs::read(path)?)?)?,
        None => Model::shipped()?,
    };
    println!("model {}, state {} bytes and its cells", model.name(), size_of::<NodeState>());
    for batch in [1, 7, 64, 1_000] {
        let mut states = vec![NodeState::new(); NODES];
        run(&model, &mut states, batch, 0..WARM_MINUTES);
        let measured = WARM_MINUTES..WARM_MINUTES + MEASURED_MINUTES;
        let seconds = run(&model, &mut states, batch, measured);
        let rows = NODES as f64 * MEASURED_MINUTES as f64;
        println!("batch {batch:5}: {:9.0} rows/s, {:6.2} µs a row", rows / seconds, seconds / rows * 1e6);
    }
    Ok(())
}
