//! The two ends of a trace at the node: its report begins it, its command comes back.
//!
//! ```text
//! report  ─ HeadSampler ─> TraceContext, and the span of its making
//! command ─> its span; does it ask that the node be traced whole? ─> HeadSampler
//! ```

use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::{HeadSampler, TraceContext};

use crate::hop::{Hop, Operation, Step};

/// A service that makes reports and hears of their commands.
#[derive(Debug, Clone)]
pub struct Origin {
    service: &'static str,
    head: HeadSampler,
}

impl Origin {
    /// A service of this name, e.g. `tidegate-edge`.
    #[must_use]
    pub fn new(service: &'static str, head: HeadSampler) -> Self {
        Self { service, head }
    }

    /// The same service, of whose reports none is recorded but what is to be traced whole.
    #[must_use]
    pub fn silent(&self) -> Self {
        Self { head: self.head.silent(), ..self.clone() }
    }

    /// Begins the trace of a report for `topic`.
    #[must_use]
    pub fn begin(&self, topic: &str, report: &LoadReport) -> TraceContext {
        let own = self.head.begin(&report.node_id, report.sequence);
        drop(Hop::begin(&self.step(Operation::Create, topic, &report.node_id), &own, None));
        own
    }

    /// A command of `node_id` came from `topic`: the span of what is done with it.
    pub fn hears(&self, topic: &str, node_id: &str, trace: Option<&TraceContext>) -> Hop {
        self.head.trace_whole(node_id, trace.is_some_and(TraceContext::is_whole));
        let Some(trace) = trace else { return Hop::none() };
        Hop::begin(&self.step(Operation::Process, topic, node_id), &trace.child("edge"), Some(trace))
    }

    fn step<'s>(&'s self, operation: Operation, topic: &'s str, key: &'s str) -> Step<'s> {
        Step { service: self.service, operation, topic, key, at: None, group: None }
    }
}
