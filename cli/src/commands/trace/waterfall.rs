//! A trace drawn as text: parents above their children, each span a bar on the trace's time. Pure.

use std::fmt::Write as _;

use tidegate_schemas::records::{Span, StatusCode};
use tidegate_schemas::trace_tree::{in_order, service};

use crate::event_time;

/// Columns of the bars.
const BAR: usize = 48;
/// Columns of service and operation at most.
const NAMES: usize = 44;
/// The picture; `spans` in the order of their starts, not empty.
pub(super) fn of(trace_id: &str, spans: &[Span]) -> String {
    let start = spans.iter().map(|span| span.start_time_unix_nano).min().unwrap_or_default();
    let end = spans.iter().map(|span| span.end_time_unix_nano).max().unwrap_or_default();
    let mut services: Vec<&str> = spans.iter().map(service).collect();
    services.sort_unstable();
    services.dedup();
    let of = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let mut text = format!(
        "trace {trace_id}  {}, {}, {}, from {}",
        of(spans.len(), "span"),
        of(services.len(), "service"),
        duration(end - start),
        event_time::with_micros(start)
    );
    for (depth, span) in in_order(spans, |span| &span.span_id, |span| &span.parent_span_id) {
        let name = format!("{}{} {}", "  ".repeat(depth), service(span), span.name);
        let failed = if span.status.code == StatusCode::Error { "  ERROR" } else { "" };
        let lasts = duration(span.end_time_unix_nano - span.start_time_unix_nano);
        let line = format!("\n{:NAMES$} {} {lasts:>9}{failed}", cut(&name), bar(span, start, end));
        // Writing to a String cannot fail.
        write!(text, "{line}").unwrap_or_default();
        if failed.is_empty() || span.status.message.is_empty() {
            continue;
        }
        write!(text, ": {}", span.status.message).unwrap_or_default();
    }
    text
}

fn cut(name: &str) -> String {
    if name.chars().count() <= NAMES {
        return name.to_owned();
    }
    name.chars().take(NAMES - 1).chain(['…']).collect()
}

fn bar(span: &Span, start: i64, end: i64) -> String {
    let column = |at: i64| ((at - start) as f64 / ((end - start).max(1)) as f64 * (BAR - 1) as f64).round() as usize;
    let (from, to) = (column(span.start_time_unix_nano), column(span.end_time_unix_nano).min(BAR - 1));
    let filled = "█".repeat(to.saturating_sub(from) + 1);
    format!("{}{filled}{}", "·".repeat(from), "·".repeat(BAR - 1 - to))
}

fn duration(nanos: i64) -> String {
    match nanos {
        ..1_000 => format!("{nanos} ns"),
        1_000..1_000_000 => format!("{:.1} µs", nanos as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", nanos as f64 / 1e6),
        _ => format!("{:.2} s", nanos as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use tidegate_schemas::records::{Attribute, AttributeValue, SpanKind, SpanStatus};

    use super::*;

    pub(crate) fn span(id: &str, parent: &str, service: &str, name: &str, (start, end): (i64, i64)) -> Span {
        let value = AttributeValue::Text(service.into());
        Span {
            trace_id: "5b8efff798038103d269b633813fc60c".into(),
            span_id: id.into(),
            trace_state: String::new(),
            parent_span_id: parent.into(),
            flags: 1,
            name: name.into(),
            kind: SpanKind::Server,
            start_time_unix_nano: 1_767_600_000_000_000_000 + start * 1_000,
            end_time_unix_nano: 1_767_600_000_000_000_000 + end * 1_000,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: Vec::new(),
            dropped_events_count: 0,
            links: Vec::new(),
            dropped_links_count: 0,
            status: SpanStatus::default(),
            resource_attributes: vec![Attribute { key: "service.name".into(), value, json: false }].into(),
            resource_schema_url: String::new(),
            scope_name: String::new(),
            scope_version: String::new(),
            scope_attributes: std::sync::Arc::default(),
            schema_url: String::new(),
        }
    }

    #[test]
    fn a_trace_is_drawn() {
        let mut failing = span("3", "2", "db", "SELECT items", (4_000, 9_500));
        failing.status = SpanStatus { message: "timed out".into(), code: StatusCode::Error };
        let spans = [
            span("1", "", "frontend", "GET /checkout", (0, 12_300)),
            span("2", "1", "cart", "GetCart", (1_000, 10_000)),
            failing,
            span("5", "lost", "mail", "send", (10_500, 10_500)),
            span("4", "1", "payment", "Charge with a name that is far too long to stand here", (10_100, 12_000)),
        ];
        insta::assert_snapshot!("waterfall", of("5b8efff798038103d269b633813fc60c", &spans));
    }
}
