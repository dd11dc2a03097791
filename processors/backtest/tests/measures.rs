//! Figures worked out by hand, and what holds for any load.

use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use tidegate_backtest::{Dropped, Measures, Options, Report, Runner, html, made_up, predictions};
use tidegate_forecast::Model;
use tidegate_quota::{Counted, Settings};
use tidegate_schemas::records::LoadReport;
use tidegate_stages::{ForecastStage, QuotaStage};

const MINUTE: i64 = 60_000;

static MODEL: LazyLock<Arc<Model>> = LazyLock::new(|| Arc::new(Model::shipped().expect("a shipped model")));

fn report(node: &str, at: i64, cpu: Option<f64>, memory: Option<f64>) -> LoadReport {
    LoadReport { cpu, memory, ..LoadReport::new(node, at, MINUTE, 1000.0) }
}

fn measured(reports: Vec<LoadReport>, options: Options) -> (Measures, Dropped) {
    let mut runner = Runner::new(ForecastStage::new(Arc::clone(&MODEL)), vec![QuotaStage::new(Settings::default())]);
    let mut measures = Measures::new(options, vec!["threshold".to_owned()]);
    let flow = runner.run(made_up(reports), &mut |decided| {
        measures.take(&decided);
        ControlFlow::Continue(())
    });
    assert_eq!(flow, ControlFlow::Continue(()));
    measures.finish();
    (measures, runner.dropped().clone())
}

fn backtest(reports: Vec<LoadReport>, options: Options) -> Report {
    let (measures, dropped) = measured(reports, options);
    measures.report(0, dropped)
}

fn by_minute(loads: &[f64]) -> Vec<LoadReport> {
    (0..).zip(loads).map(|(minute, cpu)| report("a", minute * MINUTE, Some(*cpu), None)).collect()
}

#[test]
fn a_policy_by_hand() {
    // Threshold on the peak of the last 5 minutes: 0.7, 0.7, then 1.2 · 0.9 / 0.8 = 1.35 twice.
    let report = backtest(by_minute(&[0.2, 0.2, 0.9, 0.2]), Options::default());
    let policy = &report.policy;
    // In force: the base quota, 0.7, 0.7, 1.35; the 0.9 met 0.7.
    assert_eq!(policy.violations_percent, Some(25.0));
    assert_eq!(policy.mean_scale, Some(0.9375));
    // Demand 1.5, of which 1.3 was under the quota; a constant 0.9375 holds all of it.
    assert_eq!(policy.goodput_percent, Some(86.6667));
    assert_eq!(policy.static_goodput_percent_at_equal_mean_quota, Some(100.0));
    // Pairs: 0.7 against 0.2 0.9 0.2, 0.7 against 0.9 0.2, 1.35 against 0.2.
    assert_eq!(policy.horizon_violations_percent, Some(33.3333));
    assert_eq!(policy.horizon_violations_percent_after_first_day, None);
    assert_eq!((policy.mean_unused, policy.mean_shortfall), (Some(44.1667), Some(6.6667)));
    // One change in three minutes.
    assert_eq!(policy.changes_per_node_hour, Some(20.0));
    assert_eq!((report.nodes, report.reports, report.interval_ms), (1, 4, MINUTE));
    assert_eq!((report.states.warming, report.states.ready), (4, 0));
    assert_eq!(report.forecast.cpu.rows, 0, "a warming node is not judged");
}

#[test]
fn forecasts_as_published_by_hand() {
    // The baseline says 0.2, 0.2, then 0.9 for as long as the peak lies in its last 5 minutes.
    let report = backtest(by_minute(&[0.2, 0.2, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]), Options::default());
    let cpu = report.forecast_all_states.cpu;
    // Outcomes are known for minutes 0 to 4: 0.9, 0.9, 0.2, 0.2, 0.2 against 0.2, 0.2, 0.9, 0.9, 0.9.
    assert_eq!(cpu.rows, 5);
    assert_eq!((cpu.peak.mae, cpu.peak.pinball_q50), (Some(70.0), Some(35.0)));
    assert_eq!(cpu.peak.pinball_q90, Some((2.0 * 63.0 + 3.0 * 7.0) / 5.0));
    assert_eq!(cpu.peak.coverage_q90, Some(0.6));
    // At +5 minutes persistence was right but for minute 2, which said 0.9; minute 4 has nothing there.
    assert_eq!(cpu.at_5m.mae, Some(17.5));
}

#[test]
fn a_lease_that_ended_leaves_the_base_quota() {
    // After 20 minutes of silence the 0.7 of the report before no longer holds.
    let mut reports = by_minute(&[0.2, 0.2]);
    reports.push(report("a", 21 * MINUTE, Some(0.8), None));
    let policy = backtest(reports, Options::default()).policy;
    assert_eq!(policy.violations_percent, Some(0.0));
    assert_eq!(policy.mean_scale, Some(0.9));
    assert_eq!(policy.horizon_violations_percent, Some(0.0), "no sample lies in its horizon");
}

#[test]
fn from_measures_only_what_comes_later() {
    let options = Options { from_ms: Some(2 * MINUTE), ..Options::default() };
    let report = backtest(by_minute(&[0.2, 0.2, 0.9, 0.2]), options);
    assert_eq!((report.reports, report.from_ms), (2, Some(2 * MINUTE)));
    // The quota in force at minute 2 was decided before; the horizons of minutes 0 and 1 do not count.
    assert_eq!(report.policy.violations_percent, Some(50.0));
    assert_eq!(report.policy.horizon_violations_percent, Some(0.0));
}

#[test]
fn the_resource_that_counts_is_told_apart() {
    let reports: Vec<LoadReport> = (0..4).map(|m| report("a", m * MINUTE, Some(0.2), Some(0.9))).collect();
    let unused = |resource| {
        let options = Options { resource, ..Options::default() };
        backtest(reports.clone(), options).policy.mean_unused
    };
    // The quota is 1.35 throughout.
    assert_eq!([Counted::Cpu, Counted::Memory, Counted::Max].map(unused), [Some(115.0), Some(45.0), Some(45.0)]);
}

/// A load that jumps about, enough of it for the model to be ready and the regression to be fitted.
fn long(minutes: i64) -> Vec<LoadReport> {
    let load = |minute: i64| 0.3 + 0.1 * ((minute / 7) % 5) as f64 + 0.02 * (minute % 3) as f64;
    (0..minutes).map(|minute| report("a", minute * MINUTE, Some(load(minute)), Some(0.4))).collect()
}

#[test]
fn the_regression_learns_only_from_what_lies_before() {
    let split = 1_000 * MINUTE;
    let rows = |options: Options| backtest(long(1_500), options).linear;
    let before = rows(Options { from_ms: Some(split), ..Options::default() });
    let always = rows(Options::default());
    assert_eq!(before.learned_from, "before from");
    // Ready from minute 60 on, outcomes until the split: nothing of it comes from later.
    assert!(before.cpu_rows < 950 && before.cpu_rows > 800, "{before:?}");
    assert!(always.cpu_rows > 1_300, "{always:?}");
    // What comes after the split changes nothing of what was learned: the shorter file gives the same.
    let shorter = backtest(long(1_100), Options { from_ms: Some(split), ..Options::default() });
    let longer = backtest(long(1_500), Options { from_ms: Some(split), ..Options::default() });
    assert_eq!(shorter.linear.cpu_rows, longer.linear.cpu_rows);
    let ready = longer.forecast.cpu;
    assert!(ready.rows > 400 && ready.peak.mae.is_some() && longer.baselines.linear.cpu.rows == ready.rows);
}

#[test]
fn a_prediction_has_a_value_for_every_column() {
    let mut runner = Runner::new(ForecastStage::new(Arc::clone(&MODEL)), vec![QuotaStage::new(Settings::default())]);
    let mut rows = String::new();
    let mut reports = by_minute(&[0.2, 0.9]);
    reports[1].node_id = "with \"quotes\", and comma".into();
    let _whole = runner.run(made_up(reports), &mut |decided| {
        predictions::row(&decided, &mut rows);
        ControlFlow::Continue(())
    });
    let columns = predictions::HEADER.split(',').count();
    let mut lines = rows.lines();
    let first = lines.next().unwrap();
    assert_eq!(first.split(',').count(), columns);
    assert!(first.starts_with("a,0,WARMING,0.2,0,0.2,0.2,0,0,0.2,") && first.ends_with(",700,1000"), "{first}");
    assert!(lines.next().unwrap().starts_with("\"with \"\"quotes\"\", and comma\",60000,WARMING,0.9,"));
}

#[test]
fn the_page_is_whole_and_brings_nothing_from_elsewhere() {
    let options = Options { traces: Some(0), ..Options::default() };
    let mut reports = long(600);
    reports.iter_mut().for_each(|report| report.node_id = "<b>&".into());
    let (mut measures, dropped) = measured(reports, options);
    let report = measures.report(0, dropped);
    let page = html::backtest("load.csv", &report, &mut measures);
    for needed in ["<!doctype html>", "&lt;b&gt;&amp;", "data-chart", "prefers-color-scheme", "Calibration", "</html>"]
    {
        assert!(page.contains(needed), "{needed}");
    }
    for foreign in ["<b>&", "http://", "https://", "NaN", "inf,"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

prop_compose! {
    /// Reports in any order, with gaps, repetitions, jumps of the clock, load above 1, and missing values.
    fn any_report()(
        node in 0_u8..3,
        at in prop_oneof![0_i64..40, 0_i64..3_000, Just(1_000_000_i64), Just(-5_i64)],
        cpu in prop::option::of(prop_oneof![0.0..3.0_f64, Just(f64::NAN), Just(1e12)]),
        memory in prop::option::of(0.0..1.5_f64),
        interval in prop_oneof![Just(10_000_i64), Just(60_000), Just(300_000), Just(0), Just(i64::MAX)],
    ) -> LoadReport {
        LoadReport { interval_ms: interval, ..report(["a", "b", ""][usize::from(node)], at * MINUTE, cpu, memory) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_reports_give_figures_within_their_ranges(
        reports in prop::collection::vec(any_report(), 1..300),
        from in prop::option::of(0_i64..3_000),
    ) {
        let given = reports.len() as u64;
        let report = backtest(reports, Options { from_ms: from.map(|m| m * MINUTE), traces: Some(0), ..Options::default() });
        let policy = &report.policy;
        let shares = [
            policy.violations_percent,
            policy.horizon_violations_percent,
            policy.goodput_percent,
            policy.static_goodput_percent_at_equal_mean_quota,
        ];
        for share in shares.into_iter().flatten() {
            prop_assert!((0.0..=100.0).contains(&share), "{policy:?}");
        }
        for errors in [report.forecast_all_states.cpu, report.forecast_all_states.memory] {
            for share in [errors.peak.coverage_q50, errors.peak.coverage_q90].into_iter().flatten() {
                prop_assert!((0.0..=1.0).contains(&share));
            }
            prop_assert!(errors.peak.coverage_q50 <= errors.peak.coverage_q90);
        }
        prop_assert!(policy.mean_unused.is_none_or(|x| x.is_finite() && x >= 0.0));
        let states = &report.states;
        prop_assert_eq!(states.warming + states.ready + states.demoted, report.reports);
        let dropped: u64 = report.dropped.values().sum();
        prop_assert!(report.reports + dropped <= given);
        if from.is_none() {
            prop_assert_eq!(report.reports + dropped, given);
        }
        let nodes: u64 = report.by_node.iter().map(|node| node.reports).sum();
        prop_assert_eq!(nodes, report.reports);
        prop_assert!(!serde_json::to_string(&report).unwrap().contains("NaN"));
    }

    #[test]
    fn a_constant_quota_serves_a_constant_load_as_well(load in 0.05..0.75_f64, minutes in 2_i64..200) {
        let report = backtest((0..minutes).map(|m| report("a", m * MINUTE, Some(load), None)).collect(), Options::default());
        // Every quota lies above the load, so neither loses anything.
        prop_assert!(report.policy.goodput_percent >= report.policy.static_goodput_percent_at_equal_mean_quota);
        prop_assert_eq!(report.policy.violations_percent, Some(0.0));
    }
}
