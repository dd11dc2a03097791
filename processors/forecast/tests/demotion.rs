//! When the baseline takes the model's place, and that this too is a function of the reports within reach.

mod nodes;

use nodes::{MINUTE_MS, bits, load, run};
use proptest::prelude::*;
use tidegate_forecast::{
    CONTEXT_WINDOW_MS, Model, NodeState, Prediction, REACH_MS, Resource, ResourceForecast, Sample, Status, WindowScore,
    baseline,
};

/// Reports between two windows' boundaries, at one a minute.
const WINDOW: usize = 60;
/// A moment at which a window begins.
const BEGUN_MS: i64 = 472_223 * CONTEXT_WINDOW_MS;

fn sample(timestamp_ms: i64, cpu: f32, memory: Option<f32>) -> Sample {
    Sample { timestamp_ms, interval_ms: MINUTE_MS, cpu: Some(cpu), memory }
}

/// Pulses so high that no network hits them within a quarter of a point, and so regular that the last peak is the next one.
fn pulse(index: usize) -> f32 {
    if index.is_multiple_of(2) { 9.0 } else { 0.5 }
}

/// A report a minute: a load that the model knows, `bad` windows of pulses from window `from` on, and again the first.
fn bad_for_a_while(windows: usize, from: usize, bad: usize) -> Vec<Sample> {
    let report = |index: usize| {
        let at = BEGUN_MS + index as i64 * MINUTE_MS;
        let is_bad = (from..from + bad).contains(&(index / WINDOW));
        sample(at, if is_bad { pulse(index) } else { load(1, at) }, None)
    };
    (0..windows * WINDOW).map(report).collect()
}

/// The status of each window, which is the same throughout.
fn by_window(predictions: &[Prediction]) -> Vec<Status> {
    let window = |window: &[Prediction]| {
        assert!(window.iter().all(|prediction| prediction.status == window[0].status), "it changes within a window");
        window[0].status
    };
    predictions.chunks(WINDOW).map(window).collect()
}

#[test]
fn a_model_that_is_worse_for_two_windows_is_demoted_and_comes_back() {
    use Status::{Demoted, Ready, Warming};
    let model = Model::shipped().unwrap();
    let statuses = by_window(&run(&model, &bad_for_a_while(11, 3, 3)));
    // Windows 3, 4 and 5 are bad. What the model sees of them troubles it for two hours more.
    assert_eq!(statuses[..7], [Warming, Ready, Ready, Ready, Ready, Demoted, Demoted]);
    assert_eq!(statuses[9..], [Ready, Ready]);
    let statuses = by_window(&run(&model, &bad_for_a_while(7, 5, 1)));
    assert_eq!(statuses, [Warming, Ready, Ready, Ready, Ready, Ready, Ready], "one bad window is no verdict");
}

#[test]
fn what_becomes_known_adds_up_to_the_scores_of_the_windows() {
    let model = Model::shipped().unwrap();
    let mut state = NodeState::new();
    let (mut known, mut minutes) = ([0.0, 0.0], 0);
    for (index, sample) in bad_for_a_while(8, 5, 1).into_iter().enumerate().take(7 * WINDOW + 1) {
        let marks = state.marks();
        drop(model.predict(&mut [(&mut state, sample)]));
        let [cpu, memory] = state.known_since(&marks);
        assert_eq!(memory, WindowScore::default(), "it was not measured");
        // What a minute's report makes known belongs to the minute before.
        if index > 4 * WINDOW {
            known = [known[0] + f64::from(cpu.model), known[1] + f64::from(cpu.baseline)];
            minutes += cpu.outcomes;
        }
    }
    let whole = state.scores(Resource::Cpu).unwrap();
    let sum = |of: fn(&WindowScore) -> f32| whole.iter().map(|score| f64::from(of(score))).sum::<f64>();
    assert_eq!(minutes, 3 * WINDOW as u32);
    for (known, wanted) in known.into_iter().zip([sum(|score| score.model), sum(|score| score.baseline)]) {
        assert!((known - wanted).abs() < 1e-3 * wanted, "{known} and {wanted}");
    }
    // A node that begins afresh owes nothing of its past.
    let marks = state.marks();
    let later = sample(BEGUN_MS + 20 * CONTEXT_WINDOW_MS, 0.5, None);
    drop(model.predict(&mut [(&mut state, later)]));
    assert_eq!(state.known_since(&marks), [WindowScore::default(); 2]);
}

#[test]
fn the_baseline_answers_for_a_demoted_resource_and_the_model_goes_on_underneath() {
    let samples = bad_for_a_while(10, 3, 3);
    let (model, alone) = (Model::shipped().unwrap(), Model::shipped().unwrap().without_demotion());
    let mut states = [NodeState::new(), NodeState::new()];
    let mut demoted = 0;
    for sample in &samples {
        let served = model.predict(&mut [(&mut states[0], *sample)])[0];
        let said = alone.predict(&mut [(&mut states[1], *sample)])[0];
        assert_eq!(states[0], states[1]);
        assert_ne!(said.status, Status::Demoted);
        if served.status == Status::Demoted {
            demoted += 1;
            let last_peak = baseline::peak_of_last_5_minutes(&states[0], Resource::Cpu);
            assert_eq!((served.cpu.peak.p50, served.cpu.path), (last_peak.peak.p50, last_peak.path));
            let (spread, said) = (served.cpu.peak.p90 - served.cpu.peak.p50, said.cpu.peak.p90 - said.cpu.peak.p50);
            assert!((spread - said).abs() < 2e-4, "p90 keeps the model's distance: {spread}, {said}");
        } else {
            assert_eq!(bits(&served), bits(&said));
        }
    }
    assert!(demoted >= 2 * WINDOW, "{demoted} forecasts were the baseline's");
}

#[test]
fn the_scores_are_those_worked_out_from_the_reports() {
    let samples = bad_for_a_while(6, 3, 3);
    let model = Model::shipped().unwrap();
    let (mut state, mut said, mut last) = (NodeState::new(), Vec::new(), Vec::new());
    for sample in &samples {
        said.push(model.predict(&mut [(&mut state, *sample)])[0].cpu.peak.p50);
        last.push(baseline::peak_of_last_5_minutes(&state, Resource::Cpu).peak.p50);
    }
    let scores = state.scores(Resource::Cpu).unwrap();
    // A window's score is that of the forecasts whose 5 minutes ended in it; the last whole ones are windows 2, 3 and 4.
    for (window, score) in (2..).zip(scores) {
        let (mut model, mut baseline) = (0.0, 0.0);
        for at in window * WINDOW - 5..(window + 1) * WINDOW - 5 {
            let peak = samples[at + 1..=at + 5].iter().filter_map(|s| s.cpu).fold(0.0, f32::max);
            model += (said[at] - peak).abs() * 100.0;
            baseline += (last[at] - peak).abs() * 100.0;
        }
        assert_eq!(score.outcomes, 60);
        assert!((score.model - model).abs() < 1e-3 * model + 0.1, "{score:?}, {model}");
        assert!((score.baseline - baseline).abs() < 1e-3 * baseline + 0.1, "{score:?}, {baseline}");
    }
    assert_eq!(state.scores(Resource::Memory), None);
}

#[test]
fn a_node_is_demoted_where_one_of_its_resources_is() {
    let model = Model::shipped().unwrap();
    let with_memory =
        |index: usize, sample: &Sample| Sample { memory: Some(load(2, index as i64 * MINUTE_MS)), ..*sample };
    let samples: Vec<Sample> =
        bad_for_a_while(6, 3, 3).iter().enumerate().map(|(index, sample)| with_memory(index, sample)).collect();
    let mut state = NodeState::new();
    let predictions: Vec<Prediction> =
        samples.iter().map(|sample| model.predict(&mut [(&mut state, *sample)])[0]).collect();
    assert_eq!(predictions.last().unwrap().status, Status::Demoted);
    assert!(state.is_demoted(Resource::Cpu) && !state.is_demoted(Resource::Memory));
    let alone = run(&model.without_demotion(), &samples);
    assert!(predictions.iter().zip(&alone).all(|(served, said)| served.memory == said.memory));
    assert_ne!(predictions.last().unwrap().cpu, alone.last().unwrap().cpu);
}

#[test]
fn reports_too_rare_to_show_an_outcome_demote_nobody() {
    let model = Model::shipped().unwrap();
    let rare = |index: i64| Sample {
        interval_ms: 10 * MINUTE_MS,
        ..sample(BEGUN_MS + index * 10 * MINUTE_MS, pulse(index as usize), None)
    };
    let samples: Vec<Sample> = (0..100).map(rare).collect();
    let predictions = run(&model, &samples);
    assert!(predictions[12..].iter().all(|prediction| prediction.status == Status::Ready));
}

#[test]
fn the_batch_changes_no_verdict() {
    const REPORTS: usize = 180;
    let model = Model::shipped().unwrap();
    let report = |node: usize, at: usize| {
        let timestamp_ms = BEGUN_MS + node as i64 * 1_234_567 + at as i64 * 150_000;
        let cpu = if node.is_multiple_of(3) { load(node, timestamp_ms) } else { pulse(at) };
        Sample { interval_ms: 150_000, ..sample(timestamp_ms, cpu, None) }
    };
    let mut results = Vec::new();
    for batch in [1, 7, 5_000] {
        let mut states = vec![NodeState::new(); 5_000];
        let mut all = Vec::new();
        for at in 0..REPORTS {
            for (first, states) in (0..).step_by(batch).zip(states.chunks_mut(batch)) {
                let mut rows: Vec<_> =
                    states.iter_mut().zip(first..).map(|(state, node)| (state, report(node, at))).collect();
                all.extend(model.predict(&mut rows).iter().map(bits));
            }
        }
        results.push(all);
    }
    let demoted = results[0].iter().filter(|row| row.0 == Status::Demoted).count();
    assert!(demoted > 100_000, "{demoted} rows are of demoted nodes");
    assert!(results[0] == results[1], "batches of 1 and 7 differ");
    assert!(results[0] == results[2], "batches of 1 and 5000 differ");
}

/// What a model that begins `since_ms` before report `at` says from there on.
fn rebuilt(model: &Model, samples: &[Sample], at: usize, since_ms: i64) -> Vec<(Status, Vec<u32>, Vec<u32>)> {
    let since = samples[at].timestamp_ms - since_ms;
    let kept = samples.partition_point(|sample| sample.timestamp_ms < since);
    run(model, &samples[kept..])[at - kept..].iter().map(bits).collect()
}

#[test]
fn a_demoted_node_is_rebuilt_from_its_reach_and_not_from_less() {
    let model = Model::shipped().unwrap();
    // So late that the reach does not go back to the first report.
    let samples = bad_for_a_while(87, 81, 3);
    let full: Vec<_> = run(&model, &samples).iter().map(bits).collect();
    let demoted: Vec<usize> = (0..full.len()).filter(|at| full[*at].0 == Status::Demoted).collect();
    assert_eq!(demoted.first(), Some(&(83 * WINDOW)));
    for at in demoted.into_iter().step_by(17) {
        assert_eq!(rebuilt(&model, &samples, at, REACH_MS), full[at..]);
        assert_eq!(rebuilt(&model, &samples, at, CONTEXT_WINDOW_MS * 5 / 2)[0].0, Status::Ready);
    }
}

/// Reports with jitter and gaps, in which stretches of pulses come and go.
fn reports() -> impl Strategy<Value = Vec<Sample>> {
    let step = prop_oneof![
        10 => 5_000i64..15_000,
        200 => 50_000i64..70_000,
        2 => 200_000i64..400_000,
        1 => 600_000i64..CONTEXT_WINDOW_MS,
    ];
    let noise = (step, 0f32..1.0, prop::bool::weighted(0.02));
    (0i64..10_000_000, prop::collection::vec(noise, 6_000..7_000), 0usize..400, 150usize..400).prop_map(
        |(begun, reports, from, length)| {
            let mut timestamp_ms = 1_600_000_000_000 + begun;
            let report = |(index, (step, noise, missing)): (usize, (i64, f32, bool))| {
                timestamp_ms += step;
                let is_pulse = index >= from && (index - from) / length % 2 == 0;
                let cpu = if is_pulse { pulse(index) } else { load(3, timestamp_ms) + 0.05 * noise };
                Sample { cpu: (!missing).then_some(cpu), ..sample(timestamp_ms, 0.0, Some(noise)) }
            };
            reports.into_iter().enumerate().map(report).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn reports_beyond_reach_change_no_verdict(samples in reports(), share in 0.7f64..1.0) {
        let model = Model::shipped().unwrap();
        let at = ((samples.len() - 1) as f64 * share) as usize;
        let full: Vec<_> = run(&model, &samples)[at..].iter().map(bits).collect();
        prop_assert_eq!(full, rebuilt(&model, &samples, at, REACH_MS));
    }

    #[test]
    fn what_a_state_needs_rebuilds_its_verdict(samples in reports(), share in 0.5f64..1.0) {
        let model = Model::shipped().unwrap();
        let at = ((samples.len() - 1) as f64 * share) as usize;
        let mut state = NodeState::new();
        for sample in &samples[..at] {
            prop_assert_eq!(model.predict(&mut [(&mut state, *sample)]).len(), 1);
        }
        let since = samples[at].timestamp_ms - state.needed_since_ms();
        let full: Vec<_> = run(&model, &samples)[at..].iter().map(bits).collect();
        prop_assert_eq!(full, rebuilt(&model, &samples, at, since));
    }

    #[test]
    fn a_score_is_finite_whatever_is_reported(
        reports in prop::collection::vec((0i64..400_000, any::<Option<u32>>()), 300..600),
    ) {
        let model = Model::shipped().unwrap();
        let (mut state, mut timestamp_ms) = (NodeState::new(), BEGUN_MS);
        for (step, wild) in reports {
            timestamp_ms += step;
            let cpu = wild.map(f32::from_bits);
            let report = Sample { timestamp_ms, interval_ms: MINUTE_MS, cpu, memory: None };
            let prediction = model.predict(&mut [(&mut state, report)])[0];
            let ResourceForecast { peak, .. } = prediction.cpu;
            prop_assert!(peak.p50.is_finite() && peak.p50 <= peak.p90 && peak.p90.is_finite());
            for score in state.scores(Resource::Cpu).into_iter().flatten() {
                prop_assert!(score.model.is_finite() && score.baseline.is_finite());
                prop_assert!(score.outcomes <= 60);
            }
        }
    }
}
