//! Spans that are odd: those that cannot be are left out alone, and the others of their request arrive.

use serde_json::{Value, json};
use tidegate_schemas::Topic;
use tidegate_schemas::records::Span;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::set_topic_setting;
use tidegate_tests::pipeline::Pipeline;

use crate::http::post;
use crate::site::agent;

const TRACE: &str = "5b8efff798038103d269b633813fc60c";
const SPAN: &str = "eee19b7ec3c1b174";
/// The first moment of the year 2200.
const YEAR_2200_NS: u64 = 7_258_118_400_000_000_000;

fn span(name: &str, trace: &str, id: &str, start: u64, end: u64) -> Value {
    let (start, end) = (start.to_string(), end.to_string());
    json!({"traceId": trace, "spanId": id, "name": name, "startTimeUnixNano": start, "endTimeUnixNano": end})
}

/// Text that does not compress.
fn noise(length: usize) -> String {
    let mut state = 1_u64;
    let letter = |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'!' + (state >> 58) as u8)
    };
    (0..length).map(letter).collect()
}

/// Sends them in one request; how many were refused, and why.
fn refused(at: &str, spans: &[Value]) -> (i64, String) {
    let body = json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string();
    let (status, said) = post(at, "application/json", None, body.as_bytes());
    assert_eq!(status, 200, "{said}");
    let answer: Value = serde_json::from_str(&said).unwrap();
    let partial = &answer["partialSuccess"];
    (
        partial["rejectedSpans"].as_i64().unwrap_or_default(),
        partial["errorMessage"].as_str().unwrap_or_default().to_owned(),
    )
}

#[test]
fn what_cannot_be_a_span_costs_no_other() {
    let broker = TestBroker::embedded();
    let site = Pipeline::new(&broker, "traces-odd");
    let (agent, at) = agent(&site, &[]);
    // However long its name is, the reason is short.
    let (count, why) = refused(&at, &[span(&"x".repeat(10_000_000), TRACE, SPAN, 0, 1)]);
    assert_eq!(count, 1);
    assert!(why.ends_with("it is larger than the topic takes") && why.len() < 200, "{} bytes", why.len());
    let spans = [
        span("1970", TRACE, SPAN, 0, 1),
        span("2200", TRACE, SPAN, YEAR_2200_NS, YEAR_2200_NS + 1),
        span("2263", TRACE, SPAN, 1 << 63, 1 << 63),
        span("short trace", &TRACE[2..], SPAN, 0, 1),
        span("long span", TRACE, &TRACE[..18], 0, 1),
    ];
    let (count, why) = refused(&at, &spans);
    assert_eq!(count, 3, "{why}");
    site.wait_for(Topic::Spans, 2, &agent);
    let mut stand = site.decoded::<Span>(Topic::Spans).into_iter().map(|span| (span.start_time_unix_nano, span.name));
    assert_eq!((stand.next(), stand.len()), (Some((0, "1970".into())), 1));
    assert_eq!(stand.next(), Some((i64::try_from(YEAR_2200_NS).unwrap(), "2200".into())));
    assert_eq!(agent.terminate().unwrap().code, Some(0));
}

#[test]
fn a_span_that_the_topic_does_not_take_costs_no_other() {
    let Some(broker) = TestBroker::kafka() else { return };
    let site = Pipeline::new(&broker, "traces-topic-limit");
    let (topic, setting) = (site.topic(Topic::Spans), "max.message.bytes");
    set_topic_setting(site.bootstrap(), &topic, setting, "20000").unwrap();
    let (agent, at) = agent(&site, &[]);
    let large = span(&noise(50_000), TRACE, SPAN, 0, 1);
    // Together they are larger than a batch may be.
    let small: Vec<Value> = (0..40).map(|_| span(&noise(1_000), TRACE, SPAN, 0, 1)).collect();
    let (count, why) = refused(&at, &[&small[..20], &[large], &small[20..]].concat());
    assert_eq!(count, 1, "{why}");
    site.wait_for(Topic::Spans, small.len(), &agent);
    assert_eq!(site.read(Topic::Spans).len(), small.len());
    assert_eq!(agent.terminate().unwrap().code, Some(0));
}
