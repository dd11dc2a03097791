//! Traces through a stage: spans of what it does with sampled records, and the headers of its outputs.
//!
//! ```text
//! batch ─> Batch (links to its sampled records) ─> a Hop for each of them, until its outputs are with the client
//! Received.trace ─ child(stage) ─> the span's id ─> traceparent of each output
//! ```

use std::iter::Peekable;
use std::vec::IntoIter;

use tidegate_schemas::trace::{TRACEPARENT, TRACESTATE, TraceContext};
use tidegate_traces::{Batch, Hop, Operation, Step};

use super::Driver;
use crate::publisher::Outgoing;
use crate::stage::{Keyed, Received, Stage};

/// Spans of a batch.
pub(super) struct Hops {
    pub(super) batch: Batch,
    /// Of sampled records, by their place in the batch.
    hops: Peekable<IntoIter<(usize, Hop)>>,
}

impl Hops {
    /// The span of a record; asked for in the order of the batch.
    pub(super) fn of(&mut self, index: usize) -> Option<Hop> {
        while self.hops.next_if(|(at, _)| *at < index).is_some() {}
        self.hops.next_if(|(at, _)| *at == index).map(|(_, hop)| hop)
    }
}

impl<S: Stage> Driver<'_, S> {
    /// Begins the spans of a batch; what is only rebuilt has none.
    pub(super) fn hops(&self, run: &[Received<S::Input>]) -> Hops {
        let sampled = |received: &&Received<S::Input>| {
            received.trace.as_ref().is_some_and(TraceContext::is_sampled)
                && self.is_live(received.source.partition, received.source.offset)
        };
        let traces = run.iter().filter(sampled).filter_map(|received| received.trace.as_ref());
        let batch = Batch::receive(&self.service(), &self.intake.context().topic, run.len(), traces);
        let mut hops = Vec::new();
        for (index, received) in run.iter().enumerate().filter(|(_, received)| sampled(received)) {
            if let Some(trace) = &received.trace {
                hops.push((index, self.hop(received, trace, &trace.child(self.stage.name())).join(&batch)));
            }
        }
        Hops { batch, hops: hops.into_iter().peekable() }
    }

    /// The place of an output in its trace; its span begins here where its head had decided against one.
    pub(super) fn trace_of(
        &self,
        received: &Received<S::Input>,
        output: &S::Output,
        hop: &mut Option<Hop>,
    ) -> Option<TraceContext> {
        let parent = received.trace.as_ref()?;
        let mut trace = parent.child(self.stage.name());
        if self.stage.traces_whole(output) {
            trace = trace.whole();
        }
        if trace.is_sampled() {
            let hop = hop.get_or_insert_with(|| self.hop(received, parent, &trace));
            self.stage.label(output).inspect(|label| hop.note(label));
        }
        Some(trace)
    }

    fn hop(&self, received: &Received<S::Input>, parent: &TraceContext, own: &TraceContext) -> Hop {
        let source = &received.source;
        let step = Step {
            service: &self.service(),
            operation: Operation::Process,
            topic: &source.topic,
            key: received.record.key(),
            at: Some((source.partition, source.offset)),
            group: Some(&self.settings.group(self.stage.name())),
        };
        Hop::begin(&step, own, Some(parent))
    }

    fn service(&self) -> String {
        format!("tidegate-{}", self.stage.name())
    }
}

/// Adds the trace headers to a record and sends it.
pub(super) fn with_trace<T>(
    trace: Option<&TraceContext>,
    record: Outgoing<'_>,
    send: impl FnOnce(&Outgoing<'_>) -> T,
) -> T {
    let Some(trace) = trace else { return send(&record) };
    let parent = trace.traceparent();
    let mut headers = vec![(TRACEPARENT, Some(parent.as_bytes()))];
    if let Some(state) = trace.tracestate() {
        headers.push((TRACESTATE, Some(state.as_bytes())));
    }
    send(&Outgoing { headers: &headers, ..record })
}
