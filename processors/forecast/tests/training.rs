//! Training repeats itself, keeps to its budget, and refuses what cannot teach.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidegate_forecast::{
    ForecastError, Model, Resource, Sample, Series, TimeBudget, TrainOptions, TrainReport, default_hold_out, train,
};

const MINUTE_MS: i64 = 60_000;

fn series(node: usize, minutes: i64, load: impl Fn(i64) -> Option<f32>) -> Series {
    let sample = |minute: i64| Sample {
        timestamp_ms: 1_700_000_000_000 + minute * MINUTE_MS,
        interval_ms: MINUTE_MS,
        cpu: load(minute),
        memory: None,
    };
    Series {
        node_id: format!("node-{node}"),
        source: "test.csv".to_owned(),
        samples: (0..minutes).map(sample).collect(),
    }
}

fn wave(node: usize) -> impl Fn(i64) -> Option<f32> {
    move |minute| Some(0.3 + 0.2 * ((minute as f32) / 9.0 + node as f32).sin())
}

fn quick(steps: usize) -> TrainOptions {
    TrainOptions { steps, batch: 8, hidden: 8, simulated_nodes: 4, ..TrainOptions::default() }
}

fn fleet() -> Vec<Series> {
    (0..3).map(|node| series(node, 2_000, wave(node))).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let bytes = |seed: u64| {
        let options = TrainOptions { seed, ..quick(6) };
        let (artifact, _) = train(&fleet(), &options, &mut |_| true).unwrap();
        artifact.to_bytes().unwrap()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn training_lowers_the_loss_and_scores_what_was_held_out() {
    let options = TrainOptions { held_out_nodes: vec!["node-2".to_owned()], ..quick(60) };
    let mut fractions = Vec::new();
    let (artifact, report) = train(&fleet(), &options, &mut |progress| {
        fractions.push(progress.fraction);
        true
    })
    .unwrap();
    assert!(fractions.windows(2).all(|pair| pair[0] < pair[1]));
    assert_eq!(fractions.last(), Some(&1.0));
    let (first, last) = (report.losses[0].loss, report.losses[report.losses.len() - 1].loss);
    assert!(last < 0.8 * first, "{first} to {last}");
    for part in ["later", "unseen"] {
        let mae = |forecaster: &str| {
            let found = report.scores.iter().find(|s| s.part == part && s.forecaster == forecaster);
            found.unwrap().peak_mae
        };
        assert!(mae("model") < mae("max_last_5m"), "{part}");
    }
    let card = artifact.card();
    let model = Model::from_artifact(&artifact).unwrap();
    let residuals = model.residuals(Resource::Cpu).unwrap();
    let above = residuals.points.iter().filter(|points| **points > 0.0).count();
    assert!(above < 200, "of 1,000 samples, {above} lie above the p90 of the peak of their 5 minutes");
    let highest = residuals.points.last().unwrap();
    assert!((-5.0..20.0).contains(highest), "the highest lies {highest} points above it");
    assert!(residuals.samples > 10_000 && model.residuals(Resource::Memory).is_none());
    assert!(!card.hidden.contains_key(&Resource::Memory));
    assert!(report.dropped.iter().any(|dropped| dropped.why.starts_with("memory is left to the baseline")));
    assert_eq!((card.data.files[0].nodes, card.data.files[0].samples), (3, 6_000));
    assert_eq!(card.data.sha256.len(), 64);
    assert_eq!(card.intervals_ms, [10_000, MINUTE_MS, 5 * MINUTE_MS]);
}

#[test]
fn a_budget_that_binds_takes_fewer_steps() {
    let ticks = Arc::new(AtomicU64::new(0));
    let steps_done = ticks.clone();
    let elapsed = Arc::new(move || Duration::from_secs(ticks.load(Ordering::Relaxed)));
    let limit = Duration::from_secs(30);
    let options = TrainOptions { time_budget: Some(TimeBudget { limit, elapsed }), ..quick(500) };
    // Each step takes a second by this clock.
    let (_, report) = train(&fleet(), &options, &mut |_| {
        steps_done.fetch_add(1, Ordering::Relaxed);
        true
    })
    .unwrap();
    assert!((28..=32).contains(&report.steps), "{}", report.steps);
}

#[test]
fn members_share_the_time_budget() {
    let ticks = Arc::new(AtomicU64::new(0));
    let steps_done = ticks.clone();
    let elapsed = Arc::new(move || Duration::from_secs(ticks.load(Ordering::Relaxed)));
    let limit = Duration::from_secs(60);
    let options = TrainOptions { members: 2, time_budget: Some(TimeBudget { limit, elapsed }), ..quick(500) };
    let mut steps = [0_usize; 2];
    let (_, report) = train(&fleet(), &options, &mut |progress| {
        steps_done.fetch_add(1, Ordering::Relaxed);
        steps[progress.member] += 1;
        true
    })
    .unwrap();
    assert!(steps.iter().all(|steps| (27..=33).contains(steps)), "{steps:?}");
    assert_eq!(report.steps, steps[0].max(steps[1]));
}

#[test]
fn later_members_learn_from_everything_for_as_many_steps_as_the_first_kept() {
    let data: Vec<Series> = (0..2).map(|node| series(node, 5_000, wave(node))).collect();
    let options = TrainOptions { members: 2, ..quick(120) };
    let mut fractions = Vec::new();
    let (artifact, report) = train(&data, &options, &mut |progress| {
        fractions.push(progress.fraction);
        true
    })
    .unwrap();
    assert_eq!(fractions.last(), Some(&1.0));
    assert_eq!(report.kept.keys().collect::<Vec<_>>(), ["cpu.0", "cpu.1"]);
    assert_eq!(report.kept["cpu.0"], report.kept["cpu.1"]);
    assert!(report.losses.iter().all(|point| point.member == 0 || point.validation.is_none()));
    assert_eq!(artifact.card().members, 2);
}

#[test]
fn the_callback_can_cancel() {
    let result = train(&fleet(), &quick(50), &mut |progress| progress.step < 3);
    assert!(matches!(result, Err(ForecastError::Cancelled { step: 3 })));
}

#[test]
fn data_that_cannot_teach_is_refused_with_a_sentence() {
    let refuse = |data: Vec<Series>| {
        let error = train(&data, &quick(5), &mut |_| true).unwrap_err();
        assert!(matches!(error, ForecastError::UnfitData { .. }), "{error}");
        error.to_string()
    };
    assert!(refuse(Vec::new()).contains("no cpu values"));
    assert!(refuse(vec![series(0, 300, wave(0))]).contains("minutes to learn from"));
    assert!(refuse(vec![series(0, 3_000, |_| Some(0.5))]).contains("constant load"));
    let mut rare = series(0, 3_000, wave(0));
    rare.samples.retain(|sample| sample.timestamp_ms % (10 * MINUTE_MS) < MINUTE_MS);
    for sample in &mut rare.samples {
        sample.interval_ms = 10 * MINUTE_MS;
    }
    assert!(refuse(vec![rare]).contains("rarer than one in 5 minutes"));
    assert!(refuse(vec![series(0, 3_000, |_| None)]).contains("no cpu values"));
    assert!(refuse(vec![series(0, 3_000, |_| Some(f32::NAN))]).contains("not finite"));
    assert!(refuse(vec![series(0, 3_000, |_| Some(-0.5))]).contains("negative"));
}

#[test]
fn damaged_data_is_used_as_far_as_it_goes() {
    let mut series = series(0, 3_000, wave(0));
    series.samples.swap(100, 101);
    series.samples[200].cpu = Some(-1.0);
    series.samples[300].timestamp_ms = series.samples[299].timestamp_ms;
    series.samples.drain(400..700);
    let (_, report) = train(&[series], &quick(3), &mut |_| true).unwrap();
    let dropped = |why: &str| report.dropped.iter().filter(|d| d.why.contains(why)).map(|d| d.samples).sum::<usize>();
    assert_eq!(dropped("negative or not finite"), 1);
    assert_eq!(dropped("at or before"), 2);
}

#[test]
fn options_out_of_range_are_named() {
    let name = |options: TrainOptions| match train(&fleet(), &options, &mut |_| true) {
        Err(ForecastError::Option { option, .. }) => option,
        other => panic!("{other:?}"),
    };
    assert_eq!(name(TrainOptions { hidden: 12, ..quick(1) }), "hidden");
    assert_eq!(name(TrainOptions { members: 0, ..quick(1) }), "members");
    assert_eq!(name(TrainOptions { members: 5, ..quick(1) }), "members");
    assert_eq!(name(TrainOptions { steps: 0, ..quick(1) }), "steps");
    assert_eq!(name(TrainOptions { batch: 0, ..quick(1) }), "batch");
    assert_eq!(name(TrainOptions { train_share: 1.0, ..quick(1) }), "train_share");
    let none = TimeBudget { limit: Duration::ZERO, elapsed: Arc::new(|| Duration::ZERO) };
    assert_eq!(name(TrainOptions { time_budget: Some(none), ..quick(1) }), "time_budget");
    let held_out_nodes = vec!["nobody".to_owned()];
    assert_eq!(name(TrainOptions { held_out_nodes, ..quick(1) }), "held_out_nodes");
}

/// Trains for a few steps and gives the report.
fn trained(series: Series) -> TrainReport {
    train(&[series], &quick(3), &mut |_| true).unwrap_or_else(|error| panic!("{error}")).1
}

fn dropped(report: &TrainReport, why: &str) -> usize {
    report.dropped.iter().filter(|dropped| dropped.why.contains(why)).map(|dropped| dropped.samples).sum()
}

#[test]
fn a_file_of_one_node_and_one_day_is_trained_on() {
    let report = trained(series(0, 24 * 60, wave(0)));
    assert!(report.scores.iter().any(|score| score.part == "later" && score.rows > 300));
}

#[test]
fn half_of_the_rows_may_be_missing() {
    let mut series = series(0, 3_000, wave(0));
    series.samples.retain(|sample| (sample.timestamp_ms / MINUTE_MS * 7_919) % 11 < 6);
    let kept = series.samples.len();
    let report = trained(series);
    assert_eq!(report.files[0].samples, kept);
    assert_eq!(dropped(&report, ""), 0, "{:?}", report.dropped);
}

#[test]
fn repeated_rows_are_counted() {
    let mut series = series(0, 3_000, wave(0));
    series.samples = series.samples.iter().flat_map(|sample| [*sample, *sample]).collect();
    let report = trained(series);
    assert!((2_000..=2_100).contains(&dropped(&report, "at or before")), "{:?}", report.dropped);
}

#[test]
fn load_above_the_base_quota_is_load() {
    let report = trained(series(0, 3_000, |minute| wave(0)(minute).map(|load| load * 4.0)));
    assert_eq!(dropped(&report, "cpu: "), 0, "{:?}", report.dropped);
    assert!(report.scores.iter().all(|score| score.peak_mae.is_finite()));
}

#[test]
fn a_clock_that_jumps_ahead_and_back_costs_the_reports_in_between() {
    let mut series = series(0, 3_000, wave(0));
    for sample in &mut series.samples[500..520] {
        sample.timestamp_ms += 3 * 60 * MINUTE_MS;
    }
    let report = trained(series);
    assert_eq!(dropped(&report, "at or before"), 20, "{:?}", report.dropped);
}

#[test]
fn a_clock_that_jumps_far_ahead_does_not_stop_the_training() {
    let mut series = series(0, 3_000, wave(0));
    for sample in &mut series.samples[1_500..] {
        sample.timestamp_ms += 400 * 24 * 60 * MINUTE_MS;
    }
    assert!(trained(series).files[0].samples == 3_000);
}

#[test]
fn the_weights_with_the_least_validation_loss_are_kept() {
    let data: Vec<Series> = (0..2).map(|node| series(node, 5_000, wave(node))).collect();
    let (artifact, report) = train(&data, &quick(150), &mut |_| true).unwrap();
    let measured: Vec<(usize, f32)> =
        report.losses.iter().filter_map(|point| point.validation.map(|loss| (point.step, loss))).collect();
    assert_eq!(measured.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [50, 100, 150]);
    let best = measured.iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
    assert_eq!(report.kept["cpu"], best);
    assert_eq!(artifact.card().kept, report.kept);
    let (_, short) = train(&fleet(), &quick(50), &mut |_| true).unwrap();
    assert!(short.losses.iter().all(|point| point.validation.is_none()), "under two days nothing is kept back");
}

#[test]
fn every_fifth_node_of_a_larger_file_is_held_out_by_default() {
    let mut data: Vec<Series> = (0..11).map(|node| series(node % 10, 1, wave(node))).collect();
    data[10].source = "small.csv".to_owned();
    assert_eq!(default_hold_out(&data), ["node-4", "node-9"]);
    assert!(default_hold_out(&data[..4]).is_empty());
}
