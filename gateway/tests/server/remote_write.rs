//! Prometheus Remote-Write: what is taken, refused, put off, and how each is answered.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;
use tidegate_gateway::Security;
use tidegate_samples::remote_write::proto::{v1, v2};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{CatalogueIds, Decoder, Topic};
use ureq::http::Response;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::office::{Office, tokens};
use crate::site::{LIMITS, PATIENCE, Site};

const V1: &str = "application/x-protobuf";
const V2: &str = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
const STEP: i64 = 15_000;

/// A series: its labels, and one sample.
type Series<'s> = (Vec<(&'s str, &'s str)>, i64, f64);

/// Two scrapes ago, in whole seconds.
fn start() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    (i64::try_from(now).unwrap() - 60) * 1000
}

/// What one core of a host says at a time: `busy` seconds, half of the memory.
fn scrape(node: &str, at_ms: i64, busy: f64) -> Vec<Series<'_>> {
    let cpu =
        |mode, value| (vec![("__name__", "node_cpu_seconds_total"), ("instance", node), ("mode", mode)], at_ms, value);
    let memory = |name, value| (vec![("__name__", name), ("instance", node)], at_ms, value);
    vec![
        cpu("user", busy),
        cpu("idle", 1.0),
        memory("node_memory_MemAvailable_bytes", 5.0),
        memory("node_memory_MemTotal_bytes", 10.0),
    ]
}

fn first(series: &[Series<'_>]) -> Vec<u8> {
    let label = |(name, value): &(&str, &str)| v1::Label { name: (*name).into(), value: (*value).into() };
    let one = |(labels, timestamp, value): &Series<'_>| v1::TimeSeries {
        labels: labels.iter().map(label).collect(),
        samples: vec![v1::Sample { value: *value, timestamp: *timestamp }],
        ..v1::TimeSeries::default()
    };
    v1::WriteRequest { timeseries: series.iter().map(one).collect() }.encode_to_vec()
}

fn second(series: &[Series<'_>]) -> Vec<u8> {
    let mut symbols = vec![String::new()];
    let mut timeseries = Vec::new();
    for (labels, timestamp, value) in series {
        let mut labels_refs = Vec::new();
        for text in labels.iter().flat_map(|(name, value)| [name, value]) {
            labels_refs.push(u32::try_from(symbols.len()).unwrap());
            symbols.push((*text).to_owned());
        }
        let samples = vec![v2::Sample { value: *value, timestamp: *timestamp }];
        timeseries.push(v2::TimeSeries { labels_refs, samples, ..v2::TimeSeries::default() });
    }
    v2::Request { symbols, timeseries }.encode_to_vec()
}

fn packed(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).unwrap()
}

/// Sends bodies to one gateway.
struct Sender {
    url: String,
    agent: Agent,
    token: Option<&'static str>,
}

impl Sender {
    fn to(site: &Site) -> Self {
        let agent = Agent::config_builder().http_status_as_error(false).build().into();
        Self { url: format!("{}/api/v1/write", site.address), agent, token: None }
    }

    fn send(&self, content_type: &str, body: &[u8]) -> Response<Body> {
        self.send_as(content_type, "snappy", body)
    }

    fn send_as(&self, content_type: &str, encoding: &str, body: &[u8]) -> Response<Body> {
        let mut request = self.agent.post(&self.url).header("content-type", content_type);
        if !encoding.is_empty() {
            request = request.header("content-encoding", encoding);
        }
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        request.send(body).unwrap()
    }
}

fn said(mut response: Response<Body>) -> (u16, String) {
    (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
}

/// Samples, histograms and exemplars that an answer calls written.
fn written(response: &Response<Body>) -> Option<[u64; 3]> {
    let of = |what| {
        let value = response.headers().get(format!("X-Prometheus-Remote-Write-{what}-Written"))?;
        value.to_str().unwrap().parse().ok()
    };
    Some([of("Samples")?, of("Histograms")?, of("Exemplars")?])
}

fn reports(site: &Site) -> Vec<LoadReport> {
    let mut decoder = Decoder::new(std::sync::Arc::new(CatalogueIds));
    site.read(Topic::Load).iter().map(|record| decoder.decode(record.value.as_deref().unwrap()).unwrap()).collect()
}

#[test]
fn both_protocols_make_a_node_of_a_host() {
    let site = Site::start();
    let (sender, at) = (Sender::to(&site), start());
    let answer = sender.send(V1, &packed(&first(&scrape("a:9100", at, 100.0))));
    assert_eq!((answer.status().as_u16(), written(&answer)), (204, None));
    let answer = sender.send(V2, &packed(&second(&scrape("a:9100", at + STEP, 106.0))));
    assert_eq!((answer.status().as_u16(), written(&answer)), (204, Some([4, 0, 0])));
    // What was answered is on the topic.
    let wanted = [LoadReport { cpu: Some(0.4), memory: Some(0.5), ..LoadReport::new("a", at + STEP, STEP, 1000.0) }];
    assert_eq!(reports(&site), wanted);
    let again = sender.send(V2, &packed(&second(&scrape("a:9100", at + STEP, 106.0))));
    assert_eq!(
        (again.status().as_u16(), written(&again)),
        (204, Some([4, 0, 0])),
        "what is known is as good as written"
    );
    assert_eq!(reports(&site), wanted);
}

#[test]
fn what_can_never_be_taken_is_refused_for_good() {
    let site = Site::start();
    let sender = Sender::to(&site);
    let good = packed(&first(&scrape("a:9100", start(), 1.0)));
    let large = vec![0; LIMITS.message_bytes + 1];
    let plain_large = packed(&vec![0; LIMITS.batch.bytes + 1]);
    for (status, content_type, encoding, body) in [
        (415, "application/json", "snappy", &good[..]),
        (415, "application/x-protobuf;proto=io.prometheus.write.v9.Request", "snappy", &good[..]),
        (415, V1, "zstd", &good[..]),
        (415, V1, "", &good[..]),
        (400, V1, "snappy", &good[..good.len() - 1]),
        (400, V1, "snappy", &packed(b"\x0a\xff")[..]),
        (400, V2, "snappy", &packed(b"\x22\x01x")[..]),
        (413, V1, "snappy", &[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0][..]),
        (413, V1, "snappy", &plain_large[..]),
        (413, V1, "snappy", &large[..]),
    ] {
        let (answered, why) = said(sender.send_as(content_type, encoding, body));
        assert_eq!(answered, status, "{content_type} {encoding} {}: {why}", body.len());
        assert!(why.len() > 10 && why.ends_with('\n'), "{why}");
    }
    let elsewhere = sender.agent.post(format!("{}/write", site.address)).send(&good[..]).unwrap();
    assert_eq!(said(elsewhere), (404, "there is POST /api/v1/write, /v1/metrics, /v1/traces, and gRPC\n".into()));
    assert_eq!(sender.send(V1, &good).status(), 204);
    assert!(site.read(Topic::Load).is_empty() && site.read(Topic::DeadLetters).is_empty());
}

#[test]
fn of_a_request_with_series_that_are_none_the_rest_is_taken() {
    let site = Site::start();
    let (sender, at) = (Sender::to(&site), start());
    sender.send(V1, &packed(&first(&scrape("a:9100", at, 100.0))));
    let mut series = scrape("a:9100", at + STEP, 103.0);
    series.insert(1, (vec![("instance", "a:9100")], at, 1.0));
    series.push((vec![("__name__", "node_memory_MemTotal_bytes"), ("instance", "b")], at + 86_400_000, 1.0));
    let answer = sender.send(V2, &packed(&second(&series)));
    assert_eq!(written(&answer), Some([4, 0, 0]));
    let (status, why) = said(answer);
    assert_eq!(status, 400);
    assert!(why.contains("1 (a series has no __name__)") && why.contains("1 (they are before 1970"), "{why}");
    assert_eq!(reports(&site).iter().map(|r| r.cpu).collect::<Vec<_>>(), [Some(0.2)]);
}

#[test]
fn a_flood_is_put_off_and_those_that_were_let_in_go_on() {
    let site = Site::start();
    let (sender, body) = (Sender::to(&site), packed(&first(&scrape("a:9100", start(), 1.0))));
    // Requests whose bodies do not come hold all the places.
    let slow = || {
        let mut stream = TcpStream::connect(site.address.trim_start_matches("http://")).unwrap();
        let head = "POST /api/v1/write HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\n\
                    content-encoding: snappy\r\ncontent-length: 1000\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream
    };
    let began = std::time::Instant::now();
    let put_off = loop {
        // One that came while the place was taken for a moment was put off itself, and holds nothing.
        let held = slow();
        std::thread::sleep(Duration::from_millis(100));
        let answer = sender.send(V1, &body);
        if answer.status() == 429 {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE, "never 429");
        drop(held);
    };
    assert!(put_off.headers().contains_key("retry-after"));
    assert!(site.counted("requests") > 0);
    // The place is free again once the slow one has gone.
    while sender.send(V1, &body).status() != 204 {
        assert!(began.elapsed() < 2 * PATIENCE, "never 204");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_sender_writes_for_the_nodes_that_are_granted_to_it() {
    let office = Office::new();
    tokens(&office.path("tokens"), &[("site-1", "secret")]);
    let grants = office.write("grants.toml", "[[grant]]\nedge = \"site-1\"\nnodes = [\"a*\"]\n");
    let security = Security { tokens: Some(office.path("tokens")), grants: Some(grants), ..Security::default() };
    let site = Site::secured(security);
    let (mut sender, at) = (Sender::to(&site), start());
    let both = |n: i64| {
        let (at, busy) = (at + n * STEP, 100.0 + 3.0 * n as f64);
        packed(&second(&[scrape("a:9100", at, busy), scrape("b:9100", at, busy)].concat()))
    };
    let unknown = sender.send(V2, &both(0));
    assert_eq!((unknown.status().as_u16(), unknown.headers()["www-authenticate"].to_str().unwrap()), (401, "Bearer"));
    sender.token = Some("wrong");
    assert_eq!(sender.send(V2, &both(0)).status(), 401);
    sender.token = Some("secret");
    for n in 0..2 {
        let answer = sender.send(V2, &both(n));
        assert_eq!((answer.status().as_u16(), written(&answer)), (403, Some([4, 0, 0])));
        assert!(said(answer).1.contains("4 (their sender may not speak for their node)"));
    }
    assert_eq!(reports(&site).iter().map(|r| (&r.node_id[..], r.cpu)).collect::<Vec<_>>(), [("a", Some(0.2))]);
    assert_eq!((site.counted("unknown-edge"), site.counted("not-granted")), (2, 2));
}

#[test]
fn a_sender_is_known_by_its_certificate_over_http_1() {
    let office = Office::new();
    let site = Site::secured(office.security());
    let (cert, key) = office.issue("a", &[]);
    let trusted = Certificate::from_pem(office.authority_pem().as_bytes()).unwrap();
    let own = Certificate::from_pem(cert.as_bytes()).unwrap();
    let own = ClientCert::new_with_certs(&[own], PrivateKey::from_pem(key.as_bytes()).unwrap());
    let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&[trusted])).client_cert(Some(own)).build();
    let agent = Agent::config_builder().http_status_as_error(false).tls_config(tls).build().into();
    let sender = Sender { agent, url: Sender::to(&site).url.replace("http:", "https:"), token: None };
    assert_eq!(sender.send(V1, &packed(&first(&scrape("a:9100", start(), 1.0)))).status(), 204);
    assert_eq!(sender.send(V1, &packed(&first(&scrape("b:9100", start(), 1.0)))).status(), 403);
}
