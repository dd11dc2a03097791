//! The traces that the page can draw: those of decisions and alerts that it shows, as their spans come. Bounded memory.
//!
//! ```text
//! decisions, alerts ─> wanted (ids)
//! spans ─> of a wanted trace ─> kept, the last of them
//!       └> of any other      ─> waiting: its decision may come after it
//! ```
//!
//! Memory: at most [`KEPT`] + [`WAITING`] traces of [`SPANS`] spans, each under 1 KiB, and [`WANTED`] ids.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::Serialize;
use tidegate_schemas::records::{Span, StatusCode};
use tidegate_schemas::trace_tree::{in_order, service};

use super::decisions::cut;

/// Traces of decisions and alerts.
const KEPT: usize = 200;
/// Other traces.
const WAITING: usize = 100;
/// Spans of a trace; what comes later is counted only.
const SPANS: usize = 100;
/// Traces of which spans are expected.
const WANTED: usize = 4_096;
/// Longer names are cut here (characters).
const NAME_CHARS: usize = 80;

/// A span, as much of it as is drawn.
#[derive(Debug)]
struct Bar {
    id: String,
    parent: String,
    service: String,
    operation: String,
    start: i64,
    end: i64,
    error: Option<String>,
}

#[derive(Debug, Default)]
struct Trace {
    bars: Vec<Bar>,
    left_out: u64,
}

/// The traces.
#[derive(Debug, Default)]
pub(super) struct Traces {
    traces: HashMap<u128, Trace>,
    wanted: HashSet<u128>,
    /// The same, oldest first.
    asked: VecDeque<u128>,
    kept: VecDeque<u128>,
    waiting: VecDeque<u128>,
}

/// One trace, drawn from its first span on.
#[derive(Debug, Serialize)]
pub struct TraceView<'a> {
    trace: String,
    /// Begin of the first span, ms since the epoch.
    t: i64,
    duration_us: f64,
    /// Each below its parent.
    spans: Vec<SpanView<'a>>,
    /// Spans that found no room.
    left_out: u64,
    /// The decision that it led to, where it is shown.
    pub(super) decision: Option<Place<'a>>,
    /// The alerts that fired by it.
    pub(super) alerts: Vec<Place<'a>>,
}

/// Where else something stands on the page.
#[derive(Debug, Serialize)]
pub(super) struct Place<'a> {
    pub(super) node: &'a str,
    /// What it is called there.
    pub(super) name: &'a str,
    pub(super) t: i64,
}

#[derive(Debug, Serialize)]
struct SpanView<'a> {
    depth: usize,
    service: &'a str,
    operation: &'a str,
    /// From the begin of the trace.
    start_us: f64,
    duration_us: f64,
    /// What it says of its failure; `null`: it did not fail.
    error: Option<&'a str>,
}

impl Traces {
    /// A decision or an alert of this trace is shown.
    pub(super) fn want(&mut self, trace: Option<&str>) {
        let Some(id) = trace.and_then(number).filter(|id| self.wanted.insert(*id)) else { return };
        self.asked.push_back(id);
        if self.asked.len() > WANTED {
            self.asked.pop_front().map(|oldest| self.wanted.remove(&oldest));
        }
        if let Some(at) = self.waiting.iter().position(|waiting| *waiting == id) {
            self.waiting.remove(at);
            self.keep(id);
        }
    }

    /// Takes a span; one that came twice stands once.
    pub(super) fn take(&mut self, span: &Span) {
        let Some(id) = number(&span.trace_id) else { return };
        if !self.traces.contains_key(&id) {
            self.traces.insert(id, Trace::default());
            if self.wanted.contains(&id) {
                self.keep(id);
            } else {
                self.waiting.push_back(id);
                let oldest = if self.waiting.len() > WAITING { self.waiting.pop_front() } else { None };
                oldest.map(|oldest| self.traces.remove(&oldest));
            }
        }
        let Some(trace) = self.traces.get_mut(&id) else { return };
        if trace.bars.len() >= SPANS {
            trace.left_out += 1;
        } else if trace.bars.iter().all(|bar| bar.id != span.span_id) {
            trace.bars.push(Bar::of(span));
            trace.bars.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
        }
    }

    fn keep(&mut self, id: u128) {
        self.kept.push_back(id);
        let oldest = if self.kept.len() > KEPT { self.kept.pop_front() } else { None };
        oldest.map(|oldest| self.traces.remove(&oldest));
    }

    /// Spans that are here of a trace.
    pub(super) fn spans(&self, trace: Option<&str>) -> usize {
        trace.and_then(number).and_then(|id| self.traces.get(&id)).map_or(0, |trace| trace.bars.len())
    }

    /// A trace to draw.
    pub(super) fn view(&self, trace: &str) -> Option<TraceView<'_>> {
        let id = number(trace)?;
        let Trace { bars, left_out } = self.traces.get(&id)?;
        let begin = bars.iter().map(|bar| bar.start).min()?;
        let end = bars.iter().map(|bar| bar.end).max()?;
        let us = |from: i64, to: i64| to.saturating_sub(from).max(0) as f64 / 1e3;
        let spans = in_order(bars, |bar| &bar.id, |bar| &bar.parent).into_iter().map(|(depth, bar)| SpanView {
            depth,
            service: &bar.service,
            operation: &bar.operation,
            start_us: us(begin, bar.start),
            duration_us: us(bar.start, bar.end),
            error: bar.error.as_deref(),
        });
        Some(TraceView {
            trace: format!("{id:032x}"),
            t: begin / 1_000_000,
            duration_us: us(begin, end),
            spans: spans.collect(),
            left_out: *left_out,
            decision: None,
            alerts: Vec::new(),
        })
    }
}

impl Bar {
    fn of(span: &Span) -> Self {
        let error = (span.status.code == StatusCode::Error).then(|| cut(&span.status.message, NAME_CHARS));
        Self {
            id: cut(&span.span_id, 16),
            parent: cut(&span.parent_span_id, 16),
            service: cut(service(span), NAME_CHARS),
            operation: cut(&span.name, NAME_CHARS),
            start: span.start_time_unix_nano,
            end: span.end_time_unix_nano,
            error,
        }
    }
}

/// A trace's id of 32 hex digits as a number.
fn number(trace: &str) -> Option<u128> {
    let is_id = trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_id { u128::from_str_radix(trace, 16).ok() } else { None }
}

#[cfg(test)]
pub(super) mod tests;
