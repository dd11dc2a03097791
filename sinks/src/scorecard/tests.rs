//! Sums worked out by hand, and properties that hold for any records.

use proptest::prelude::*;
use tidegate_schemas::records::{Cause, ForecastState, Load, MeasuredAt, Quantiles};

use super::*;

const MINUTE: i64 = 60_000;

fn report(node: &str, t: i64, cpu: f64, memory: Option<f64>) -> LoadReport {
    LoadReport { cpu: Some(cpu), memory, ..LoadReport::new(node, t, MINUTE, 1000.0) }
}

fn forecast(node: &str, t: i64, state: ForecastState, peak_cpu: f64, current_cpu: f64) -> Forecast {
    Forecast {
        node_id: node.to_owned(),
        pool: String::new(),
        timestamp: t,
        sequence: t,
        base_quota: 1000.0,
        quota_in_force: None,
        quota_sequence: None,
        requests_total: None,
        requests_failed_total: None,
        current: Load { cpu: current_cpu, memory: 0.5 },
        measured_at: MeasuredAt { cpu: t, memory: t },
        path_cpu: vec![peak_cpu; 5],
        path_memory: vec![0.5; 5],
        peak_cpu: Quantiles { p50: peak_cpu, p90: peak_cpu },
        peak_memory: Quantiles { p50: 0.5, p90: 0.5 },
        state,
        model: String::new(),
        cause: Cause::default(),
    }
}

fn requests(mut report: LoadReport, total: i64, failed: i64, quota: Option<f64>) -> LoadReport {
    report.requests_total = Some(total);
    report.requests_failed_total = Some(failed);
    report.quota_in_force = quota;
    report
}

/// CPU by the minute; the last 5 minutes before minute 10 (that is 6…10) peak at 0.7, the 5 after it at 0.9.
const CPU: [f64; 17] = [0.99, 0.2, 0.2, 0.2, 0.2, 0.95, 0.3, 0.7, 0.5, 0.4, 0.6, 0.6, 0.8, 0.9, 0.7, 0.85, 0.99];

#[test]
fn nothing_seen_says_nothing() {
    let json = serde_json::to_value(Scorecard::default().score()).unwrap();
    assert_eq!(
        json,
        serde_json::json!({
            "forecasts_by_state": {"WARMING": 0, "READY": 0, "DEMOTED": 0},
            "peak_error": {
                "cpu": {"model": null, "persistence": null, "max_last_5m": null},
                "memory": {"model": null, "persistence": null, "max_last_5m": null}
            },
            "violations_percent": {"static": null, "tidegate": null}
        })
    );
}

#[test]
fn peak_errors_by_hand() {
    let mut card = Scorecard::default();
    for (minute, cpu) in (0..).zip(CPU) {
        card.report(&report("a", minute * MINUTE, cpu, None));
        if minute == 10 {
            card.forecast(&forecast("a", minute * MINUTE, ForecastState::Ready, 0.85, 0.6));
        }
        if minute == 14 {
            assert_eq!(card.score().peak_error.cpu.model, None, "its 5 minutes have not passed");
        }
    }
    let score = card.score();
    // Outcome 0.9 (minutes 11…15); forecast 0.85, load at minute 10 0.6, highest of minutes 6…10 0.7.
    let wanted = Errors { model: Some(5.0), persistence: Some(30.0), max_last_5m: Some(20.0) };
    assert_eq!(score.peak_error.cpu, wanted);
    assert_eq!(score.peak_error.memory, Errors::default(), "memory was never measured");
    assert_eq!((score.counts.judged, score.counts.unjudged), (1, 0));
}

#[test]
fn topics_may_run_apart_either_way() {
    let reports: Vec<_> = (0..).zip(CPU).map(|(minute, cpu)| report("a", minute * MINUTE, cpu, None)).collect();
    let ready = forecast("a", 10 * MINUTE, ForecastState::Ready, 0.85, 0.6);
    let (mut first, mut last) = (Scorecard::default(), Scorecard::default());
    first.forecast(&ready);
    reports.iter().for_each(|report| first.report(report));
    reports.iter().for_each(|report| last.report(report));
    last.forecast(&ready);
    assert_eq!(first.score().peak_error.cpu.max_last_5m, Some(20.0));
    assert_eq!(first.score(), last.score());
}

#[test]
fn only_ready_forecasts_are_judged_and_all_are_counted_once() {
    let mut card = Scorecard::default();
    for (minute, cpu) in (0..).zip(CPU) {
        card.report(&report("a", minute * MINUTE, cpu, Some(0.5)));
        let state = if minute == 10 { ForecastState::Ready } else { ForecastState::Warming };
        for _ in 0..2 {
            card.forecast(&forecast("a", minute * MINUTE, state, 0.85, 0.6));
        }
    }
    card.forecast(&forecast("b", 0, ForecastState::Demoted, 0.5, 0.5));
    let score = card.score();
    assert_eq!(score.forecasts_by_state, ForecastsByState { warming: 16, ready: 1, demoted: 1 });
    assert_eq!(score.counts.forecasts, 18);
    assert_eq!(score.peak_error.cpu.model, Some(5.0));
    assert_eq!(score.peak_error.memory.model, Some(0.0));
}

#[test]
fn a_forecast_without_an_outcome_is_not_judged() {
    let mut card = Scorecard::default();
    card.report(&report("a", 0, 0.5, None));
    card.forecast(&forecast("a", 0, ForecastState::Ready, 0.5, 0.5));
    card.report(&report("a", 6 * MINUTE, 0.9, None));
    let score = card.score();
    assert_eq!(score.peak_error.cpu, Errors::default());
    assert_eq!((score.counts.judged, score.counts.unjudged), (0, 1));
}

#[test]
fn a_forecast_whose_reports_were_forgotten_is_not_judged() {
    let mut card = Scorecard::default();
    for step in 0..=SAMPLES_KEPT as i64 + 10 {
        card.report(&report("a", step * MINUTE, 0.5, None));
    }
    card.forecast(&forecast("a", 10 * MINUTE, ForecastState::Ready, 0.7, 0.5));
    assert_eq!(card.score().counts.unjudged, 1);
    card.forecast(&forecast("a", 100 * MINUTE, ForecastState::Ready, 0.7, 0.5));
    assert_eq!((card.score().counts.judged, card.score().peak_error.cpu.model), (1, Some(20.0)));
}

#[test]
fn violations_by_hand() {
    let mut card = Scorecard::default();
    // Not told: the first report has no growth yet.
    card.report(&requests(report("a", 0, 0.9, None), 1000, 0, None));
    // Demand 0.9: within both.
    card.report(&requests(report("a", MINUTE, 0.9, None), 1100, 0, None));
    // 100 requests, 20 shed at load 1.0: demand 1.25, above the base quota and above 1.2 in force.
    card.report(&requests(report("a", 2 * MINUTE, 1.0, None), 1200, 20, Some(1200.0)));
    // 100 requests, none shed at load 1.3 under 1.5: above the base quota only.
    card.report(&requests(report("a", 3 * MINUTE, 1.3, None), 1300, 20, Some(1500.0)));
    // Restarted: 50 requests, 25 shed at load 0.7 = its quota: demand 1.4, above both.
    card.report(&requests(report("a", 4 * MINUTE, 0.7, None), 50, 25, Some(700.0)));
    // No requests at all: the load, 0.1, is the demand.
    card.report(&requests(report("a", 5 * MINUTE, 0.1, None), 50, 25, Some(700.0)));
    // Every request failed: not told.
    card.report(&requests(report("a", 6 * MINUTE, 0.7, None), 60, 35, Some(700.0)));
    // No counters: load 1.05 is the demand, above the base quota that is in force.
    card.report(&report("a", 7 * MINUTE, 1.05, None));
    // Told: minutes 1, 2, 3, 4, 5, 7. Above base: 2, 3, 4, 7. Above the quota in force: 2, 4, 7.
    let percent = card.score().violations_percent;
    assert_eq!(percent, ViolationsPercent { fixed: Some(66.667), tidegate: Some(50.0) });
}

#[test]
fn a_load_on_its_quota_is_no_violation_and_one_above_it_is() {
    let mut card = Scorecard::default();
    let mut at = report("a", 0, 1.2, None);
    at.quota_in_force = Some(1199.96);
    card.report(&at);
    assert_eq!(card.score().violations_percent.tidegate, Some(0.0));
    let mut above = report("a", MINUTE, 1.2002, None);
    above.quota_in_force = Some(1200.0);
    card.report(&above);
    assert_eq!(card.score().violations_percent.tidegate, Some(50.0));
}

#[test]
fn unmeasured_and_invalid_reports_say_nothing() {
    let mut card = Scorecard::default();
    card.report(&LoadReport::new("a", 0, MINUTE, 1000.0));
    card.report(&report("a", MINUTE, f64::NAN, None));
    card.report(&report("", MINUTE, 2.0, None));
    let score = card.score();
    assert_eq!(score.violations_percent, ViolationsPercent::default());
    assert_eq!(score.counts.reports, 1);
}

proptest! {
    #[test]
    fn a_perfect_forecast_has_no_error(loads in proptest::collection::vec(0.0_f64..2.0, 12..60)) {
        let mut card = Scorecard::default();
        for (minute, cpu) in (0..).zip(&loads) {
            card.report(&report("a", minute * MINUTE, *cpu, None));
            let after = &loads[(minute as usize + 1).min(loads.len())..(minute as usize + 6).min(loads.len())];
            let peak = after.iter().copied().fold(0.0, f64::max);
            card.forecast(&forecast("a", minute * MINUTE, ForecastState::Ready, peak, *cpu));
        }
        prop_assert_eq!(card.score().peak_error.cpu.model, Some(0.0));
        prop_assert_eq!(card.score().counts.judged, loads.len() as u64 - 5);
    }

    #[test]
    fn any_counters_give_shares_between_0_and_100(
        rows in proptest::collection::vec((any::<i64>(), any::<i64>(), 0.0_f64..3.0, proptest::option::of(0.0_f64..3000.0)), 1..50)
    ) {
        let mut card = Scorecard::default();
        for (t, (total, failed, cpu, quota)) in (0..).zip(rows) {
            card.report(&requests(report("a", t * MINUTE, cpu, None), total, failed, quota));
        }
        let percent = card.score().violations_percent;
        for share in [percent.fixed, percent.tidegate].into_iter().flatten() {
            prop_assert!((0.0..=100.0).contains(&share));
        }
    }

    #[test]
    fn memory_is_bounded(steps in proptest::collection::vec((any::<bool>(), 0_i64..600), 1..400)) {
        let mut card = Scorecard::default();
        let mut t = [0, 0];
        for (is_report, seconds) in steps {
            for _ in 0..20 {
                t[usize::from(is_report)] += seconds * 1000 + 1;
                if is_report {
                    card.report(&report("a", t[1], 0.5, None));
                } else {
                    card.forecast(&forecast("a", t[0], ForecastState::Ready, 0.5, 0.5));
                }
            }
            let (samples, waiting) = card.nodes["a"].judge.held();
            prop_assert!(samples <= SAMPLES_KEPT && waiting <= SAMPLES_KEPT);
        }
    }
}
