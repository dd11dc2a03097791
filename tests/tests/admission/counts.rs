//! Requests counted by the server spans that services send.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate_schemas::Topic;
use tidegate_schemas::records::LoadReport;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::metrics;
use tidegate_tests::pipeline::{PATIENCE, Pipeline};
use tidegate_tests::process::wait_until;

use crate::site::after;

/// A request of spans of one service: kind and status of each.
fn spans(service: &str, spans: &[(u8, u8)]) -> Value {
    let span = |(nth, (kind, status)): (usize, &(u8, u8))| {
        json!({
            "traceId": format!("{:032x}", nth + 1), "spanId": format!("{:016x}", nth + 1), "name": "GET", "kind": kind,
            "startTimeUnixNano": "1767571200000000000", "endTimeUnixNano": "1767571200001000000",
            "status": { "code": status },
        })
    };
    let spans: Vec<Value> = spans.iter().enumerate().map(span).collect();
    let resource = json!({ "attributes": [{ "key": "service.name", "value": { "stringValue": service } }] });
    json!({ "resourceSpans": [{ "resource": resource, "scopeSpans": [{ "spans": spans }] }] })
}

#[test]
fn server_spans_are_counted_as_requests_by_service_and_reported() {
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "span-counts");
    let flags = ["--otlp-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--interval", "1s"];
    let mut agent = pipeline.start(&[&["edge", "--node-id", "edge-1"], &flags[..]].concat());
    agent.wait_for("reporting every", PATIENCE).unwrap();
    let config = ureq::Agent::config_builder().proxy(None).timeout_global(Some(Duration::from_secs(60)));
    let client: ureq::Agent = config.build().into();
    let at = after(&agent.stderr(), "spans by OTLP at ");
    for (service, kinds) in [("shop", &[(2, 0), (2, 2), (3, 2), (1, 0)][..]), ("stock", &[(2, 1)])] {
        let answer = client.post(&at).send_json(spans(service, kinds)).unwrap();
        assert_eq!(answer.status(), 200);
    }
    let shown = format!("http://{}", after(&agent.stderr(), "metrics at http://"));
    let text = client.get(shown).call().unwrap().body_mut().read_to_string().unwrap();
    assert_eq!(metrics::undocumented(&text), [""; 0], "docs/metrics.md has all of them");
    for line in [
        "edge_requests_total{service=\"shop\"} 2",
        "edge_requests_failed_total{service=\"shop\"} 1",
        "edge_requests_total{service=\"stock\"} 1",
        "edge_requests_failed_total{service=\"stock\"} 0",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    let reports = || pipeline.decoded::<LoadReport>(Topic::Load);
    let counted = |report: &LoadReport| (report.requests_total, report.requests_failed_total) == (Some(3), Some(1));
    wait_until(PATIENCE, || reports().iter().any(counted)).unwrap_or_else(|e| panic!("{e}\n{}", agent.stderr()));
    assert!(reports().iter().all(|report| report.memory.is_some()), "the load is the host's");
    assert_eq!(agent.terminate().unwrap().code, Some(0));
}
