//! How many parts a body has, before it is decoded: an empty span takes two bytes on the wire and some hundred in memory, so that
//! a small body could ask for gigabytes.
//!
//! Protobuf is walked without keeping anything; of JSON every part begins with a brace.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::error::OtlpError;

/// Fields of spans, attributes, events and links in one request at most: more than 10,000 usual spans have.
const MOST: usize = 400_000;
/// Values within values at most, as prost has it.
const DEEPEST: usize = 100;

/// Bytes of a request's records at most: a small body of many spans and one large resource would be gigabytes.
const MOST_BYTES: usize = 64 << 20;

/// Refuses a request whose spans, each with its resource and scope, would be too large together; its body had `bytes` bytes, so the
/// spans alone have no more.
pub(crate) fn check_records(request: &ExportTraceServiceRequest, mut bytes: usize) -> Result<(), OtlpError> {
    for of_resource in &request.resource_spans {
        let resource = of_resource.resource.as_ref().map_or(0, Message::encoded_len) + of_resource.schema_url.len();
        for of_scope in &of_resource.scope_spans {
            let scope = of_scope.scope.as_ref().map_or(0, Message::encoded_len) + of_scope.schema_url.len();
            bytes = bytes.saturating_add(of_scope.spans.len().saturating_mul(resource + scope));
        }
    }
    if bytes > MOST_BYTES { Err(OtlpError::TooLargeAsRecords { most: MOST_BYTES }) } else { Ok(()) }
}

/// What a request is of.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Root {
    Traces,
    Metrics,
}

/// Messages of a request that have parts of their own.
#[derive(Debug, Clone, Copy)]
enum Level {
    Request,
    ResourceSpans,
    ScopeSpans,
    /// A resource or a scope: attributes under this tag.
    Attributed(u32),
    Span,
    MetricsRequest,
    ResourceMetrics,
    ScopeMetrics,
    Metric,
    /// Points under tag 1, their attributes and exemplars under these.
    Points(u32, u32),
    Point(u32, u32),
    KeyValue,
    AnyValue,
    Array,
    Pairs,
}

impl Level {
    /// What stands under a tag, where that has parts.
    fn below(self, tag: u32) -> Option<Self> {
        match (self, tag) {
            (Self::Request, 1) => Some(Self::ResourceSpans),
            (Self::ResourceSpans, 1) => Some(Self::Attributed(1)),
            (Self::ResourceSpans, 2) => Some(Self::ScopeSpans),
            (Self::ScopeSpans, 1) => Some(Self::Attributed(3)),
            (Self::ScopeSpans, 2) => Some(Self::Span),
            (Self::Span, 9) | (Self::Pairs, 1) => Some(Self::KeyValue),
            // Of an event the attributes are 3, of a link 4.
            (Self::Span, 11) => Some(Self::Attributed(3)),
            (Self::Span, 13) => Some(Self::Attributed(4)),
            (Self::Attributed(attributes), tag) if tag == attributes => Some(Self::KeyValue),
            (Self::MetricsRequest, 1) => Some(Self::ResourceMetrics),
            (Self::ResourceMetrics, 1) => Some(Self::Attributed(1)),
            (Self::ResourceMetrics, 2) => Some(Self::ScopeMetrics),
            (Self::ScopeMetrics, 1) => Some(Self::Attributed(3)),
            (Self::ScopeMetrics, 2) => Some(Self::Metric),
            // Gauges and sums, histograms, exponential ones, summaries (which have no exemplars), metadata.
            (Self::Metric, 5 | 7) => Some(Self::Points(7, 5)),
            (Self::Metric, 9) => Some(Self::Points(9, 8)),
            (Self::Metric, 10) => Some(Self::Points(1, 11)),
            (Self::Metric, 11) => Some(Self::Points(7, 0)),
            (Self::Metric, 12) => Some(Self::KeyValue),
            (Self::Points(attributes, exemplars), 1) => Some(Self::Point(attributes, exemplars)),
            (Self::Point(attributes, _), tag) if tag == attributes => Some(Self::KeyValue),
            (Self::Point(_, exemplars), tag) if tag == exemplars => Some(Self::Attributed(7)),
            (Self::KeyValue, 2) | (Self::Array, 1) => Some(Self::AnyValue),
            (Self::AnyValue, 5) => Some(Self::Array),
            (Self::AnyValue, 6) => Some(Self::Pairs),
            _ => None,
        }
    }
}

/// Refuses a protobuf body of too many parts.
pub(crate) fn check_protobuf(what: &'static str, root: Root, body: &[u8]) -> Result<(), OtlpError> {
    let mut count = 0;
    let level = match root {
        Root::Traces => Level::Request,
        Root::Metrics => Level::MetricsRequest,
    };
    walk(body, level, 0, &mut count).map_err(|message| OtlpError::Malformed { what, encoding: "protobuf", message })?;
    limited(count)
}

/// Refuses a JSON body of too many parts; a brace in a text counts as one.
pub(crate) fn check_json(body: &[u8]) -> Result<(), OtlpError> {
    limited(body.iter().filter(|byte| matches!(byte, b'{' | b'[' | b',')).count())
}

fn limited(count: usize) -> Result<(), OtlpError> {
    if count > MOST { Err(OtlpError::TooManyParts { most: MOST }) } else { Ok(()) }
}

/// Counts fields until there are too many.
fn walk(mut body: &[u8], level: Level, depth: usize, count: &mut usize) -> Result<(), String> {
    if depth > DEEPEST {
        return Err("its values are nested too deep".to_owned());
    }
    while body.has_remaining() && *count <= MOST {
        *count += 1;
        let (tag, wire) = decode_key(&mut body).map_err(|e| e.to_string())?;
        match level.below(tag) {
            Some(below) if wire == WireType::LengthDelimited => {
                let length = decode_varint(&mut body).map_err(|e| e.to_string())?;
                let length = usize::try_from(length).ok().filter(|length| *length <= body.len());
                let (inner, rest) = body.split_at(length.ok_or("a part is longer than the body")?);
                walk(inner, below, depth + 1, count)?;
                body = rest;
            }
            _ => skip_field(wire, tag, &mut body, DecodeContext::default()).map_err(|e| e.to_string())?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `inner` as the only field of a message.
    fn within(tag: u8, inner: &[u8]) -> Vec<u8> {
        let mut body = vec![tag << 3 | 2];
        prost::encoding::encode_varint(inner.len() as u64, &mut body);
        body.extend_from_slice(inner);
        body
    }

    #[test]
    fn a_small_body_that_would_be_large_is_refused() {
        let spans = [2 << 3 | 2, 0].repeat(MOST + 1);
        let body = within(1, &within(2, &spans));
        assert!(matches!(check_protobuf("x", Root::Traces, &body), Err(OtlpError::TooManyParts { .. })));
        let values = [1 << 3 | 2, 0].repeat(MOST + 1);
        let attribute = within(9, &within(2, &within(5, &values)));
        let body = within(1, &within(2, &within(2, &attribute)));
        assert!(matches!(check_protobuf("x", Root::Traces, &body), Err(OtlpError::TooManyParts { .. })));
        assert!(matches!(check_json("[{},".repeat(MOST).as_bytes()), Err(OtlpError::TooManyParts { .. })));
    }

    #[test]
    fn a_large_resource_of_many_spans_is_refused() {
        let request = |spans: usize| {
            let span = [2 << 3 | 2, 0].repeat(spans);
            let name = within(1, &vec![b'x'; 100_000]);
            let body = within(1, &[within(1, &within(1, &name)), within(2, &span)].concat());
            crate::Encoding::Protobuf.request(&body).map(drop)
        };
        assert!(request(600).is_ok());
        assert!(matches!(request(700), Err(OtlpError::TooLargeAsRecords { most: MOST_BYTES })));
    }

    #[test]
    fn a_small_body_of_many_points_is_refused_too() {
        let points = [1 << 3 | 2, 0].repeat(MOST + 1);
        let body = within(1, &within(2, &within(2, &within(5, &points))));
        assert!(matches!(check_protobuf("x", Root::Metrics, &body), Err(OtlpError::TooManyParts { .. })));
    }

    #[test]
    fn what_is_nested_without_end_is_refused() {
        let deep = (0..200).fold(Vec::new(), |inner, _| within(5, &within(1, &inner)));
        let body = within(1, &within(2, &within(2, &within(9, &within(2, &deep)))));
        assert!(matches!(check_protobuf("x", Root::Traces, &body), Err(OtlpError::Malformed { .. })));
    }
}
