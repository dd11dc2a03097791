//! Requests as an SDK sends them: traces of a server span and its three children, with the attributes of OpenTelemetry's
//! conventions for HTTP.

use tidegate_otlp::{Encoding, ExportTraceServiceRequest};

/// Spans of one request, as SDKs batch them.
pub(super) const PER_REQUEST: u64 = 512;
/// Spans of one trace.
pub(super) const PER_TRACE: u64 = 4;

const RESOURCE: &str = r#"{"attributes":[
    {"key":"service.name","value":{"stringValue":"checkout"}},
    {"key":"service.instance.id","value":{"stringValue":"627cc493-f310-47de-96bd-71410b7dec09"}},
    {"key":"k8s.pod.name","value":{"stringValue":"checkout-7d9c5b6f4d-x2vqk"}},
    {"key":"telemetry.sdk.language","value":{"stringValue":"java"}},
    {"key":"telemetry.sdk.name","value":{"stringValue":"opentelemetry"}},
    {"key":"telemetry.sdk.version","value":{"stringValue":"1.45.0"}}]}"#;

/// Ids and times are put in for each.
const SPAN: &str = r#"{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET /cart/{id}","kind":2,
    "startTimeUnixNano":"1","endTimeUnixNano":"2","flags":257,"attributes":[
    {"key":"http.request.method","value":{"stringValue":"GET"}},
    {"key":"http.route","value":{"stringValue":"/cart/{id}"}},
    {"key":"http.response.status_code","value":{"intValue":"200"}},
    {"key":"url.path","value":{"stringValue":"/cart/4711"}},
    {"key":"url.scheme","value":{"stringValue":"https"}},
    {"key":"server.address","value":{"stringValue":"shop.example"}},
    {"key":"server.port","value":{"intValue":"443"}},
    {"key":"client.address","value":{"stringValue":"192.0.2.17"}},
    {"key":"network.protocol.version","value":{"stringValue":"2"}},
    {"key":"user_agent.original","value":{"stringValue":"Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101"}}],
    "status":{"code":1}}"#;

const BEGIN_NS: u64 = 1_767_571_200_000_000_000;

/// Requests made of one that is changed.
#[derive(Debug)]
pub(super) struct Traffic {
    request: ExportTraceServiceRequest,
}

impl Traffic {
    /// # Errors
    /// None: what it is made of is a request.
    pub(super) fn new() -> anyhow::Result<Self> {
        let spans = vec![SPAN; PER_REQUEST as usize].join(",");
        let scope = r#"{"name":"io.opentelemetry.netty-4.1","version":"2.11.0"}"#;
        let body = format!(
            r#"{{"resourceSpans":[{{"resource":{RESOURCE},"scopeSpans":[{{"scope":{scope},"spans":[{spans}]}}]}}]}}"#
        );
        Ok(Self { request: Encoding::Json.request(body.as_bytes())? })
    }

    /// The request of that number; each has spans of its own.
    pub(super) fn request(&mut self, number: u64) -> &ExportTraceServiceRequest {
        let spans = &mut self.request.resource_spans[0].scope_spans[0].spans;
        for (span, at) in spans.iter_mut().zip(number * PER_REQUEST..) {
            let (trace, position) = (at / PER_TRACE, at % PER_TRACE);
            span.trace_id = [mixed(trace).to_be_bytes(), mixed(!trace).to_be_bytes()].concat();
            span.span_id = mixed(at << 1 | 1).to_be_bytes().to_vec();
            span.parent_span_id = match position {
                0 => Vec::new(),
                _ => mixed((at - position) << 1 | 1).to_be_bytes().to_vec(),
            };
            span.start_time_unix_nano = BEGIN_NS + at * 1_000_000;
            span.end_time_unix_nano = span.start_time_unix_nano + mixed(at) % 50_000_000;
        }
        &self.request
    }
}

/// Bits that look drawn (the finaliser of SplitMix64), so that ids compress as badly as real ones.
fn mixed(number: u64) -> u64 {
    let a = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let b = (a ^ a >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let c = (b ^ b >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    c ^ c >> 31
}
