//! What a forecast may depend on: the node's own reports within reach, and nothing else, bit for bit.

mod nodes;

use nodes::{MINUTE_MS, bits, load, run, small_model};
use proptest::prelude::*;
use tidegate_forecast::{CONTEXT_WINDOW_MS, Model, NodeState, REACH_MS, Resource, ResourceForecast, Sample, Status};

/// Reports without a gap; memory is missing now and then.
fn steady(node: usize, interval_ms: i64, count: i64) -> Vec<Sample> {
    let begun = 1_700_000_000_000 + node as i64 * 1_234_567;
    let sample = |index: i64| {
        let timestamp_ms = begun + index * interval_ms;
        let memory = ((index + node as i64) % 11 != 0).then(|| load(node + 1, timestamp_ms) * 0.5);
        Sample { timestamp_ms, interval_ms, cpu: Some(load(node, timestamp_ms)), memory }
    };
    (0..count).map(sample).collect()
}

#[test]
fn the_batch_changes_no_bit() {
    let ready = no_bit_changes(&Model::shipped().unwrap(), 5_000);
    assert!(ready > 50_000, "{ready} rows came from the model");
}

#[test]
fn the_batch_changes_no_bit_of_several_networks() {
    let ready = no_bit_changes(&Model::from_artifact(&small_model(2).unwrap()).unwrap(), 500);
    assert!(ready > 5_000, "{ready} rows came from the model");
}

/// Holds that batches of 1, 7 and all nodes agree; gives the rows that came from the model.
fn no_bit_changes(model: &Model, nodes: usize) -> usize {
    let fleet: Vec<Vec<Sample>> = (0..nodes).map(|node| steady(node, 5 * MINUTE_MS, 40)).collect();
    let mut results = Vec::new();
    for batch in [1, 7, nodes] {
        let mut states = vec![NodeState::new(); fleet.len()];
        let mut all = Vec::new();
        for at in 0..40 {
            for (nodes, states) in fleet.chunks(batch).zip(states.chunks_mut(batch)) {
                let mut rows: Vec<_> = states.iter_mut().zip(nodes.iter().map(|node| node[at])).collect();
                all.extend(model.predict(&mut rows).iter().map(bits));
            }
        }
        results.push(all);
    }
    assert!(results[0] == results[1], "batches of 1 and 7 differ");
    assert!(results[0] == results[2], "batches of 1 and {nodes} differ");
    results[0].iter().filter(|row| row.0 == Status::Ready).count()
}

#[test]
fn several_networks_step_and_restart_like_one() {
    let model = Model::from_artifact(&small_model(2).unwrap()).unwrap();
    let samples = steady(4, MINUTE_MS, 5_200);
    let full = run(&model, &samples);
    assert_eq!(full[5_199].status, Status::Ready);
    for at in [5_100, 5_150, 5_199] {
        let since = samples[at].timestamp_ms - REACH_MS;
        let kept = samples.partition_point(|sample| sample.timestamp_ms < since);
        assert!(kept > 0);
        let short = run(&model, &samples[kept..]);
        assert_eq!(bits(&full[at]), bits(&short[at - kept]));
    }
}

#[test]
fn forecasts_are_ready_after_a_full_aligned_window() {
    let model = Model::shipped().unwrap();
    let samples = steady(3, MINUTE_MS, 200);
    let boundary = (samples[0].timestamp_ms / CONTEXT_WINDOW_MS + 1) * CONTEXT_WINDOW_MS;
    for (sample, prediction) in samples.iter().zip(run(&model, &samples)) {
        let ready = sample.timestamp_ms >= boundary + CONTEXT_WINDOW_MS;
        assert_eq!(prediction.status == Status::Ready, ready);
        if !ready {
            assert_eq!(prediction.cpu.peak.p50, prediction.cpu.peak.p90);
            assert_eq!(prediction.cpu.path, [prediction.cpu.current; 5]);
        }
    }
}

#[test]
fn a_gap_longer_than_a_window_begins_afresh() {
    let model = Model::shipped().unwrap();
    let mut samples = steady(3, MINUTE_MS, 300);
    let gap = |samples: &[Sample], gap_ms: i64| {
        let mut samples = samples.to_vec();
        for sample in &mut samples[250..] {
            sample.timestamp_ms += gap_ms - MINUTE_MS;
        }
        run(&model, &samples)[250]
    };
    assert_eq!(gap(&samples, CONTEXT_WINDOW_MS).status, Status::Ready);
    assert_eq!(gap(&samples, CONTEXT_WINDOW_MS + 1).status, Status::Warming);
    // A resource that falls silent for longer is forgotten too; the other one goes on.
    for sample in &mut samples[200..] {
        sample.memory = None;
    }
    let predictions = run(&model, &samples);
    assert!(predictions[258].memory.current > 0.0);
    assert_eq!(predictions[262].memory, ResourceForecast::default());
    assert_eq!(predictions[262].status, Status::Ready);
}

#[test]
fn a_minute_is_one_step_however_often_it_is_reported() {
    // Loads of few binary digits, so that a minute's mean is exact.
    let sample = |at_ms: i64| {
        let load = ((at_ms / MINUTE_MS * 11) % 29) as f32 / 32.0;
        Sample { timestamp_ms: at_ms, interval_ms: MINUTE_MS, cpu: Some(load), memory: None }
    };
    let model = Model::shipped().unwrap();
    let seldom: Vec<Sample> = (0..300).map(|minute| sample(minute * MINUTE_MS + 50_000)).collect();
    let often: Vec<Sample> = (0..900).map(|third| sample(third * 20_000 + 10_000)).collect();
    let seldom = run(&model, &seldom);
    let often = run(&model, &often);
    assert_eq!(seldom[299].status, Status::Ready);
    for (one, three) in seldom.iter().zip(often.chunks(3)) {
        assert_eq!(bits(one), bits(&three[2]));
    }
}

#[test]
fn time_that_goes_backwards_counts_as_the_last_moment() {
    let model = Model::shipped().unwrap();
    let mut samples = steady(2, MINUTE_MS, 200);
    let straight = run(&model, &samples)[199];
    samples.insert(150, Sample { timestamp_ms: samples[10].timestamp_ms, ..samples[149] });
    let bent = run(&model, &samples);
    assert_eq!(bent.len(), 201);
    assert_eq!(bent[200].status, straight.status);
    assert_eq!(bent[200].cpu.current, straight.cpu.current);
}

#[test]
fn a_resource_that_was_never_measured_is_zero() {
    let model = Model::shipped().unwrap();
    let mut samples = steady(5, MINUTE_MS, 200);
    for sample in &mut samples {
        sample.memory = None;
    }
    let last = run(&model, &samples)[199];
    assert_eq!(last.memory, ResourceForecast::default());
    assert_eq!(last.status, Status::Ready);
    assert!(last.cpu.peak.p90 > 0.0);
}

/// Four days of reports with jitter, gaps and missing resources, none of them so long that a node begins afresh.
fn days() -> impl Strategy<Value = Vec<Sample>> {
    let step = prop_oneof![
        10 => 5_000i64..15_000,
        200 => 50_000i64..70_000,
        6 => 200_000i64..400_000,
        1 => 600_000i64..CONTEXT_WINDOW_MS / 2,
    ];
    let value = prop_oneof![20 => (0f32..1.5).prop_map(Some), 1 => Just(None)];
    let report = (step, value.clone(), value);
    (0i64..10_000_000, prop::collection::vec(report, 5_200..6_000)).prop_map(|(begun, reports)| stamped(begun, reports))
}

/// Reports with jitter, gaps of all lengths and missing resources.
fn reports() -> impl Strategy<Value = Vec<Sample>> {
    let step = prop_oneof![
        20 => 5_000i64..15_000,
        60 => 50_000i64..70_000,
        20 => 200_000i64..400_000,
        2 => 600_000i64..CONTEXT_WINDOW_MS,
        1 => Just(CONTEXT_WINDOW_MS + 1),
    ];
    let value = prop_oneof![8 => (0f32..1.5).prop_map(Some), 1 => Just(None)];
    let report = (step, value.clone(), value);
    (0i64..10_000_000, prop::collection::vec(report, 150..500)).prop_map(|(begun, reports)| stamped(begun, reports))
}

/// The reports at event times that go on by their steps.
fn stamped(begun: i64, reports: Vec<(i64, Option<f32>, Option<f32>)>) -> Vec<Sample> {
    let mut timestamp_ms = 1_600_000_000_000 + begun;
    let sample = |(step, cpu, memory): (i64, Option<f32>, Option<f32>)| {
        timestamp_ms += step;
        Sample { timestamp_ms, interval_ms: 60_000, cpu, memory }
    };
    reports.into_iter().map(sample).collect()
}

/// A forecast, bit for bit.
type Bits = (Status, Vec<u32>, Vec<u32>);

/// From report `at` on: by a model that saw all before it, and by one that saw what came since an event time.
fn since(model: &Model, samples: &[Sample], at: usize, since_ms: i64) -> [Vec<Bits>; 2] {
    let kept = samples.partition_point(|sample| sample.timestamp_ms < since_ms);
    let full = run(model, samples)[at..].iter().map(bits).collect();
    let short = run(model, &samples[kept..])[at - kept..].iter().map(bits).collect();
    [full, short]
}

#[test]
fn a_forecast_depends_on_yesterday() {
    let model = Model::shipped().unwrap();
    let samples = steady(4, MINUTE_MS, 1_800);
    let mut other = samples.clone();
    for sample in &mut other[330..350] {
        sample.cpu = Some(0.9);
    }
    let (straight, other) = (run(&model, &samples), run(&model, &other));
    // Some hours later the networks have forgotten it, as the path shows, and a day later it is known again.
    assert_eq!(straight[1_700].cpu.path, other[1_700].cpu.path);
    assert_ne!(straight[1_440 + 330].cpu.path, other[1_440 + 330].cpu.path);
    // What it taught is not forgotten so soon.
    assert_ne!(straight[1_700].cpu.peak, other[1_700].cpu.peak);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reports_beyond_reach_change_no_bit(samples in days(), share in 0.85f64..1.0) {
        let model = Model::shipped().unwrap();
        let at = ((samples.len() - 1) as f64 * share) as usize;
        let [full, short] = since(&model, &samples, at, samples[at].timestamp_ms - REACH_MS);
        prop_assert_eq!(full, short);
    }

    #[test]
    fn what_a_state_needs_rebuilds_it(samples in reports(), share in 0.3f64..1.0) {
        let model = Model::shipped().unwrap();
        let at = ((samples.len() - 1) as f64 * share) as usize;
        let mut state = NodeState::new();
        for sample in &samples[..at] {
            assert_eq!(model.predict(&mut [(&mut state, *sample)]).len(), 1);
        }
        let needed = state.needed_since_ms();
        prop_assume!(needed < i64::MAX);
        let [full, short] = since(&model, &samples, at, needed);
        prop_assert_eq!(full, short);
    }

    #[test]
    fn no_sample_breaks_a_forecast(
        samples in prop::collection::vec(
            (any::<i64>(), 0i64..20_000_000, any::<i64>(), any::<Option<u32>>(), 0f32..2.0, any::<bool>()),
            1..200,
        ),
    ) {
        let model = Model::shipped().unwrap();
        let mut state = NodeState::new();
        for (wild_ms, near_ms, interval_ms, wild, memory, far) in samples {
            let timestamp_ms = if far { wild_ms } else { near_ms };
            let cpu = wild.map(f32::from_bits);
            let sample = Sample { timestamp_ms, interval_ms, cpu, memory: Some(memory) };
            let prediction = model.predict(&mut [(&mut state, sample)])[0];
            for resource in Resource::ALL {
                let forecast = match resource {
                    Resource::Cpu => prediction.cpu,
                    Resource::Memory => prediction.memory,
                };
                let ResourceForecast { current, path, peak } = forecast;
                prop_assert!(path.iter().chain([&current, &peak.p50]).all(|x| x.is_finite() && *x >= 0.0));
                prop_assert!(peak.p90 >= peak.p50 && peak.p90.is_finite());
            }
        }
    }
}
