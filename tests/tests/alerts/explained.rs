//! From an alert in a real Alertmanager to its decision: the fingerprint that it shows, asked of `tidegate explain`.

use std::process::Command;

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::{TRACEPARENT, TraceContext};
use tidegate_tests::alertmanager::Alertmanager;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::Raw;
use tidegate_tests::debian;
use tidegate_tests::pipeline::{PATIENCE, Pipeline, record, reports};
use tidegate_tests::process::wait_until;

/// Three nodes, of which node-2 is hot, for ten minutes.
const NODES: usize = 3;
const ROUNDS: i64 = 60;
/// Of sysexits: the command line, and the data.
const USAGE: i32 = 64;
const DATA: i32 = 65;

/// A report as edges send it, with a trace of its own.
fn traced(report: &LoadReport) -> Raw {
    let trace = TraceContext::root(1, &report.node_id, report.sequence).traceparent();
    Raw { headers: vec![(TRACEPARENT.to_owned(), Some(trace.into_bytes()))], ..record(report) }
}

/// What `amtool` shows of the only alert.
fn in_amtool(url: &str) -> Value {
    let amtool = debian::amtool().expect("it comes with Alertmanager");
    let asked =
        Command::new(amtool).args(["alert", "query", "-o", "json", "--alertmanager.url", url]).output().unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let alerts: Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(alerts.as_array().unwrap().len(), 1, "{alerts}");
    alerts[0].clone()
}

#[test]
fn the_fingerprint_that_alertmanager_shows_leads_to_the_decision() {
    let Some(alertmanager) = Alertmanager::start() else { return };
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "explained");
    let url = alertmanager.url();
    let stages = ["run", "forecast", "quota", "alerts", "alertmanager", "--alertmanager", &url];
    let running = pipeline.start(&stages);
    let load = reports(NODES, ROUNDS);
    pipeline.send_load(&load.iter().map(traced).collect::<Vec<_>>());
    pipeline.wait_for(Topic::Quotas, load.len(), &running);
    let is_there = || alertmanager.get("alerts").as_array().is_some_and(|alerts| alerts.len() == 1);
    wait_until(PATIENCE, is_there).unwrap_or_else(|e| panic!("{e}\n{}", running.stderr()));
    let shown = in_amtool(&url);
    assert_eq!(shown["fingerprint"], alertmanager.get("alerts")[0]["fingerprint"]);
    let fingerprint = shown["fingerprint"].as_str().unwrap();

    let explain = |with: &[&str]| pipeline.run(&[&["explain", "--alert"], with].concat());
    let explained: Value = serde_json::from_str(&explain(&[fingerprint, "--json"]).expect_success().stdout).unwrap();
    assert_eq!((&explained["node_id"], &explained["alert"]["rule"]), (&"node-2".into(), &"NodeCpuHigh".into()));
    let (decided, fired) = (explained["timestamp"].as_i64().unwrap(), explained["alert"]["fired_at"].as_i64().unwrap());
    assert!(decided <= fired && fired - decided < 10_000, "the last one before it fired: {decided}, {fired}");
    assert_eq!(explained["alerts"], Value::Array(vec![explained["alert"].clone()]));
    assert_eq!(explained["reproduced"]["quota"], true);
    // The alert was sent with the trace of the report behind it, which is that of the decision or of the report after it.
    assert_eq!(explained["alert"]["trace_id"], shown["annotations"]["trace_id"]);
    let text = explain(&[&fingerprint.to_uppercase()]).expect_success().stdout;
    assert!(text.starts_with("alert      NodeCpuHigh of node-2, held since "), "{text}");
    assert!(text.contains(&format!("tidegate trace {}", explained["trace_id"].as_str().unwrap())), "{text}");

    let folder = tempfile::tempdir().unwrap();
    let files = ["quotas", "load", "forecasts", "alerts"].map(|topic| {
        let file = folder.path().join(format!("{topic}.avro")).to_str().unwrap().to_owned();
        drop(pipeline.run(&["record", topic, "--to", &file, "--until-end"]).expect_success());
        file
    });
    let recordings = files.iter().flat_map(|file| ["--recording", file]);
    let of_files: Vec<&str> = [fingerprint, "--json"].into_iter().chain(recordings).collect();
    let of_files: Value = serde_json::from_str(&explain(&of_files).expect_success().stdout).unwrap();
    assert_eq!(of_files, explained);

    let refused = |with: &[&str], code, word| {
        let ended = explain(with);
        assert_eq!(ended.code, Some(code), "{}", ended.stderr);
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
    };
    refused(&["0123456789abcdef"], DATA, "there is no alert with the fingerprint 0123456789abcdef here");
    refused(&["12"], USAGE, "a fingerprint has 16 hex digits");
    refused(&[fingerprint, "--sequence", "1"], USAGE, "cannot be used with");
    assert_eq!(running.terminate().unwrap().code, Some(0));
}
