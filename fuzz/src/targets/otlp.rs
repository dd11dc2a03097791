//! Bodies of spans and of metrics, as services send them: JSON where they begin with a brace, else protobuf.

use tidegate_otlp::{Encoding, records_of, request_of};
use tidegate_samples::otlp;

use crate::Target;

pub(super) const OTLP_BODIES: Target =
    Target { name: "otlp_bodies", usual: 20_000, corpus: bodies, decoder: || Box::new(is_taken) };

pub(super) const OTLP_METRICS: Target =
    Target { name: "otlp_metrics", usual: 20_000, corpus: metrics, decoder: || Box::new(are_read) };

fn metrics() -> Vec<Vec<u8>> {
    let json = r#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"a"}}]},
        "scopeMetrics":[{"scope":{"name":"cpu"},"metrics":[
        {"name":"system.cpu.utilization","gauge":{"dataPoints":[{"timeUnixNano":"1544712660000000000","asDouble":0.5,
        "attributes":[{"key":"state","value":{"stringValue":"user"}},{"key":"cpu","value":{"intValue":"1"}}]}]}},
        {"name":"system.cpu.time","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
        {"startTimeUnixNano":"1544712650000000000","timeUnixNano":"1544712660000000000","asInt":"7","flags":1}]}},
        {"name":"h","histogram":{"dataPoints":[{"count":"2","bucketCounts":["1","1"],"explicitBounds":[0.5],
        "attributes":[{"key":"a","value":{"boolValue":true}}]}]}}]}]}]}"#;
    let request = Encoding::Json.metrics(json.as_bytes()).unwrap();
    vec![json.as_bytes().to_vec(), Encoding::Protobuf.response(&request)]
}

/// Whether the body was read and held nothing wrong.
fn are_read(bytes: &[u8]) -> bool {
    let encoding = if bytes.first() == Some(&b'{') { Encoding::Json } else { Encoding::Protobuf };
    let Ok(request) = encoding.metrics(bytes) else { return false };
    let mut given = 0;
    let contents = otlp::read(&request, &mut |labels, samples| {
        assert!(!labels.metric().is_empty());
        given += samples.len() as u64;
    });
    assert_eq!(contents.samples, given);
    contents.invalid == 0
}

fn bodies() -> Vec<Vec<u8>> {
    let json = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"shop"}}]},
        "scopeSpans":[{"scope":{"name":"lib","version":"1"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
        "spanId":"eee19b7ec3c1b174","parentSpanId":"eee19b7ec3c1b173","name":"GET","kind":2,"flags":256,
        "startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",
        "attributes":[{"key":"list","value":{"arrayValue":{"values":[{"intValue":"1"},{"doubleValue":0.5}]}}},
        {"key":"map","value":{"kvlistValue":{"values":[{"key":"a","value":{"boolValue":true}}]}}}],
        "events":[{"timeUnixNano":"1544712660500000000","name":"miss"}],
        "links":[{"traceId":"5b8efff798038103d269b633813fc60d","spanId":"eee19b7ec3c1b170"}],
        "status":{"code":2,"message":"no"}}]}]}]}"#;
    let request = Encoding::Json.request(json.as_bytes()).unwrap();
    vec![json.as_bytes().to_vec(), Encoding::Protobuf.body(&request)]
}

/// Whether the body was read; what it held goes there and back.
fn is_taken(bytes: &[u8]) -> bool {
    let encoding = if bytes.first() == Some(&b'{') { Encoding::Json } else { Encoding::Protobuf };
    let Ok(request) = encoding.request(bytes) else { return false };
    let taken = records_of(request);
    let count = taken.spans.len();
    let again = records_of(request_of(taken.spans));
    assert_eq!((again.spans.len(), again.rejected), (count, 0), "what was taken is given as spans");
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_otlp_bodies() {
        super::OTLP_BODIES.run();
    }

    #[test]
    fn fuzz_otlp_metrics() {
        super::OTLP_METRICS.run();
    }
}
