//! What comes in leaves as it came; what is no span is left out and said.

use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use proptest::prelude::*;
use prost::Message;
use tidegate_otlp::{Answer, Encoding, ExportTraceServiceRequest, answer, records_of, request_of};
use tidegate_schemas::records::{Attribute, AttributeValue};

fn value() -> impl Strategy<Value = Option<AnyValue>> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::StringValue),
        any::<bool>().prop_map(Value::BoolValue),
        any::<i64>().prop_map(Value::IntValue),
        (-1e9..1e9).prop_map(Value::DoubleValue),
        any::<Vec<u8>>().prop_map(Value::BytesValue),
    ];
    let nested = leaf.prop_recursive(3, 12, 3, |inner| {
        let values = prop::collection::vec(inner.clone().prop_map(|v| AnyValue { value: Some(v) }), 0..3);
        let pairs = prop::collection::vec((any::<String>(), inner), 0..3);
        prop_oneof![
            values.prop_map(|values| Value::ArrayValue(ArrayValue { values })),
            pairs.prop_map(|pairs| {
                let pair = |(key, v)| KeyValue { key, value: Some(AnyValue { value: Some(v) }), ..KeyValue::default() };
                Value::KvlistValue(KeyValueList { values: pairs.into_iter().map(pair).collect() })
            }),
        ]
    });
    nested.prop_map(|v| Some(AnyValue { value: Some(v) }))
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let one = ("[a-z.]{1,12}", value()).prop_map(|(key, value)| KeyValue { key, value, ..KeyValue::default() });
    prop::collection::vec(one, 0..4)
}

fn id(length: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1_u8.., length)
}

prop_compose! {
    fn span()(
        trace_id in id(16), span_id in id(8), parent in prop::option::of(id(8)), name in any::<String>(), kind in 0..=5,
        start in 0..4_000_000_000_000_000_000_u64, lasts in 0..1_000_000_000_000_u64, attributes in attributes(),
        of_event in attributes(), linked in id(16), code in 0..=2, message in any::<String>(), flags in any::<u32>(),
    ) -> Span {
        let event = Event { time_unix_nano: start, name: "e".into(), attributes: of_event, dropped_attributes_count: 1 };
        let link = Link { trace_id: linked, span_id: span_id.clone(), flags, ..Link::default() };
        Span {
            trace_id, span_id, parent_span_id: parent.unwrap_or_default(), name, kind, flags, attributes,
            trace_state: "v=1".into(), start_time_unix_nano: start, end_time_unix_nano: start + lasts,
            dropped_attributes_count: 2, events: vec![event], dropped_events_count: 3, links: vec![link],
            dropped_links_count: 4, status: Some(Status { message, code }),
        }
    }
}

fn request(resource: Vec<KeyValue>, scope: Vec<KeyValue>, spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope { name: "s".into(), version: "1".into(), attributes: scope, ..Default::default() };
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, schema_url: "https://a".into() }];
    let resource = Some(Resource { attributes: resource, ..Resource::default() });
    let resource_spans = vec![ResourceSpans { resource, scope_spans, schema_url: "https://b".into() }];
    ExportTraceServiceRequest { resource_spans }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_span_leaves_as_it_came(
        resource in attributes(), scope in attributes(), spans in prop::collection::vec(span(), 1..4),
    ) {
        let sent = request(resource, scope, spans);
        let taken = records_of(Encoding::Protobuf.request(&sent.encode_to_vec()).unwrap());
        prop_assert_eq!((taken.rejected, &taken.reasons), (0, &vec![]));
        prop_assert_eq!(request_of(taken.spans), sent);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            if let Ok(request) = encoding.request(&bytes) {
                let taken = records_of(request);
                prop_assert!(taken.spans.iter().all(|s| s.trace_id.len() == 32 && s.span_id.len() == 16));
            }
        }
    }
}

#[test]
fn the_specification_s_json_is_read() {
    let body = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"my.service"}}]},
        "scopeSpans":[{"scope":{"name":"my.library","version":"1.0.0"},"spans":[{"traceId":"5B8EFFF798038103D269B633813FC60C",
        "spanId":"EEE19B7EC3C1B174","parentSpanId":"EEE19B7EC3C1B173","name":"I'm a server span",
        "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000","kind":2,
        "attributes":[{"key":"list","value":{"arrayValue":{"values":[{"intValue":"1"}]}}}]}]}]}]}"#;
    let taken = records_of(Encoding::of("application/json; charset=utf-8").unwrap().request(body.as_bytes()).unwrap());
    let span = &taken.spans[0];
    assert_eq!(span.trace_id, "5b8efff798038103d269b633813fc60c");
    assert_eq!((span.end_time_unix_nano - span.start_time_unix_nano, span.kind.to_owned() as u8), (1_000_000_000, 2));
    let list = r#"{"arrayValue":{"values":[{"intValue":"1"}]}}"#;
    let expected = Attribute { key: "list".into(), value: AttributeValue::Text(list.into()), json: true };
    assert_eq!(span.attributes, [expected]);
}

#[test]
fn what_is_no_span_is_left_out_and_said() {
    let good = Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "good".into(), ..Span::default() };
    let short = Span { trace_id: vec![1; 15], ..good.clone() };
    let zero = Span { span_id: vec![0; 8], ..good.clone() };
    let late = Span { start_time_unix_nano: u64::MAX, end_time_unix_nano: u64::MAX, ..good.clone() };
    let backwards = Span { start_time_unix_nano: 5, end_time_unix_nano: 4, ..good.clone() };
    let taken = records_of(request(vec![], vec![], vec![short, good, zero, late, backwards]));
    assert_eq!((taken.spans.len(), taken.rejected), (1, 4));
    let partial = taken.response().partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 4);
    let said = "span \"good\": its trace id has 15 bytes, not 16; span \"good\": its span id is all zeros; \
                span \"good\": its start is after the year 2262";
    assert_eq!(partial.error_message, said);
}

#[test]
fn answers_are_understood_as_the_specification_has_them() {
    let of = |status, after, body: &[u8]| answer(status, after, Some(Encoding::Protobuf), body);
    assert_eq!(of(200, None, b""), Answer::Taken);
    assert_eq!(of(200, None, b"<html>"), Answer::Taken);
    for status in [429, 502, 503, 504] {
        assert_eq!(of(status, Some("7"), b""), Answer::Later(Some(Duration::from_secs(7)), format!("status {status}")));
    }
    assert_eq!(of(503, Some("Wed, 21 Oct 2015 07:28:00 GMT"), b""), Answer::Later(None, "status 503".into()));
    for status in [400, 401, 404, 413, 500] {
        assert_eq!(of(status, None, b"<p>no\n"), Answer::Never(format!("status {status} <p>no")));
    }
    let mut taken = records_of(ExportTraceServiceRequest::default());
    // However long its name is.
    taken.reject(&"x".repeat(10_000_000), &"no");
    let body = Encoding::Protobuf.response(&taken.response());
    assert_eq!(of(200, None, &body), Answer::Partly(1, format!("span {:?}: no", "x".repeat(100))));
}
