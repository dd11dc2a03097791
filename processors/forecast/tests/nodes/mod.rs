//! Nodes made up for the tests, and what a model says of them.

use tidegate_forecast::{
    Artifact, ForecastError, Model, NodeState, Prediction, ResourceForecast, Sample, Series, Status, TrainOptions,
    train,
};

pub(crate) const MINUTE_MS: i64 = 60_000;

fn bits_of(forecast: &ResourceForecast) -> Vec<u32> {
    let ResourceForecast { current, path, peak } = forecast;
    let mut values = vec![*current, peak.p50, peak.p90];
    values.extend(path);
    values.into_iter().map(f32::to_bits).collect()
}

/// Everything that a forecast holds, to be compared bit for bit.
pub(crate) fn bits(prediction: &Prediction) -> (Status, Vec<u32>, Vec<u32>) {
    (prediction.status, bits_of(&prediction.cpu), bits_of(&prediction.memory))
}

/// What the model says of one node's reports.
pub(crate) fn run(model: &Model, samples: &[Sample]) -> Vec<Prediction> {
    let mut state = NodeState::new();
    let one = |sample: &Sample| model.predict(&mut [(&mut state, *sample)])[0];
    samples.iter().map(one).collect()
}

/// A load without randomness that differs between nodes and moves on several scales.
pub(crate) fn load(node: usize, at_ms: i64) -> f32 {
    let minutes = (at_ms / 1_000) as f64 / 60.0;
    let slow = (minutes / 37.0 + node as f64).sin();
    let fast = (minutes * 1.7 + node as f64 * 0.3).sin();
    let job = if (minutes as usize + 7 * node).is_multiple_of(15) { 0.3 } else { 0.0 };
    (0.3 + 0.15 * slow + 0.05 * fast + job) as f32
}

/// A small model of so many networks a resource, trained for some steps.
#[allow(dead_code, reason = "not every test file needs it")]
pub(crate) fn small_model(members: usize) -> Result<Artifact, ForecastError> {
    let sample = |node: usize, minute: i64| {
        let timestamp_ms = 1_700_000_000_000 + minute * MINUTE_MS;
        let memory = Some(load(node + 1, timestamp_ms) * 0.5);
        Sample { timestamp_ms, interval_ms: MINUTE_MS, cpu: Some(load(node, timestamp_ms)), memory }
    };
    let series = |node: usize| Series {
        node_id: format!("node-{node}"),
        source: "made-up".to_owned(),
        samples: (0..2_000).map(|minute| sample(node, minute)).collect(),
    };
    let data: Vec<Series> = (0..2).map(series).collect();
    let options =
        TrainOptions { members, hidden: 16, steps: 8, batch: 8, simulated_nodes: 4, ..TrainOptions::default() };
    train(&data, &options, &mut |_| true).map(|(artifact, _)| artifact)
}
