//! What a service does with one record, and with a batch of them, as spans.
//!
//! ```text
//! sampled record ─> Hop::begin ─ join(batch) ─ note ─> dropped: the span ends
//! batch          ─> Batch::receive, with a link to each sampled record of it; log lines within become its events
//! ```

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt};
use tidegate_schemas::trace::TraceContext;
use tracing::Span;
use tracing::field::Empty;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::TARGET;
use crate::{ids, layer};

/// Links of a batch; more are left out, as the SDK has it.
const MOST_LINKS: usize = 128;

/// What is done with a message, in the words of the conventions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A message is made.
    Create,
    /// It goes to the broker.
    Send,
    /// It is worked on.
    Process,
}

impl Operation {
    /// Its name, and the kind of its spans.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Create => ("create", "producer"),
            Self::Send => ("send", "producer"),
            Self::Process => ("process", "consumer"),
        }
    }
}

/// Who does what with which record.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The service, e.g. `tidegate-quota`.
    pub service: &'a str,
    /// What it does.
    pub operation: Operation,
    /// The topic of the record: `messaging.destination.name`.
    pub topic: &'a str,
    /// The record's key.
    pub key: &'a str,
    /// Partition and offset, where it has them.
    pub at: Option<(i32, i64)>,
    /// The consumer group, where one reads.
    pub group: Option<&'a str>,
}

/// The span of one record in one service; nothing where the record is not sampled. It ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Hop(Span);

impl Hop {
    /// No span.
    pub fn none() -> Self {
        Self(Span::none())
    }

    /// Begins the span that `own` names, below `parent`.
    pub fn begin(step: &Step<'_>, own: &TraceContext, parent: Option<&TraceContext>) -> Self {
        if !own.is_sampled() || !layer::is_connected() {
            return Self::none();
        }
        let (operation, kind) = step.operation.words();
        let span = tracing::info_span!(
            target: TARGET,
            parent: None,
            "hop",
            otel.name = format!("{operation} {}", step.topic),
            otel.kind = kind,
            otel.status_code = Empty,
            otel.status_description = Empty,
            service.name = step.service,
            messaging.system = "kafka",
            messaging.operation.name = operation,
            messaging.operation.type = operation,
            messaging.destination.name = step.topic,
            messaging.kafka.message.key = step.key,
            messaging.destination.partition.id = Empty,
            messaging.kafka.offset = Empty,
            messaging.consumer.group.name = Empty,
            tidegate.outcome = Empty,
        );
        if let Some((partition, offset)) = step.at {
            span.record("messaging.destination.partition.id", partition.to_string());
            span.record("messaging.kafka.offset", offset);
        }
        step.group.map(|group| span.record("messaging.consumer.group.name", group));
        let context =
            parent.map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent.span_context()));
        ids::named(own, || {
            // Where no layer listens there is no span either.
            span.set_parent(context).ok();
            drop(span.context());
        });
        Self(span)
    }

    /// Links it to the batch that its record came with.
    pub fn join(self, batch: &Batch) -> Self {
        if let Some(context) = batch.context() {
            self.0.add_link(context);
        }
        self
    }

    /// What came of it, e.g. `READY`.
    pub fn note(&self, outcome: &str) {
        self.0.record("tidegate.outcome", outcome);
    }

    /// It failed, and why.
    pub fn failed(&self, why: &str) {
        self.0.record("otel.status_code", "ERROR");
        self.0.record("otel.status_description", why);
    }
}

/// The span of a batch that was read together; nothing where none of its records is sampled.
#[derive(Debug)]
#[must_use]
pub struct Batch(Span);

impl Batch {
    /// Begins the span of a batch of `count` records, with a link to each sampled one.
    pub fn receive<'t>(
        service: &str,
        topic: &str,
        count: usize,
        members: impl Iterator<Item = &'t TraceContext>,
    ) -> Self {
        if !layer::is_connected() {
            return Self(Span::none());
        }
        let mut members = members.filter(|member| member.is_sampled()).peekable();
        if members.peek().is_none() {
            return Self(Span::none());
        }
        let span = tracing::info_span!(
            target: TARGET,
            parent: None,
            "batch",
            otel.name = format!("receive {topic}"),
            otel.kind = "client",
            service.name = service,
            messaging.system = "kafka",
            messaging.operation.name = "poll",
            messaging.operation.type = "receive",
            messaging.destination.name = topic,
            messaging.batch.message_count = count,
        );
        members.take(MOST_LINKS).for_each(|member| span.add_link(member.span_context()));
        Self(span)
    }

    /// Runs within the span: what is logged meanwhile are its events.
    pub fn within<T>(&self, run: impl FnOnce() -> T) -> T {
        self.0.in_scope(run)
    }

    fn context(&self) -> Option<SpanContext> {
        if self.0.is_none() {
            return None;
        }
        Some(self.0.context().span().span_context().clone()).filter(SpanContext::is_valid)
    }
}
