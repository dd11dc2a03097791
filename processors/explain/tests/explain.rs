//! Decisions of the production stages over made-up load, recorded and explained.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::sync::Arc;

use tidegate_broker::{Keyed, RawRecord, Received, Source, Stage, Verdict};
use tidegate_explain::{Case, Evidence, ExplainError, Explanation, Stages, Wanted};
use tidegate_forecast::{Model, REACH_MS, Status};
use tidegate_quota::{PolicyName, Rails, Settings};
use tidegate_schemas::records::{Control, Forecast, LoadReport, QuotaCommand};
use tidegate_schemas::trace::{TRACEPARENT, TraceContext};
use tidegate_schemas::{CatalogueIds, Encoder, Topic};
use tidegate_stages::{ForecastStage, QuotaStage, primed};

const MINUTE_MS: i64 = 60_000;
const BEGUN_MS: i64 = 1_700_000_100_000;
/// Reports of each node, one a minute: more than a decision depends on.
const REPORTS: i64 = 5_000;
const NODES: [&str; 2] = ["node-a", "node-b"];

/// What stands on the topics after some hours.
struct Log {
    load: Vec<RawRecord>,
    forecasts: Vec<RawRecord>,
    quotas: Vec<RawRecord>,
    controls: Vec<RawRecord>,
}

fn report(node: &str, index: i64) -> LoadReport {
    let timestamp = BEGUN_MS + index * MINUTE_MS;
    let wave = ((index % 47) as f64 / 47.0 - 0.5).abs();
    // At times node-b has pulses that no model forecasts to the point, until the node's own past teaches them: it will be demoted.
    let is_wild = node == "node-b" && ((301..900).contains(&index) || index > 4_700);
    let cpu = if is_wild { [9.0, 0.5][index as usize % 2] } else { 0.4 + wave };
    LoadReport {
        pool: "web".into(),
        sequence: index,
        cpu: Some(cpu),
        memory: Some(0.3 + 0.1 * wave),
        quota_in_force: Some(1000.0),
        quota_sequence: (index > 0).then_some(index - 1),
        ..LoadReport::new(node, timestamp, MINUTE_MS, 1000.0)
    }
}

fn raw<T: Keyed>(topic: Topic, offset: i64, record: &T, timestamp: i64, sequence: i64) -> RawRecord {
    let mut value = Vec::new();
    Encoder::new(topic, T::KIND, &CatalogueIds).unwrap().encode(record, &mut value).unwrap();
    let trace = TraceContext::root(1, record.key(), sequence).traceparent().into_bytes();
    RawRecord {
        topic: format!("tidegate.{topic}"),
        partition: 0,
        offset,
        timestamp: Some(timestamp),
        key: Some(record.key().as_bytes().to_vec()),
        value: Some(value),
        headers: vec![(TRACEPARENT.into(), Some(trace))],
    }
}

fn control() -> RawRecord {
    let control = Control {
        target: "pool:web".into(),
        timestamp: BEGUN_MS + 650 * MINUTE_MS,
        by: "alice".into(),
        why: "maintenance".into(),
        max_quota: Some(900.0),
        ..Control::default()
    };
    let mut value = Vec::new();
    let kind = <Control as tidegate_schemas::records::Record>::KIND;
    Encoder::new(Topic::Controls, kind, &CatalogueIds).unwrap().encode(&control, &mut value).unwrap();
    RawRecord {
        topic: "tidegate.controls".into(),
        key: Some(control.target.into_bytes()),
        value: Some(value),
        ..RawRecord::default()
    }
}

/// Runs the stages of production over the load.
fn log(settings: &Settings) -> Log {
    let mut forecasts = ForecastStage::new(Arc::new(Model::shipped().unwrap()));
    let mut quotas = QuotaStage::new(primed(settings.clone(), &Model::shipped().unwrap()));
    let mut log = Log { load: Vec::new(), forecasts: Vec::new(), quotas: Vec::new(), controls: vec![control()] };
    for index in 0..REPORTS {
        for node in NODES {
            let record = report(node, index);
            let (at, offset) = (record.timestamp, log.load.len() as i64);
            let source = Source { topic: "tidegate.load".into(), partition: 0, offset };
            let raw_report = raw(Topic::Load, offset, &record, at, index);
            log.load.push(raw_report);
            let received = Received { record, source, kafka_timestamp: Some(at), trace: None };
            let forecast: Forecast = output(forecasts.process(&[received]));
            log.forecasts.push(raw(Topic::Forecasts, offset, &forecast, at, index));
            let source = Source { topic: "tidegate.forecasts".into(), partition: 0, offset };
            let received = Received { record: forecast, source, kafka_timestamp: Some(at), trace: None };
            let command: QuotaCommand = output(quotas.process(&[received]));
            log.quotas.push(raw(Topic::Quotas, offset, &command, at, index));
        }
    }
    log
}

fn output<T>(verdicts: Vec<(usize, Verdict<T>)>) -> T {
    match verdicts.into_iter().next() {
        Some((_, Verdict::Output(output))) => output,
        _ => panic!("no output"),
    }
}

fn explain(log: &[&[RawRecord]], node: &str, wanted: Wanted, settings: &Settings) -> Result<Explanation, ExplainError> {
    let mut evidence = Evidence::of(node, Arc::new(CatalogueIds));
    for record in log.iter().copied().flatten() {
        evidence.take(record.clone()).unwrap();
    }
    Stages::new(Model::shipped().unwrap(), settings.clone()).explain(&Case::of(evidence, wanted)?)
}

/// The same without the reports before an event time.
fn since(load: &[RawRecord], event_time: i64) -> Vec<RawRecord> {
    load.iter().filter(|raw| raw.timestamp >= Some(event_time)).cloned().collect()
}

#[test]
fn any_decision_of_either_policy_comes_out_again_byte_for_byte() {
    for policy in PolicyName::ALL.iter().copied() {
        let settings = Settings { policy, ..Settings::default() };
        let log = log(&settings);
        let all: [&[RawRecord]; 3] = [&log.quotas, &log.load, &log.forecasts];
        for (node, sequence) in NODES.into_iter().flat_map(|node| [0, 1, 90, 333, 480, 4_999].map(|at| (node, at))) {
            let explanation = explain(&all, node, Wanted::Sequence(sequence), &settings).unwrap();
            assert!(explanation.reproduced.is_whole(), "{node} {sequence}: {:?}", explanation.reproduced);
            assert_eq!((explanation.sequence, explanation.cause.offset / 2), (sequence, sequence));
            assert_eq!(explanation.trace_id, Some(TraceContext::root(1, node, sequence).trace_id()));
            let before = explanation.decided.before.map(|command| command.sequence);
            assert_eq!(before, (sequence > 0).then(|| sequence - 1));
        }
    }
}

#[test]
fn the_last_decision_and_the_one_in_force_are_found() {
    let settings = Settings::default();
    let log = log(&settings);
    let all: [&[RawRecord]; 3] = [&log.quotas, &log.load, &log.forecasts];
    let last = explain(&all, "node-a", Wanted::Last, &settings).unwrap();
    assert_eq!(last.sequence, REPORTS - 1);
    let then = explain(&all, "node-a", Wanted::At(BEGUN_MS + 100 * MINUTE_MS + 59_999), &settings).unwrap();
    assert_eq!(then.sequence, 100);
}

#[test]
fn the_stretch_is_what_a_decision_depends_on() {
    let settings = Settings::default();
    let log = log(&settings);
    let at = BEGUN_MS + 4_990 * MINUTE_MS;
    let explain_from = |from: i64| {
        let load = since(&log.load, from);
        explain(&[&load, &log.forecasts, &log.quotas], "node-b", Wanted::Sequence(4_990), &settings).unwrap()
    };
    let whole = explain_from(BEGUN_MS);
    assert_eq!(whole.stretch.missing, None);
    assert_eq!(whole.stretch.reports as i64, REACH_MS / MINUTE_MS + 1);
    // One report more than the stretch shows that nothing of it is missing.
    let enough = explain_from(at - REACH_MS - MINUTE_MS);
    assert!(enough.reproduced.is_whole() && enough.stretch.missing.is_none());
    let cut = explain_from(at - 150 * MINUTE_MS);
    assert_eq!(cut.reproduced.forecast, Some(false));
    assert!(cut.stretch.missing.unwrap().contains("tidegate.load/0 begins here with offset 9680"));
    let differs: Vec<&str> = cut.reproduced.differences.iter().map(|d| d.field.as_str()).collect();
    assert!(differs.contains(&"forecast.state"), "{differs:?}");
}

#[test]
fn a_demoted_node_shows_both_forecasts_and_the_scores() {
    let settings = Settings::default();
    let log = log(&settings);
    let all: [&[RawRecord]; 3] = [&log.load, &log.forecasts, &log.quotas];
    let wild = explain(&all, "node-b", Wanted::Last, &settings).unwrap();
    assert_eq!(wild.said.state, Status::Demoted);
    assert!(wild.reproduced.is_whole());
    let (saw, underneath) = (wild.saw.cpu.unwrap(), wild.said.underneath.unwrap());
    assert_eq!(wild.said.cpu.peak_p50, saw.baseline_peak);
    assert_ne!(underneath.cpu, wild.said.cpu);
    assert_eq!(underneath.memory, wild.said.memory);
    assert!(saw.scores.iter().all(|score| score.outcomes == 60 && score.model > score.baseline), "{:?}", saw.scores);
    let calm = explain(&all, "node-a", Wanted::Last, &settings).unwrap();
    assert_eq!((calm.said.state, calm.said.underneath), (Status::Ready, None));
}

#[test]
fn steps_lead_from_the_peak_to_the_quota_and_name_what_bound() {
    let settings = Settings { rails: Rails { max_scale: 2.0, ..Rails::default() }, ..Settings::default() };
    let log = log(&settings);
    let all: [&[RawRecord]; 3] = [&log.load, &log.forecasts, &log.quotas];
    let explanation = explain(&all, "node-b", Wanted::Sequence(600), &settings).unwrap();
    let steps = &explanation.decided.steps;
    let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["policy", "max"]);
    assert_eq!(steps[0].before, explanation.said.cpu.peak_p50);
    assert_eq!((steps[1].before, steps[1].after), (steps[0].after, 2.0));
    assert_eq!(explanation.decided.command.quota, 2000.0);
    // Other settings than those that decided do not come to the same, and it says where.
    let other = explain(&all, "node-b", Wanted::Sequence(600), &Settings::default()).unwrap();
    assert_eq!((other.reproduced.forecast, other.reproduced.quota), (Some(true), Some(false)));
    let quota = other.reproduced.differences.iter().find(|d| d.field == "quota.quota").unwrap();
    assert_eq!((&quota.recorded, &quota.recomputed), (&2000.0.into(), &3000.0.into()));
}

#[test]
fn controls_in_force_are_named() {
    let settings = Settings::default();
    let log = log(&settings);
    let all: [&[RawRecord]; 2] = [&log.load, &log.controls];
    let of = |sequence| explain(&all, "node-a", Wanted::Sequence(sequence), &settings).unwrap();
    assert_eq!(of(649).decided.controls, [""; 0]);
    let explanation = of(650);
    assert_eq!(explanation.decided.controls, ["alice on pool:web: maintenance"]);
    // Of load and controls alone, there is nothing to hold it against.
    assert_eq!((explanation.reproduced.forecast, explanation.reproduced.quota), (None, None));
}

#[test]
fn recordings_that_do_not_end_together_have_a_last_decision() {
    let settings = Settings::default();
    let log = log(&settings);
    let load = &log.load[..1_000];
    let explanation = explain(&[load, &log.forecasts, &log.quotas], "node-a", Wanted::Last, &settings).unwrap();
    assert_eq!(explanation.sequence, 499);
    assert!(explanation.reproduced.is_whole());
}

#[test]
fn what_cannot_be_explained_is_told_in_a_sentence() {
    let settings = Settings::default();
    let log = log(&settings);
    let all: [&[RawRecord]; 3] = [&log.load, &log.forecasts, &log.quotas];
    let said = |log: &[&[RawRecord]], node, wanted| explain(log, node, wanted, &settings).unwrap_err().to_string();
    assert_eq!(
        said(&all, "node-z", Wanted::Last),
        "there is no node \"node-z\" here: no report, forecast or command has that key"
    );
    assert!(said(&all, "node-a", Wanted::Sequence(5_000)).starts_with(
        "node-a has no command with sequence 5000 here; there are sequences 0 to 4999, of event times 1700000100000 to"
    ));
    assert!(
        said(&all, "node-a", Wanted::At(5)).starts_with("node-a has no command at or before 5 (ms since the epoch)")
    );
    assert_eq!(
        said(&[&log.load[600..], &log.quotas], "node-a", Wanted::Sequence(10)),
        "the report that led to it, tidegate.load/0/20, is not here any more; without it and the 79 h 17 min of reports before \
         it the decision cannot be reproduced"
    );
    assert!(said(&[&log.quotas], "node-a", Wanted::Last).contains("tidegate.load/0/9998, is not here any more"));
}
