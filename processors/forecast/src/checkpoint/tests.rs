//! A state that went through its bytes is the same state, and what it says afterwards is the same, bit for bit.

use proptest::prelude::*;

use super::*;
use crate::load::{Prediction, Sample};

const BEGUN: i64 = 1_700_000_000_000;

/// A report: ms since the one before, whether each resource was measured, and its load in ten-thousandths.
type Step = (i64, bool, bool, u16, u16);

fn samples(steps: &[Step], interval_ms: i64) -> Vec<Sample> {
    let mut at = BEGUN;
    let sample = |(gap, cpu, memory, load, other): &Step| {
        at += gap;
        let of = |load: u16| (f64::from(load) / 1e4) as f32;
        Sample { timestamp_ms: at, interval_ms, cpu: cpu.then(|| of(*load)), memory: memory.then(|| of(*other)) }
    };
    steps.iter().map(sample).collect()
}

/// Reports with gaps, some as long as a window or longer, late ones, and resources that come and go.
fn steps(interval_ms: i64, count: usize) -> impl Strategy<Value = Vec<Step>> {
    let gap = prop_oneof![
        60 => Just(interval_ms),
        4 => -interval_ms..3 * interval_ms,
        1 => 0..70 * MINUTE_MS,
    ];
    let step = (gap, prop::bool::weighted(0.95), prop::bool::weighted(0.8), 0u16..15_000, 0u16..9_000);
    prop::collection::vec(step, count)
}

fn any_reports() -> impl Strategy<Value = Vec<Sample>> {
    let all = |interval_ms: i64, count: usize| steps(interval_ms, count).prop_map(move |s| samples(&s, interval_ms));
    prop_oneof![all(60_000, 700), all(300_000, 700), all(10_000, 900)]
}

fn says(model: &Model, state: &mut NodeState, sample: Sample) -> Prediction {
    model.predict(&mut [(state, sample)])[0]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn a_restored_state_goes_on_bit_by_bit(reports in any_reports()) {
        let model = Model::shipped().unwrap();
        let mut state = NodeState::new();
        let mut restored: Option<NodeState> = None;
        let (mut checkpoints, mut reports_since) = (0, 0_u32);
        for sample in reports {
            if let Some(kept) = model.checkpoint(&state, sample.timestamp_ms) {
                let again = model.restore(&kept.bytes).unwrap();
                prop_assert_eq!(&model.snapshot(&again), &kept, "its own bytes are the same");
                if let Some(before) = &restored {
                    prop_assert_eq!(model.checkpoint(before, sample.timestamp_ms).unwrap(), kept);
                }
                restored = Some(again);
                checkpoints += 1;
            }
            let said = says(&model, &mut state, sample);
            if reports_since.is_multiple_of(97) {
                let (snapshot, before) = (model.snapshot(&state), comparable(&state));
                prop_assert_eq!(comparable(&model.restore(&snapshot.bytes).unwrap()), before);
            }
            reports_since += 1;
            if let Some(restored) = &mut restored {
                // The network's states are compared through what they say; zero is not minus zero in a bit.
                prop_assert_eq!(format!("{said:?}"), format!("{:?}", says(&model, restored, sample)));
                if reports_since.is_multiple_of(41) {
                    prop_assert_eq!(comparable(restored), comparable(&state));
                }
            }
        }
        prop_assert!(checkpoints > 0);
    }

    #[test]
    fn rebuilding_leaves_what_forecasting_leaves(reports in any_reports(), from in 0usize..600) {
        let model = Model::shipped().unwrap();
        let (mut forecast, mut rebuilt) = (NodeState::new(), NodeState::new());
        for sample in &reports[..from] {
            says(&model, &mut forecast, *sample);
            model.rebuild(&mut [(&mut rebuilt, *sample)]);
        }
        if from % 2 == 0 {
            model.settle(std::iter::once(&mut rebuilt));
            prop_assert_eq!(comparable(&rebuilt), comparable(&forecast));
        }
        for (number, sample) in reports[from..].iter().enumerate() {
            let said = says(&model, &mut forecast, *sample);
            prop_assert_eq!(format!("{said:?}"), format!("{:?}", says(&model, &mut rebuilt, *sample)));
            if number % 41 == 0 {
                prop_assert_eq!(comparable(&rebuilt), comparable(&forecast));
            }
        }
    }
}

/// A state without what lies beyond its reach: when it began long ago, and the day before the last.
fn comparable(state: &NodeState) -> Vec<String> {
    let of = |resource: Resource| {
        let mut track = state.seen(resource)?.clone();
        let (minute, reach) = (track.history.minute, track.last_ms - REACH_MS);
        track.begun_ms = track.begun_ms.max(reach);
        track.whole_window = track.whole_window.max(track.window - 2);
        let day = &track.history.day;
        let mut last_day = Day::begin(day.begun.max(minute - DAY_MINUTES - 1));
        for at in last_day.begun.max(minute - DAY_MINUTES)..minute {
            last_day.put_steps(at, day.steps(at));
        }
        track.history.day = last_day;
        // What was not said in a minute is of no account.
        let mut said = Writer::default();
        std::mem::replace(&mut track.scores, Scores::begin(0)).write(&mut said);
        std::mem::replace(&mut track.adaptation, Adaptation::begin(0)).write(&mut said);
        let cells: Vec<u32> = track.cells.iter().map(|x| x.to_bits()).collect();
        Some(format!("{track:?} {cells:?} {:?}", said.bytes))
    };
    Resource::ALL.into_iter().filter_map(of).collect()
}

#[test]
fn bytes_of_another_model_or_form_are_refused() {
    let model = Model::shipped().unwrap();
    let mut state = NodeState::new();
    for sample in samples(&vec![(60_000, true, true, 4_000, 3_000); 100], 60_000) {
        says(&model, &mut state, sample);
    }
    let kept = model.checkpoint(&state, BEGUN + 101 * 60_000 + CONTEXT_WINDOW_MS).unwrap().bytes;
    assert!(model.restore(&kept).is_ok());
    assert!(model.restore(&[]).is_err() && model.restore(&[FORM + 1]).is_err());
    assert!(model.restore(&kept[..kept.len() - 1]).is_err(), "cut short");
    assert!(model.restore(&[&kept[..], &[0]].concat()).is_err(), "and more");
}

#[test]
fn a_model_from_before_nodes_corrected_it_forecasts_and_comes_back() {
    let shipped = crate::Artifact::from_bytes(include_bytes!("../../models/tide.tidemodel")).unwrap();
    let tensors = shipped.tensors().clone().without("cpu.basis").without("memory.basis");
    let older = Model::from_artifact(&crate::Artifact::new(shipped.card().clone(), tensors).unwrap()).unwrap();
    let reports = samples(&vec![(60_000, true, true, 4_000, 3_000); 200], 60_000);
    let (mut state, mut corrected) = (NodeState::new(), NodeState::new());
    let shipped = Model::shipped().unwrap();
    for sample in &reports {
        says(&older, &mut state, *sample);
        says(&shipped, &mut corrected, *sample);
    }
    assert!(corrected.view(Resource::Cpu).unwrap().correction.is_some());
    assert_eq!(state.view(Resource::Cpu).unwrap().correction, None);
    let mut again = older.restore(&older.snapshot(&state).bytes).unwrap();
    let next = Sample { timestamp_ms: BEGUN + 201 * 60_000, ..reports[199] };
    assert_eq!(format!("{:?}", says(&older, &mut again, next)), format!("{:?}", says(&older, &mut state, next)));
}

#[test]
fn weights_and_notes_that_nothing_teaches_are_refused() {
    let model = Model::shipped().unwrap();
    let mut state = NodeState::new();
    for sample in samples(&vec![(60_000, true, false, 4_000, 0); 1_000], 60_000) {
        says(&model, &mut state, sample);
    }
    let whole = model.snapshot(&state).bytes;
    let mut refused = 0;
    for at in 0..whole.len() - 3 {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&1e30f32.to_le_bytes());
        // What is taken all the same goes on to be written and read again.
        let Ok(mut state) = model.restore(&bytes) else {
            refused += 1;
            continue;
        };
        if at % 7 == 0 {
            let last = state.last_ms().unwrap();
            for minute in 1..8 {
                let timestamp_ms = last.saturating_add(minute * 60_000);
                let said = says(
                    &model,
                    &mut state,
                    Sample { timestamp_ms, interval_ms: 60_000, cpu: Some(0.3), memory: None },
                );
                assert!(said.cpu.peak.p90.is_finite());
            }
        }
    }
    assert!(refused > 200, "{refused}");
}
