//! Over gRPC, to the OpenTelemetry Collector.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::collector::{self, Collector};
use tidegate_tests::pipeline::{PATIENCE, Pipeline};
use tidegate_tests::ports::free_port;
use tidegate_tests::process::wait_until;

use crate::site::{agent_by_grpc, gateway, python, send};
use crate::spans::{as_sent, by_name};

/// Takes spans by these protocols, and writes each request as a line of JSON.
const CONFIG: &str = "
receivers:
  otlp: {protocols: {protocols}}
exporters:
  file: {path: '{folder}/spans.json', flush_interval: 200ms}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
";

/// A Collector that takes spans by these protocols, as its configuration has them.
pub(crate) fn collector(program: &Path, protocols: &str) -> Collector {
    Collector::start(program, &CONFIG.replace("{protocols}", protocols)).unwrap()
}

/// Spans that the Collector has written.
pub(crate) fn received(collector: &Collector) -> Vec<Value> {
    let requests = collector.file("spans.json");
    // The last line may be written just now.
    let requests = requests.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let below = |of: &Value, name: &str| of[name].as_array().cloned().unwrap_or_default();
    let of_request = |request: Value| {
        let scopes = below(&request, "resourceSpans").into_iter().flat_map(move |of| below(&of, "scopeSpans"));
        scopes.flat_map(move |of| below(&of, "spans")).collect::<Vec<_>>()
    };
    requests.flat_map(of_request).collect()
}

/// The SDK sends to the agent over gRPC, or to the gateway itself.
fn every_span_arrives(broker: &TestBroker, name: &str, to_gateway: bool) {
    let (Some(python), Some(program)) = (python(), collector::program()) else { return };
    let site = Pipeline::new(broker, name);
    let port = free_port().unwrap();
    let backend = format!("http://127.0.0.1:{port}");
    // The backend is away at first: it is waited for, and gets everything.
    let mut export = site.start(&["run", "export", "--otlp", &backend, "--otlp-protocol", "grpc"]);
    let (taking, at) = if to_gateway { gateway(&site) } else { agent_by_grpc(&site, &[]) };
    let sent = send(&python, "grpc", &at);
    site.wait_for(Topic::Spans, sent.len(), &taking);
    export.wait_for("trying again until it is taken", PATIENCE).unwrap();

    let collector = collector(&program, &format!("{{grpc: {{endpoint: '127.0.0.1:{port}'}}}}"));
    let all = wait_until(Duration::from_secs(120), || received(&collector).len() >= sent.len());
    let came = received(&collector);
    assert!(all.is_ok(), "{} of {} came\n{}\n{}", came.len(), sent.len(), collector.log(), export.stderr());
    assert_eq!(by_name(came.iter().map(as_sent)), by_name(sent.iter().cloned()));
    for running in [export, taking] {
        assert_eq!(running.terminate().unwrap().code, Some(0));
    }
}

#[test]
fn every_span_of_a_real_sdk_arrives_at_a_real_collector() {
    let Some(broker) = TestBroker::kafka() else { return };
    every_span_arrives(&broker, "traces-grpc", false);
}

#[test]
fn every_span_arrives_at_the_gateway_too() {
    every_span_arrives(&TestBroker::embedded(), "traces-grpc-gateway", true);
}
