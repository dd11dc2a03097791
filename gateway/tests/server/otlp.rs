//! OTLP over HTTP at the gateway: metrics become load, spans stand on their topic.

use std::time::{SystemTime, UNIX_EPOCH};

use tidegate_gateway::Security;
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{CatalogueIds, Decoder, Topic};
use ureq::Agent;

use crate::office::{Office, tokens};
use crate::site::Site;

/// Two cores of a host, and its memory.
pub(crate) fn metrics(host: &str, at_s: u64, busy: f64) -> String {
    let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    let point = |attributes: String, value: f64| {
        format!(r#"{{"timeUnixNano":"{at_s}000000000","asDouble":{value},"attributes":[{attributes}]}}"#)
    };
    let of = |cpu: &str, state: &str| format!("{},{}", attribute("cpu", cpu), attribute("state", state));
    let cores =
        ["cpu0", "cpu1"].map(|cpu| format!("{},{}", point(of(cpu, "user"), busy), point(of(cpu, "idle"), 1.0 - busy)));
    format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{}]}},"scopeMetrics":[{{"metrics":[
           {{"name":"system.cpu.utilization","gauge":{{"dataPoints":[{}]}}}},
           {{"name":"system.memory.utilization","gauge":{{"dataPoints":[{}]}}}}]}}]}}]}}"#,
        attribute("host.name", host),
        cores.join(","),
        point(attribute("state", "used"), 0.25)
    )
}

fn post(site: &Site, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let agent: Agent = Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.post(format!("{}{path}", site.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = request.send(body).unwrap();
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn utilization_of_a_host_is_its_load() {
    let site = Site::start();
    let begun = now_s() - 30;
    for (n, busy) in [0.1, 0.3, 0.5].into_iter().enumerate() {
        let body = metrics("web-1", begun + 10 * n as u64, busy);
        assert_eq!(post(&site, "/v1/metrics", &[JSON], body.as_bytes()), (200, "{\"partialSuccess\":null}".into()));
    }
    let mut decoder = Decoder::new(std::sync::Arc::new(CatalogueIds));
    let told = site.read(Topic::Load).into_iter().map(|record| {
        let report: LoadReport = decoder.decode(record.value.as_deref().unwrap()).unwrap();
        (report.node_id, report.cpu, report.memory, report.base_quota, report.interval_ms)
    });
    let wanted = |cpu| ("web-1".to_owned(), Some(cpu), Some(0.25), 2000.0, 10_000);
    assert_eq!(told.collect::<Vec<_>>(), [wanted(0.3), wanted(0.5)]);
}

#[test]
fn spans_are_taken_where_the_edges_are() {
    let site = Site::start();
    let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"x"},
        {"traceId":"00","spanId":"eee19b7ec3c1b174","name":"y"}]}]}]}"#;
    let (status, said) = post(&site, "/v1/traces", &[JSON], body.as_bytes());
    assert!(status == 200 && said.contains("\"rejectedSpans\":1"), "{status} {said}");
    assert_eq!(site.read(Topic::Spans).len(), 1);
}

#[test]
fn what_cannot_be_taken_is_refused_and_what_is_not_granted_is_said() {
    let office = Office::new();
    tokens(&office.path("tokens"), &[("web-1", "secret")]);
    let site = Site::secured(Security { tokens: Some(office.path("tokens")), ..Security::default() });
    let token = ("authorization", "Bearer secret");
    for path in ["/v1/metrics", "/v1/traces"] {
        assert_eq!(post(&site, path, &[JSON], b"{}").0, 401);
        assert_eq!(post(&site, path, &[token, ("content-type", "text/plain")], b"{}").0, 415);
        assert_eq!(post(&site, path, &[token, JSON, ("content-encoding", "br")], b"{}").0, 415);
        assert_eq!(post(&site, path, &[token, JSON, ("content-encoding", "gzip")], b"{}").0, 400);
        assert_eq!(post(&site, path, &[token, JSON], b"{").0, 400);
        assert_eq!(post(&site, path, &[token, JSON], &vec![b' '; 150_000]).0, 413);
        assert_eq!(post(&site, path, &[token, JSON], b"{}").0, 200);
    }
    let body = metrics("web-2", now_s(), 0.1);
    let (status, said) = post(&site, "/v1/metrics", &[token, JSON], body.as_bytes());
    assert!(status == 200 && said.contains("\"rejectedDataPoints\":5"), "{status} {said}");
    assert!(said.contains("may not speak for their node"), "{said}");
}
