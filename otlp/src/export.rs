//! Records put together: one request, the spans of one resource and scope side by side, each in its order.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1 as otlp;
use tidegate_schemas::records::{Span, SpanEvent, SpanKind, SpanLink, StatusCode};

use crate::attributes::given;

/// Spans of one resource, with the first of each scope.
struct OfResource<'s> {
    first: &'s Span,
    spans: otlp::ResourceSpans,
    scopes: Vec<&'s Span>,
}

/// The request that carries these spans.
#[must_use]
pub fn request_of<'s>(spans: impl IntoIterator<Item = &'s Span>) -> ExportTraceServiceRequest {
    let mut resources: Vec<OfResource<'s>> = Vec::new();
    for span in spans {
        let at = resources.iter().position(|of| is_same_resource(of.first, span)).unwrap_or_else(|| {
            resources.push(OfResource { first: span, spans: resource_of(span), scopes: Vec::new() });
            resources.len() - 1
        });
        let OfResource { spans, scopes, .. } = &mut resources[at];
        let of_scope = scopes.iter().position(|first| is_same_scope(first, span)).unwrap_or_else(|| {
            scopes.push(span);
            spans.scope_spans.push(scope_of(span));
            scopes.len() - 1
        });
        spans.scope_spans[of_scope].spans.push(span_of(span));
    }
    ExportTraceServiceRequest { resource_spans: resources.into_iter().map(|of| of.spans).collect() }
}

fn is_same_resource(a: &Span, b: &Span) -> bool {
    a.resource_attributes == b.resource_attributes && a.resource_schema_url == b.resource_schema_url
}

fn is_same_scope(a: &Span, b: &Span) -> bool {
    (&a.scope_name, &a.scope_version, &a.schema_url) == (&b.scope_name, &b.scope_version, &b.schema_url)
        && a.scope_attributes == b.scope_attributes
}

fn resource_of(span: &Span) -> otlp::ResourceSpans {
    let resource = Resource { attributes: given(&span.resource_attributes), ..Resource::default() };
    otlp::ResourceSpans {
        resource: Some(resource),
        scope_spans: Vec::new(),
        schema_url: span.resource_schema_url.clone(),
    }
}

fn scope_of(span: &Span) -> otlp::ScopeSpans {
    let scope = InstrumentationScope {
        name: span.scope_name.clone(),
        version: span.scope_version.clone(),
        attributes: given(&span.scope_attributes),
        ..InstrumentationScope::default()
    };
    otlp::ScopeSpans { scope: Some(scope), spans: Vec::new(), schema_url: span.schema_url.clone() }
}

fn span_of(span: &Span) -> otlp::Span {
    otlp::Span {
        trace_id: bytes(&span.trace_id),
        span_id: bytes(&span.span_id),
        trace_state: span.trace_state.clone(),
        parent_span_id: bytes(&span.parent_span_id),
        flags: count(span.flags),
        name: span.name.clone(),
        kind: kind(span.kind).into(),
        start_time_unix_nano: nanos(span.start_time_unix_nano),
        end_time_unix_nano: nanos(span.end_time_unix_nano),
        attributes: given(&span.attributes),
        dropped_attributes_count: count(span.dropped_attributes_count),
        events: span.events.iter().map(event_of).collect(),
        dropped_events_count: count(span.dropped_events_count),
        links: span.links.iter().map(link_of).collect(),
        dropped_links_count: count(span.dropped_links_count),
        status: Some(otlp::Status { message: span.status.message.clone(), code: code(span.status.code).into() }),
    }
}

fn event_of(event: &SpanEvent) -> otlp::span::Event {
    otlp::span::Event {
        time_unix_nano: nanos(event.time_unix_nano),
        name: event.name.clone(),
        attributes: given(&event.attributes),
        dropped_attributes_count: count(event.dropped_attributes_count),
    }
}

fn link_of(link: &SpanLink) -> otlp::span::Link {
    otlp::span::Link {
        trace_id: bytes(&link.trace_id),
        span_id: bytes(&link.span_id),
        trace_state: link.trace_state.clone(),
        attributes: given(&link.attributes),
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
