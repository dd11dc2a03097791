//! What of the spans is kept, and for which traces.

use tidegate_schemas::records::{Attribute, AttributeValue, SpanKind, SpanStatus};

use super::*;

pub(in crate::page) fn span(trace: u128, id: &str, parent: &str, (start, end): (i64, i64)) -> Span {
    let value = AttributeValue::Text("shop".into());
    Span {
        trace_id: format!("{trace:032x}"),
        span_id: id.into(),
        parent_span_id: parent.into(),
        flags: 1,
        name: format!("step {id}"),
        kind: SpanKind::Server,
        start_time_unix_nano: 1_772_438_400_000_000_000 + start * 1_000,
        end_time_unix_nano: 1_772_438_400_000_000_000 + end * 1_000,
        resource_attributes: vec![Attribute { key: "service.name".into(), value, json: false }].into(),
        ..Span::default()
    }
}

fn id(trace: u128) -> String {
    format!("{trace:032x}")
}

fn asker() -> Asker {
    Asker { node: "n".into(), rule: None, t: 0 }
}

#[test]
fn a_trace_is_drawn_parents_above_children_whatever_came_first() {
    let mut traces = Traces::default();
    let mut failed = span(7, "c", "a", (300, 900));
    failed.status = SpanStatus { code: StatusCode::Error, message: "timed out".into() };
    for span in [span(7, "b", "a", (100, 200)), failed, span(7, "a", "", (0, 1_000)), span(7, "b", "a", (100, 200))] {
        traces.take(&span);
    }
    let view = traces.view(&id(7)).unwrap();
    let spans: Vec<_> = view.spans.iter().map(|s| (s.depth, s.operation, s.start_us, s.duration_us, s.error)).collect();
    let wanted = [(0, "step a", 0.0, 1_000.0, None), (1, "step b", 100.0, 100.0, None)];
    assert_eq!(spans, [wanted[0], wanted[1], (1, "step c", 300.0, 600.0, Some("timed out"))]);
    assert_eq!((view.duration_us, view.left_out), (1_000.0, 0));
    assert!(traces.view(&id(8)).is_none() && traces.view("no id").is_none());
}

#[test]
fn traces_of_decisions_outlast_those_of_others() {
    let mut traces = Traces::default();
    traces.want(Some(&id(1)), asker());
    traces.take(&span(1, "a", "", (0, 1)));
    traces.take(&span(2, "a", "", (0, 1)));
    // Its decision comes after its spans.
    traces.want(Some(&id(2)), asker());
    traces.take(&span(3, "a", "", (0, 1)));
    (100..100 + WAITING as u128).for_each(|trace| traces.take(&span(trace, "a", "", (0, 1))));
    let here = |traces: &Traces, trace| traces.spans(Some(&id(trace)));
    assert_eq!([1, 2, 3].map(|trace| here(&traces, trace)), [1, 1, 0]);
    for trace in 1_000..1_000 + KEPT as u128 {
        traces.want(Some(&id(trace)), asker());
        traces.take(&span(trace, "a", "", (0, 1)));
    }
    assert_eq!(here(&traces, 1), 0, "there is room for so many");
    assert!(traces.traces.len() <= KEPT + WAITING);
}

#[test]
fn a_long_trace_is_cut_and_says_so() {
    let mut traces = Traces::default();
    (0..SPANS as i64 + 5).for_each(|at| traces.take(&span(1, &format!("{at}"), "", (at, at + 1))));
    let view = traces.view(&id(1)).unwrap();
    assert_eq!((view.spans.len(), view.left_out), (SPANS, 5));
    (0..2 * WANTED as u128).for_each(|trace| traces.want(Some(&id(trace)), asker()));
    assert_eq!((traces.wanted.len(), traces.asked.len()), (WANTED, WANTED));
}
