//! Artifacts survive the way through a file, and nothing else passes for one.

mod nodes;

use nodes::{bits, run, small_model};
use tidegate_forecast::{Artifact, ForecastError, Model, NodeState, Resource, Sample};

const SHIPPED: &[u8] = include_bytes!("../models/tide.tidemodel");

#[test]
fn the_shipped_model_is_small_named_and_the_same_after_a_round_trip() {
    assert!(SHIPPED.len() < 1_000_000);
    let artifact = Artifact::from_bytes(SHIPPED).unwrap();
    assert_eq!(artifact.to_bytes().unwrap(), SHIPPED);
    let model = Model::from_artifact(&artifact).unwrap();
    let (name, digits) = model.name().split_once(' ').unwrap();
    assert_eq!(name, artifact.card().name);
    assert_eq!(digits, &artifact.checksum()[..8]);
    fn shared<T: Send + Sync>(model: &T) -> &T {
        model
    }
    assert_eq!(shared(&Model::shipped().unwrap()).name(), model.name());
}

#[test]
fn the_shipped_model_beats_both_baselines_on_what_it_has_not_seen() {
    let artifact = Artifact::from_bytes(SHIPPED).unwrap();
    let scores = &artifact.card().scores;
    let mae = |part: &str, resource: Resource, forecaster: &str| {
        let mut found = scores.iter().filter(|score| {
            score.source.starts_with("smd")
                && score.part == part
                && score.resource == resource
                && score.forecaster == forecaster
        });
        found.next().unwrap_or_else(|| panic!("no score of {forecaster} on {part}")).peak_mae
    };
    for (part, resource) in ["later", "unseen"].into_iter().flat_map(|part| Resource::ALL.map(|of| (part, of))) {
        let model = mae(part, resource, "model");
        assert!(model < mae(part, resource, "persistence"), "{part} {resource:?}");
        assert!(model < mae(part, resource, "max_last_5m"), "{part} {resource:?}");
    }
}

#[test]
fn a_model_of_several_networks_comes_back_whole_and_averages_them() {
    let artifact = small_model(2).unwrap();
    let again = Artifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
    assert_eq!(again, artifact);
    assert_eq!(again.card().members, 2);
    let samples: Vec<Sample> = (0..300)
        .map(|minute| Sample {
            timestamp_ms: minute * 60_000,
            interval_ms: 60_000,
            cpu: Some(nodes::load(1, minute * 60_000)),
            memory: None,
        })
        .collect();
    let [once, twice] = [artifact, again].map(|artifact| run(&Model::from_artifact(&artifact).unwrap(), &samples));
    assert!(once.iter().map(bits).eq(twice.iter().map(bits)));
    let alone = run(&Model::from_artifact(&small_model(1).unwrap()).unwrap(), &samples);
    assert!(once.iter().map(bits).ne(alone.iter().map(bits)), "the second network says something");
}

#[test]
fn a_changed_byte_anywhere_is_noticed() {
    for at in (8..SHIPPED.len()).step_by(997) {
        let mut bytes = SHIPPED.to_vec();
        bytes[at] ^= 0x10;
        assert!(Artifact::from_bytes(&bytes).is_err(), "byte {at}");
    }
    let mut bytes = SHIPPED.to_vec();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    let error = Artifact::from_bytes(&bytes).unwrap_err();
    assert!(matches!(error, ForecastError::Damaged { .. }));
    assert!(error.to_string().starts_with("is damaged: checksum "), "{error}");
    assert!(!error.is_retryable());
}

#[test]
fn other_files_are_refused_with_a_sentence() {
    let foreign = |bytes: &[u8]| {
        let error = Artifact::from_bytes(bytes).unwrap_err();
        assert!(matches!(error, ForecastError::NotAModel { .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("is not a tidegate model: ") && !text.contains('\n'), "{text}");
        text
    };
    foreign(b"");
    foreign(b"node_id,timestamp_ms,cpu,memory\n");
    foreign(&SHIPPED[..SHIPPED.len() / 2]);
    let mut header = br#"{"__metadata__":{"format":"pt"}}"#.to_vec();
    let mut other = (header.len() as u64).to_le_bytes().to_vec();
    other.append(&mut header);
    assert!(foreign(&other).contains("no entry named tidegate"));
    let text = SHIPPED.windows(17).position(|window| window == b"tidegate.model.v1").unwrap();
    let mut newer = SHIPPED.to_vec();
    newer[text + 16] = b'9';
    assert!(foreign(&newer).contains("tidegate.model.v9"));
}

#[test]
fn a_prediction_is_the_same_after_a_round_trip() {
    let artifact = Artifact::from_bytes(SHIPPED).unwrap();
    let again = Artifact::from_bytes(&artifact.to_bytes().unwrap()).unwrap();
    let forecasts = [artifact, again].map(|artifact| {
        let model = Model::from_artifact(&artifact).unwrap();
        let mut state = NodeState::new();
        let mut last = None;
        for minute in 0..200 {
            let cpu = Some((minute % 17) as f32 / 20.0);
            let sample = Sample { timestamp_ms: minute * 60_000, interval_ms: 60_000, cpu, memory: None };
            last = Some(model.predict(&mut [(&mut state, sample)])[0]);
        }
        last
    });
    assert_eq!(forecasts[0], forecasts[1]);
}
