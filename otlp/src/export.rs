//! Records put together: one request, the spans of one resource and scope side by side, each in its order.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use tidegate_schemas::records::{Attribute, Span, SpanEvent, SpanKind, SpanLink, StatusCode};

use crate::attributes::given;

/// A resource: its attributes and the URL of their schema.
#[derive(PartialEq)]
struct OfResource {
    attributes: Arc<Vec<Attribute>>,
    schema_url: String,
}

/// A scope: its name and version, its attributes and the URL of their schema.
#[derive(PartialEq)]
struct OfScope {
    name: String,
    version: String,
    attributes: Arc<Vec<Attribute>>,
    schema_url: String,
}

/// What is told apart so far: each resource with its scopes, as they stand in the request.
type Known = Vec<(OfResource, Vec<OfScope>)>;

/// The request that carries these spans.
#[must_use]
pub fn request_of(spans: impl IntoIterator<Item = Span>) -> ExportTraceServiceRequest {
    let (mut known, mut request) = (Known::new(), ExportTraceServiceRequest::default());
    for span in spans {
        let (resource, scope, span) = taken_apart(span);
        let at = known.iter().position(|(of, _)| *of == resource).unwrap_or_else(|| {
            request.resource_spans.push(resource_of(&resource));
            known.push((resource, Vec::new()));
            known.len() - 1
        });
        let (scopes, resource_spans) = (&mut known[at].1, &mut request.resource_spans[at]);
        let of_scope = scopes.iter().position(|of| *of == scope).unwrap_or_else(|| {
            resource_spans.scope_spans.push(scope_of(&scope));
            scopes.push(scope);
            scopes.len() - 1
        });
        resource_spans.scope_spans[of_scope].spans.push(span);
    }
    request
}

fn resource_of(of: &OfResource) -> otlp::ResourceSpans {
    let resource = Resource { attributes: given((*of.attributes).clone()), ..Resource::default() };
    otlp::ResourceSpans { resource: Some(resource), scope_spans: Vec::new(), schema_url: of.schema_url.clone() }
}

fn scope_of(of: &OfScope) -> otlp::ScopeSpans {
    let scope = InstrumentationScope {
        name: of.name.clone(),
        version: of.version.clone(),
        attributes: given((*of.attributes).clone()),
        ..InstrumentationScope::default()
    };
    otlp::ScopeSpans { scope: Some(scope), spans: Vec::new(), schema_url: of.schema_url.clone() }
}

fn taken_apart(span: Span) -> (OfResource, OfScope, otlp::Span) {
    let resource = OfResource { attributes: span.resource_attributes, schema_url: span.resource_schema_url };
    let scope = OfScope {
        name: span.scope_name,
        version: span.scope_version,
        attributes: span.scope_attributes,
        schema_url: span.schema_url,
    };
    let span = otlp::Span {
        trace_id: bytes(&span.trace_id),
        span_id: bytes(&span.span_id),
        trace_state: span.trace_state,
        parent_span_id: bytes(&span.parent_span_id),
        flags: count(span.flags),
        name: span.name,
        kind: kind(span.kind).into(),
        start_time_unix_nano: nanos(span.start_time_unix_nano),
        end_time_unix_nano: nanos(span.end_time_unix_nano),
        attributes: given(span.attributes),
        dropped_attributes_count: count(span.dropped_attributes_count),
        events: span.events.into_iter().map(event_of).collect(),
        dropped_events_count: count(span.dropped_events_count),
        links: span.links.into_iter().map(link_of).collect(),
        dropped_links_count: count(span.dropped_links_count),
        status: Some(otlp::Status { message: span.status.message, code: code(span.status.code).into() }),
    };
    (resource, scope, span)
}

fn event_of(event: SpanEvent) -> otlp::span::Event {
    otlp::span::Event {
        time_unix_nano: nanos(event.time_unix_nano),
        name: event.name,
        attributes: given(event.attributes),
        dropped_attributes_count: count(event.dropped_attributes_count),
    }
}

fn link_of(link: SpanLink) -> otlp::span::Link {
    otlp::span::Link {
        trace_id: bytes(&link.trace_id),
        span_id: bytes(&link.span_id),
        trace_state: link.trace_state,
        attributes: given(link.attributes),
        dropped_attributes_count: count(link.dropped_attributes_count),
        flags: count(link.flags),
    }
}

/// Bytes of an id in hex; what is no hex leaves nothing, and the backend says so.
fn bytes(hex: &str) -> Vec<u8> {
    const_hex::decode(hex).unwrap_or_default()
}

fn count(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

fn nanos(time: i64) -> u64 {
    u64::try_from(time).unwrap_or(0)
}

fn kind(kind: SpanKind) -> otlp::span::SpanKind {
    match kind {
        SpanKind::Unspecified => otlp::span::SpanKind::Unspecified,
        SpanKind::Internal => otlp::span::SpanKind::Internal,
        SpanKind::Server => otlp::span::SpanKind::Server,
        SpanKind::Client => otlp::span::SpanKind::Client,
        SpanKind::Producer => otlp::span::SpanKind::Producer,
        SpanKind::Consumer => otlp::span::SpanKind::Consumer,
    }
}

fn code(code: StatusCode) -> otlp::status::StatusCode {
    match code {
        StatusCode::Unset => otlp::status::StatusCode::Unset,
        StatusCode::Ok => otlp::status::StatusCode::Ok,
        StatusCode::Error => otlp::status::StatusCode::Error,
    }
}
