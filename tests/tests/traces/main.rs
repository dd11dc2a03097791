//! Traces: spans that OpenTelemetry's own SDK sends to the agent stand on the topic, and leave it for a receiver that nobody here
//! wrote (PyPI `oteltap`) as they came: ids, times, attributes, events, links, status.
//!
//! ```text
//! send.py (SDK, gzip) ─> edge --otlp-listen ─ (gateway) ─> topic spans ─> run export ─> oteltap
//!      └── what it sent, one object a line ───────────┬─────────────────────────┘
//!                                                 compared
//! ```

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

mod own;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_schemas::Topic;
use tidegate_tests::binary::{self, Running};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::{PATIENCE, Pipeline};
use tidegate_tests::process::wait_until;
use tidegate_tests::receiver::Receiver;
use tidegate_tests::{places, python};

const TRACES: usize = 60;
/// Of each trace.
const SPANS: usize = 4;

fn python() -> Option<PathBuf> {
    python::with(&places::repository().join("tests/spans/requirements.txt"))
}

/// A gateway, and where it is.
fn gateway(site: &Pipeline) -> (Running, String) {
    let mut gateway = site.start(&["gateway", "--listen", "127.0.0.1:0"]);
    gateway.wait_for("gateway at http://", PATIENCE).unwrap();
    let said = gateway.stderr();
    let (_, at) = said.split_once("gateway at ").unwrap();
    (gateway, at.split_whitespace().next().unwrap().to_owned())
}

/// An agent that takes spans; and where.
fn agent(site: &Pipeline, flags: &[&str]) -> (Running, String) {
    let edge = ["edge", "--node-id", "beside", "--otlp-listen", "127.0.0.1:0"];
    let mut agent = site.start(&[&edge[..], flags].concat());
    agent.wait_for("/v1/traces", PATIENCE).unwrap();
    let said = agent.stderr();
    let at = said.split_whitespace().find(|word| word.ends_with("/v1/traces")).unwrap();
    (agent, at.to_owned())
}

/// Sends spans by the SDK; gives each as it was sent.
fn send(python: &Path, at: &str, traces: usize) -> Vec<Value> {
    let mut command = Command::new(python);
    command.arg(places::repository().join("tests/spans/send.py")).args([at, &traces.to_string()]);
    let sent = binary::start(command).unwrap().wait(PATIENCE).unwrap();
    assert_eq!(sent.code, Some(0), "{}", sent.stderr);
    assert!(!sent.stderr.contains("Failed to export"), "{}", sent.stderr);
    sent.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What a span that was received says, in the words of the sender.
fn as_sent(span: &Value) -> Value {
    let number = |value: &Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let kind = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    let status = ["UNSET", "OK", "ERROR"];
    let events = span["events"].as_array().unwrap().iter();
    let events = events.map(|e| json!([e["name"], number(&e["timeUnixNano"]), attributes(&e["attributes"])]));
    let links = span["links"].as_array().unwrap().iter().map(|link| link["traceId"].clone());
    json!({
        "trace_id": span["traceId"],
        "span_id": span["spanId"],
        "parent": span["parentSpanId"],
        "name": span["name"],
        "kind": kind[span["kind"].as_u64().unwrap() as usize],
        "start": number(&span["startTimeUnixNano"]),
        "end": number(&span["endTimeUnixNano"]),
        "attributes": attributes(&span["attributes"]),
        "events": events.collect::<Vec<_>>(),
        "links": links.collect::<Vec<_>>(),
        "status": status[span["status"]["code"].as_u64().unwrap() as usize],
        "message": span["status"]["message"],
    })
}

fn attributes(of: &Value) -> Value {
    let pairs = of.as_array().unwrap().iter();
    pairs
        .map(|pair| (pair["key"].as_str().unwrap().to_owned(), plain(&pair["value"])))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn plain(value: &Value) -> Value {
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "intValue" => value.as_str().unwrap().parse::<i64>().unwrap().into(),
        "arrayValue" => value["values"].as_array().unwrap().iter().map(plain).collect(),
        _ => value.clone(),
    }
}

/// By trace and span id, without what the receiver does not print.
fn by_name(spans: impl Iterator<Item = Value>) -> BTreeMap<(String, String), Value> {
    let name = |span: &Value, of: &str| span[of].as_str().unwrap().to_owned();
    let without = |mut span: Value| {
        let name = (name(&span, "trace_id"), name(&span, "span_id"));
        span.as_object_mut().unwrap().retain(|key, _| key != "service" && key != "scope");
        (name, span)
    };
    spans.map(without).collect()
}

fn every_span_arrives(broker: &TestBroker, name: &str, has_gateway: bool) {
    let Some(python) = python() else { return };
    let site = Pipeline::new(broker, name);
    let port = Receiver::reserve_port().unwrap();
    let backend = format!("http://127.0.0.1:{port}");
    // The backend is away at first: it is waited for, and gets everything.
    let mut export = site.start(&["run", "export", "--otlp", &backend, "--otlp-compression", "none"]);
    let gateway = has_gateway.then(|| gateway(&site));
    let flags = gateway.as_ref().map_or(Vec::new(), |(_, at)| vec!["--gateway", at.as_str()]);
    let (agent, at) = agent(&site, &flags);
    let sent = send(&python, &at, TRACES);
    assert_eq!(sent.len(), TRACES * SPANS);
    site.wait_for(Topic::Spans, sent.len(), &agent);
    export.wait_for("trying again until it is taken", PATIENCE).unwrap();

    let mut command = Command::new(&python);
    command.args(["-u", "-m", "oteltap", "--port", &port.to_string()]);
    let tap = binary::start(command).unwrap();
    let received =
        || tap.stdout().lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect::<Vec<_>>();
    let all = wait_until(Duration::from_secs(120), || received().len() >= sent.len());
    assert!(all.is_ok(), "{} of {} came\n{}\n{}", received().len(), sent.len(), tap.stderr(), export.stderr());
    let received = received();
    assert_eq!(by_name(received.iter().map(as_sent)), by_name(sent.iter().cloned()));

    // One of them, as people and scripts see it.
    let trace = sent[0]["trace_id"].as_str().unwrap();
    let shown = site.run(&["trace", trace]).expect_success().stdout;
    assert!(shown.starts_with(&format!("trace {trace}  4 spans, 2 services, ")), "{shown}");
    assert!(shown.contains("\nshop GET /items ") && shown.contains("\n    stock stock.Get "), "{shown}");
    assert!(shown.contains("ERROR: no price"), "{shown}");
    let object: Value = serde_json::from_str(&site.run(&["trace", trace, "--json"]).expect_success().stdout).unwrap();
    assert_eq!(object["spans"][0]["tags"]["list"], json!(["a", "b"]));
    assert_eq!(object["spans"][0]["service"], "shop");
    let unknown = site.run(&["trace", "000000000000000000000000000000ff"]);
    assert_eq!(unknown.code, Some(66));

    for running in [export, agent].into_iter().chain(gateway.map(|(running, _)| running)) {
        assert_eq!(running.terminate().unwrap().code, Some(0));
    }
    drop(tap.terminate());
}

#[test]
fn every_span_of_a_real_sdk_arrives_at_a_real_receiver() {
    let Some(broker) = TestBroker::kafka() else { return };
    every_span_arrives(&broker, "traces", false);
}

#[test]
fn every_span_arrives_over_the_embedded_broker_too() {
    every_span_arrives(&TestBroker::embedded(), "traces-embedded", false);
}

#[test]
fn every_span_arrives_by_way_of_a_gateway() {
    every_span_arrives(&TestBroker::embedded(), "traces-gateway", true);
}

/// What is answered to a request: status, and what is said.
fn post(at: &str, content_type: &str, encoding: Option<&str>, body: &[u8]) -> (u16, String) {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.post(at).content_type(content_type);
    if let Some(encoding) = encoding {
        request = request.header("Content-Encoding", encoding);
    }
    let mut response = request.send(body).unwrap();
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

#[test]
fn what_is_no_request_is_refused_and_what_is_no_span_is_left_out() {
    let broker = TestBroker::embedded();
    let site = Pipeline::new(&broker, "traces-bad");
    let (agent, at) = agent(&site, &[]);
    let json = "application/json";
    assert_eq!(post(&at, "text/plain", None, b"").0, 415);
    assert_eq!(post(&at, json, Some("br"), b"").0, 415);
    assert_eq!(post(&at, json, Some("gzip"), b"no gzip").0, 400);
    let (status, said) = post(&at, json, None, b"{\"resourceSpans\":7}");
    assert!(status == 400 && said.contains("no ExportTraceServiceRequest as JSON"), "{status} {said}");
    assert_eq!(post(&at, "application/x-protobuf", None, &[0xff; 40]).0, 400);
    assert_eq!(post(&at, json, None, &vec![b' '; 17 << 20]).0, 413);

    let span = |trace: &str| json!({"traceId": trace, "spanId": "eee19b7ec3c1b174", "name": "x"});
    let spans = [span("5b8efff798038103d269b633813fc60c"), span("00000000000000000000000000000000"), span("5b8e")];
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    let (status, said) = post(&at, json, None, body.as_bytes());
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &answer["partialSuccess"]["rejectedSpans"]), (200, &json!(2)), "{said}");
    site.wait_for(Topic::Spans, 1, &agent);
    assert_eq!(agent.terminate().unwrap().code, Some(0));
    assert_eq!(site.read(Topic::Spans).len(), 1);
}
