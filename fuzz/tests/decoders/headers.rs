//! Trace headers of records.

use tidegate_fuzz::fuzz;
use tidegate_schemas::trace::TraceContext;

#[test]
fn trace_headers() {
    let corpus = [
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_vec(),
        b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-what-the-future-holds".to_vec(),
    ];
    fuzz("trace_headers", 300_000, &corpus, |header| {
        let Some(context) = TraceContext::parse(header, Some(header)) else { return false };
        let again = context.child("forecast").traceparent();
        assert!(TraceContext::parse(again.as_bytes(), context.tracestate().map(str::as_bytes)).is_some());
        true
    });
}
