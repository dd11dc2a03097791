//! Over HTTP, to PyPI's `oteltap`; and what is refused.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tidegate_schemas::Topic;
use tidegate_tests::binary;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::{PATIENCE, Pipeline};
use tidegate_tests::ports::free_port;
use tidegate_tests::process::wait_until;

use crate::site::{agent, gateway, python, send};
use crate::spans::{as_sent, by_name};

fn every_span_arrives(broker: &TestBroker, name: &str, has_gateway: bool) {
    let Some(python) = python() else { return };
    let site = Pipeline::new(broker, name);
    let port = free_port().unwrap();
    let backend = format!("http://127.0.0.1:{port}");
    // The backend is away at first: it is waited for, and gets everything.
    let mut export = site.start(&["run", "export", "--otlp", &backend, "--otlp-compression", "none"]);
    let gateway = has_gateway.then(|| gateway(&site));
    let flags = gateway.as_ref().map_or(Vec::new(), |(_, at)| vec!["--gateway", at.as_str()]);
    let (agent, at) = agent(&site, &flags);
    let sent = send(&python, "http", &at);
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
pub(crate) fn post(at: &str, content_type: &str, encoding: Option<&str>, body: &[u8]) -> (u16, String) {
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
