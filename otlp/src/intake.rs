//! A request taken apart: a record for each span, with the resource and the scope that it came from.
//!
//! A span whose ids or times cannot be ones is left out and counted; the answer says so (`partial_success`), and the rest is
//! taken.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::trace::v1 as otlp;
use tidegate_schemas::records::{Span, SpanEvent, SpanKind, SpanLink, SpanStatus, StatusCode};

use crate::attributes::taken;

/// Reasons named in an answer at most.
const REASONS: usize = 3;
/// Characters of a span's name that are repeated in a reason at most.
const NAME: usize = 100;

/// What came of a request.
#[derive(Debug, Default, PartialEq)]
pub struct Intake {
    /// Spans to publish, in their order.
    pub spans: Vec<Span>,
    /// Spans that are left out.
    pub rejected: u64,
    /// Why, of the first few.
    pub reasons: Vec<String>,
}

impl Intake {
    /// One more span is left out, of that name; why.
    pub fn reject(&mut self, name: &str, why: &dyn std::fmt::Display) {
        self.rejected += 1;
        if self.reasons.len() < REASONS {
            let name: String = name.chars().take(NAME).collect();
            let reason = format!("span {name:?}: {why}");
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
    }

    /// The answer once the others are published.
    #[must_use]
    pub fn response(&self) -> ExportTraceServiceResponse {
        let rejected_spans = i64::try_from(self.rejected).unwrap_or(i64::MAX);
        let partial = ExportTracePartialSuccess { rejected_spans, error_message: self.reasons.join("; ") };
        ExportTraceServiceResponse { partial_success: (self.rejected > 0).then_some(partial) }
    }
}

/// The records of a request.
#[must_use]
pub fn records_of(request: ExportTraceServiceRequest) -> Intake {
    let mut intake = Intake::default();
    for resource_spans in request.resource_spans {
        let resource = Arc::new(resource_spans.resource.map(|r| taken(r.attributes)).unwrap_or_default());
        for scope_spans in resource_spans.scope_spans {
            let scope = scope_spans.scope.unwrap_or_default();
            let scope_attributes = Arc::new(taken(scope.attributes));
            for mut span in scope_spans.spans {
                let name = std::mem::take(&mut span.name);
                match record_of(span) {
                    Ok(span) => intake.spans.push(Span {
                        name,
                        resource_attributes: Arc::clone(&resource),
                        resource_schema_url: resource_spans.schema_url.clone(),
                        scope_name: scope.name.clone(),
                        scope_version: scope.version.clone(),
                        scope_attributes: Arc::clone(&scope_attributes),
                        schema_url: scope_spans.schema_url.clone(),
                        ..span
                    }),
                    Err(why) => intake.reject(&name, &why),
                }
            }
        }
    }
    intake
}

/// A span without its name, resource and scope.
fn record_of(span: otlp::Span) -> Result<Span, String> {
    let (start, end) = (time("its start", span.start_time_unix_nano)?, time("its end", span.end_time_unix_nano)?);
    if end < start {
        return Err("it ends before it starts".to_owned());
    }
    Ok(Span {
        trace_id: id("trace id", &span.trace_id, 16)?,
        span_id: id("span id", &span.span_id, 8)?,
        trace_state: span.trace_state,
        parent_span_id: if span.parent_span_id.is_empty() {
            String::new()
        } else {
            id("parent span id", &span.parent_span_id, 8)?
        },
        flags: span.flags.into(),
        kind: kind(span.kind),
        start_time_unix_nano: start,
        end_time_unix_nano: end,
        attributes: taken(span.attributes),
        dropped_attributes_count: span.dropped_attributes_count.into(),
        events: span.events.into_iter().map(event).collect::<Result<_, _>>()?,
        dropped_events_count: span.dropped_events_count.into(),
        links: span.links.into_iter().map(link).collect::<Result<_, _>>()?,
        dropped_links_count: span.dropped_links_count.into(),
        status: status(span.status.unwrap_or_default()),
        ..Span::default()
    })
}

fn event(event: otlp::span::Event) -> Result<SpanEvent, String> {
    Ok(SpanEvent {
        time_unix_nano: time("the time of an event", event.time_unix_nano)?,
        name: event.name,
        attributes: taken(event.attributes),
        dropped_attributes_count: event.dropped_attributes_count.into(),
    })
}

fn link(link: otlp::span::Link) -> Result<SpanLink, String> {
    Ok(SpanLink {
        trace_id: id("trace id of a link", &link.trace_id, 16)?,
        span_id: id("span id of a link", &link.span_id, 8)?,
        trace_state: link.trace_state,
        attributes: taken(link.attributes),
        dropped_attributes_count: link.dropped_attributes_count.into(),
        flags: link.flags.into(),
    })
}

/// Lower-case hex of an id that is there and of the right length.
fn id(what: &str, bytes: &[u8], length: usize) -> Result<String, String> {
    if bytes.len() != length {
        return Err(format!("its {what} has {} bytes, not {length}", bytes.len()));
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(format!("its {what} is all zeros"));
    }
    Ok(const_hex::encode(bytes))
}

/// Nanoseconds since the epoch, until the year 2262.
fn time(what: &str, nanos: u64) -> Result<i64, String> {
    i64::try_from(nanos).map_err(|_| format!("{what} is after the year 2262"))
}

/// Unknown kinds are left unspecified, as the specification asks.
fn kind(kind: i32) -> SpanKind {
    match otlp::span::SpanKind::try_from(kind) {
        Ok(otlp::span::SpanKind::Internal) => SpanKind::Internal,
        Ok(otlp::span::SpanKind::Server) => SpanKind::Server,
        Ok(otlp::span::SpanKind::Client) => SpanKind::Client,
        Ok(otlp::span::SpanKind::Producer) => SpanKind::Producer,
        Ok(otlp::span::SpanKind::Consumer) => SpanKind::Consumer,
        Ok(otlp::span::SpanKind::Unspecified) | Err(_) => SpanKind::Unspecified,
    }
}

fn status(status: otlp::Status) -> SpanStatus {
    let code = match otlp::status::StatusCode::try_from(status.code) {
        Ok(otlp::status::StatusCode::Ok) => StatusCode::Ok,
        Ok(otlp::status::StatusCode::Error) => StatusCode::Error,
        Ok(otlp::status::StatusCode::Unset) | Err(_) => StatusCode::Unset,
    };
    SpanStatus { message: status.message, code }
}
