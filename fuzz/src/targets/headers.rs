//! Trace headers of records.

use tidegate_schemas::trace::TraceContext;

use crate::Target;

pub(super) const TRACE_HEADERS: Target = Target {
    name: "trace_headers",
    usual: 300_000,
    corpus: || {
        vec![
            b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_vec(),
            b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-what-the-future-holds".to_vec(),
        ]
    },
    decoder: || {
        Box::new(|header| {
            let Some(context) = TraceContext::parse(header, Some(header)) else { return false };
            let again = context.child("forecast").traceparent();
            assert!(TraceContext::parse(again.as_bytes(), context.tracestate().map(str::as_bytes)).is_some());
            true
        })
    },
};

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_trace_headers() {
        super::TRACE_HEADERS.run();
    }
}
