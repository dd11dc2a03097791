//! The text as a person reads it.

use tidegate_explain::{
    AlertState, AlertView, ByResource, Decided, Difference, Explanation, Position, Reproduced, Said, Saw, StepView,
    Stretch, WhatModelSaid,
};
use tidegate_forecast::{CorrectionView, PastView, ResourceView, ScoreView, Status};
use tidegate_schemas::records::{Cause, LoadReport, QuotaCommand, QuotaMode};

const AT: i64 = 1_767_600_439_442;

fn view(status: Status, current: f64) -> ResourceView {
    let past = [5, 15, 60, 120].map(|minutes| PastView { minutes, mean: 0.61, max: 0.75, min: 0.4 }).to_vec();
    let score = |hour: i64, outcomes, model, baseline| ScoreView {
        begun_ms: 1_767_589_200_000 + hour * 3_600_000,
        outcomes,
        model,
        baseline,
    };
    ResourceView {
        status,
        begun_ms: AT - 11_230_000,
        measured_ms: AT,
        current,
        scale: 0.084,
        past,
        baseline_peak: 0.65,
        persistence: current,
        correction: (status != Status::Warming).then_some(CorrectionView { peak_p50: -0.0042, peak_p90: 0.011 }),
        scores: vec![
            score(0, 0, None, None),
            score(1, 55, Some(6.7), Some(4.21)),
            score(2, 60, Some(7.76), Some(3.54)),
        ],
    }
}

fn said(p50: f64) -> WhatModelSaid {
    WhatModelSaid { peak_p50: p50, peak_p90: p50 + 0.05, path: vec![p50 - 0.02; 5] }
}

fn command(cause: &Cause) -> QuotaCommand {
    QuotaCommand {
        node_id: "node-8".into(),
        pool: "web".into(),
        timestamp: AT,
        sequence: 42,
        base_quota: 1000.0,
        quota: 1200.0,
        scale_factor: 1.2,
        reason: "baseline forecast CPU peak 0.90 is above 0.80: 1.35 × base; bound by max to 1.20 × base".into(),
        limits_hit: vec!["max".into()],
        predicted_load: 0.9,
        forecast_p90: 0.95,
        current_load: 0.612,
        margin: 0.0,
        hold_until: None,
        model: "tide-1 37e7cfdc".into(),
        policy: "threshold".into(),
        mode: QuotaMode::Recommend,
        steering: Vec::new(),
        valid_until: AT + 300_000,
        cause: cause.clone(),
    }
}

fn report() -> LoadReport {
    LoadReport {
        node_id: "node-8".into(),
        pool: "web".into(),
        timestamp: AT,
        sequence: 42,
        interval_ms: 10_000,
        cpu: Some(0.612),
        memory: None,
        net_in: None,
        net_out: None,
        disk_io: None,
        requests_total: None,
        requests_failed_total: None,
        base_quota: 1000.0,
        quota_in_force: Some(1000.0),
        quota_sequence: Some(41),
    }
}

fn explanation() -> Explanation {
    let cause = Cause { topic: "tidegate.load".into(), partition: 0, offset: 2239 };
    let command = command(&cause);
    let step = |name: &str, before, after, why: &str| StepView { name: name.into(), before, after, why: why.into() };
    Explanation {
        node_id: "node-8".into(),
        sequence: 42,
        timestamp: AT,
        trace_id: Some("44c989fa2edfbc7fddcca10b167af7d4".into()),
        cause: Position { topic: cause.topic, partition: 0, offset: 2239, kafka_timestamp: Some(AT) },
        report: report(),
        stretch: Stretch { since: AT - 32_880_000, reports: 224, left_out: 0, missing: None },
        saw: Saw { cpu: Some(view(Status::Demoted, 0.612)), memory: None },
        said: Said {
            state: Status::Demoted,
            model: "tide-1 37e7cfdc".into(),
            cpu: said(0.9),
            memory: said(0.3),
            underneath: Some(ByResource { cpu: said(0.7), memory: said(0.3) }),
        },
        decided: Decided {
            before: None,
            steps: vec![
                step("policy", 0.9, 1.35, "threshold: forecast peak 0.9000 (p50), current load 0.6120"),
                step("max", 1.35, 1.2, "the quota may not be larger"),
            ],
            controls: vec!["alice on pool:web: maintenance".into()],
            command,
        },
        alerts: vec![alert(AlertState::Resolved, Some(AT - 60_000)), alert(AlertState::Firing, None)],
        alert: None,
        reproduced: Reproduced { forecast: Some(true), quota: Some(true), differences: Vec::new() },
    }
}

fn alert(state: AlertState, ends_at: Option<i64>) -> AlertView {
    AlertView {
        fingerprint: "5d41402abc4b2a76".into(),
        rule: "NodeCpuHigh".into(),
        state,
        starts_at: AT - 720_000,
        fired_at: AT - 420_000,
        ends_at,
        summary: "node-8: CPU above 90 % of its base quota for 5 minutes".into(),
        trace_id: None,
    }
}

#[test]
fn an_explanation_reads_from_the_report_down_to_the_quota() {
    insta::assert_snapshot!("explained", super::of(&explanation()));
}

#[test]
fn an_alert_that_was_asked_about_stands_above_its_decision() {
    let explanation =
        Explanation { alert: Some(alert(AlertState::Pending, None)), alerts: Vec::new(), ..explanation() };
    let text = super::of(&explanation);
    let begin: Vec<&str> = text.lines().take(5).collect();
    insta::assert_snapshot!("asked", begin.join("\n"));
    assert!(text.contains("alerts     none known of the node within 60 min of it"), "{text}");
}

#[test]
fn what_did_not_come_out_again_is_named() {
    let mut explanation = explanation();
    explanation.stretch.missing = Some("tidegate.load/0 begins here with offset 2100".into());
    explanation.reproduced.quota = Some(false);
    explanation.reproduced.differences =
        vec![Difference { field: "quota.quota".into(), recorded: 1200.into(), recomputed: 1350.into() }];
    let text = super::of(&explanation);
    let end: Vec<&str> = text.lines().rev().take(2).collect();
    assert_eq!(end[1], "reproduced no: the forecast byte for byte, the command came out otherwise");
    assert_eq!(end[0].trim(), "quota.quota: 1200 on the topic, 1350 recomputed");
    assert!(text.contains("! tidegate.load/0 begins here with offset 2100"));
    explanation.reproduced = Reproduced { forecast: None, quota: None, differences: Vec::new() };
    assert!(super::of(&explanation).contains("reproduced not known: the forecast is not there to be compared"));
}
