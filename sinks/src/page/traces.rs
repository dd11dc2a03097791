//! The traces that the page can draw: those of decisions and alerts that it shows, as their spans come. Bounded memory.
//!
//! ```text
//! decisions, alerts ─> wanted (ids, and who asked)
//! spans ─> of a wanted trace ─> kept, the last of them
//!       └> of any other      ─> waiting: its decision may come after it
//! ```
//!
//! Memory: at most [`KEPT`] + [`WAITING`] traces of [`SPANS`] spans, each under 1 KiB, and [`WANTED`] ids with what they were asked for, each under 500 bytes.

mod view;

use std::collections::{HashMap, VecDeque};

use tidegate_schemas::records::{Span, StatusCode};
use tidegate_schemas::trace_tree::{in_order, service};

use super::decisions::cut;
pub(super) use view::Place;
use view::SpanView;
pub use view::TraceView;

/// Traces of decisions and alerts.
const KEPT: usize = 200;
/// Other traces.
const WAITING: usize = 100;
/// Spans of a trace; what comes later is counted only.
const SPANS: usize = 100;
/// Traces of which spans are expected.
const WANTED: usize = 4_096;
/// Longer names are cut here (characters).
pub(super) const NAME_CHARS: usize = 80;

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

/// What a trace was first shown for: it may be gone from its list before the trace is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asker {
    pub(super) node: String,
    /// Rule of the alert; `None`: a decision.
    pub(super) rule: Option<String>,
    pub(super) t: i64,
}

/// The traces.
#[derive(Debug, Default)]
pub(super) struct Traces {
    traces: HashMap<u128, Trace>,
    wanted: HashMap<u128, Asker>,
    /// The same, oldest first.
    asked: VecDeque<u128>,
    kept: VecDeque<u128>,
    waiting: VecDeque<u128>,
}

impl Traces {
    /// A decision or an alert of this trace is shown.
    pub(super) fn want(&mut self, trace: Option<&str>, asker: Asker) {
        let Some(id) = trace.and_then(number).filter(|id| !self.wanted.contains_key(id)) else { return };
        self.wanted.insert(id, asker);
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
        let known = self.traces.len();
        self.traces.entry(id).or_default().take(span);
        if self.traces.len() == known {
            return;
        }
        if self.wanted.contains_key(&id) {
            return self.keep(id);
        }
        self.waiting.push_back(id);
        let oldest = if self.waiting.len() > WAITING { self.waiting.pop_front() } else { None };
        oldest.map(|oldest| self.traces.remove(&oldest));
    }

    fn keep(&mut self, id: u128) {
        self.kept.push_back(id);
        let oldest = if self.kept.len() > KEPT { self.kept.pop_front() } else { None };
        oldest.map(|oldest| self.traces.remove(&oldest));
    }

    /// What a trace was first shown for.
    pub(super) fn asker(&self, trace: &str) -> Option<&Asker> {
        self.wanted.get(&number(trace)?)
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

impl Trace {
    fn take(&mut self, span: &Span) {
        if self.bars.len() >= SPANS {
            self.left_out += 1;
        } else if self.bars.iter().all(|bar| bar.id != span.span_id) {
            self.bars.push(Bar::of(span));
            self.bars.sort_by(|a, b| (a.start, &a.id).cmp(&(b.start, &b.id)));
        }
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
