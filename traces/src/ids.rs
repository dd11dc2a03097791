//! Ids of spans: those that the headers of records name, drawn ones for what has no record.

use std::cell::Cell;

use opentelemetry::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use tidegate_schemas::trace::TraceContext;

thread_local! {
    /// What the next span of this thread is called: the SDK asks for ids and gives nothing to know the span by.
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Starts a span within `start` that is called as the context says.
pub(crate) fn named<T>(context: &TraceContext, start: impl FnOnce() -> T) -> T {
    let span = context.span_context();
    NEXT.set(Some((span.trace_id(), span.span_id())));
    let started = start();
    NEXT.set(None);
    started
}

/// Gives the ids.
#[derive(Debug, Default)]
pub(crate) struct GivenIds(RandomIdGenerator);

impl IdGenerator for GivenIds {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| self.0.new_trace_id(), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| self.0.new_span_id(), |(_, span)| span)
    }
}
