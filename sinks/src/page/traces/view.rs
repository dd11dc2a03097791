//! The JSON of one trace.

use serde::Serialize;

/// One trace, drawn from its first span on.
#[derive(Debug, Serialize)]
pub struct TraceView<'a> {
    pub(super) trace: String,
    /// Begin of the first span, ms since the epoch.
    pub(super) t: i64,
    pub(super) duration_us: f64,
    /// Each below its parent.
    pub(super) spans: Vec<SpanView<'a>>,
    /// Spans that found no room.
    pub(super) left_out: u64,
    /// The decision that it led to, where it is shown.
    pub(in crate::page) decision: Option<Place<'a>>,
    /// The alerts that fired by it.
    pub(in crate::page) alerts: Vec<Place<'a>>,
}

/// Where else something stands on the page.
#[derive(Debug, Serialize)]
pub(in crate::page) struct Place<'a> {
    pub(in crate::page) node: &'a str,
    /// What it is called there.
    pub(in crate::page) name: &'a str,
    pub(in crate::page) t: i64,
}

#[derive(Debug, Serialize)]
pub(super) struct SpanView<'a> {
    pub(super) depth: usize,
    pub(super) service: &'a str,
    pub(super) operation: &'a str,
    /// From the begin of the trace.
    pub(super) start_us: f64,
    pub(super) duration_us: f64,
    /// What it says of its failure; `null`: it did not fail.
    pub(super) error: Option<&'a str>,
}

impl TraceView<'_> {
    /// Whether nothing that it belongs to was found.
    pub(in crate::page) fn leads_nowhere(&self) -> bool {
        self.decision.is_none() && self.alerts.is_empty()
    }
}
