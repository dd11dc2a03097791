//! What takes requests of spans, whatever its transport: the export knows this and no client.

use crate::{Answer, ExportTraceServiceRequest};

/// A backend of spans.
pub trait SpanBackend: std::fmt::Debug + Send {
    /// Where it is, for people.
    fn address(&self) -> &str;

    /// Sends a request, and waits for its answer. No answer at all is one to try again later.
    fn send(&mut self, request: &ExportTraceServiceRequest) -> Answer;
}
