//! Trace context in record headers (W3C Trace Context, level 1), so that one trace runs from report to quota.
//!
//! Span ids are derived, not drawn: the same report through the same stages has the same trace, on every run.

use std::fmt::Write as _;

use opentelemetry::{SpanId, TraceId};

/// Header that carries trace id, span id and flags.
pub const TRACEPARENT: &str = "traceparent";
/// Header that vendors add to; it is passed on as it came.
pub const TRACESTATE: &str = "tracestate";

/// Position of a record in its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: u8,
    state: Option<String>,
}

impl TraceContext {
    /// Begins a trace for the report of `node_id` with `sequence`; `seed` tells runs apart.
    #[must_use]
    pub fn root(seed: u64, node_id: &str, sequence: i64) -> Self {
        let name = node_id.bytes().fold(mix(seed), |h, b| mix(h ^ u64::from(b)));
        let high = mix(name ^ sequence.cast_unsigned());
        let low = mix(high);
        Self {
            trace_id: TraceId::from(u128::from(high) << 64 | u128::from(low.max(1))),
            span_id: SpanId::from(mix(low).max(1)),
            flags: 1,
            state: None,
        }
    }

    /// Reads the headers of a record; `None` where there is no valid `traceparent`.
    #[must_use]
    pub fn parse(traceparent: &[u8], tracestate: Option<&[u8]>) -> Option<Self> {
        let text = std::str::from_utf8(traceparent).ok()?;
        let mut parts = text.split('-');
        let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let lower_hex = |s: &str, len| s.len() == len && s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let well_formed = lower_hex(version, 2) && lower_hex(trace, 32) && lower_hex(span, 16) && lower_hex(flags, 2);
        if !well_formed || version == "ff" || (version == "00" && parts.next().is_some()) {
            return None;
        }
        let trace_id = TraceId::from_hex(trace).ok().filter(|id| *id != TraceId::INVALID)?;
        let span_id = SpanId::from_hex(span).ok().filter(|id| *id != SpanId::INVALID)?;
        let state = tracestate.and_then(|s| std::str::from_utf8(s).ok()).map(str::to_owned);
        Some(Self { trace_id, span_id, flags: u8::from_str_radix(flags, 16).ok()?, state })
    }

    /// The context among the headers of a record, given as names and values.
    #[must_use]
    pub fn in_headers(headers: &[(String, Option<Vec<u8>>)]) -> Option<Self> {
        let find = |name: &str| headers.iter().find(|(key, _)| key == name)?.1.as_deref();
        Self::parse(find(TRACEPARENT)?, find(TRACESTATE))
    }

    /// The context of what `step` makes of this record.
    #[must_use]
    pub fn child(&self, step: &str) -> Self {
        let parent = u64::from_be_bytes(self.span_id.to_bytes());
        let id = step.bytes().fold(mix(parent), |h, b| mix(h ^ u64::from(b)));
        Self { span_id: SpanId::from(id.max(1)), ..self.clone() }
    }

    /// Value of the `traceparent` header.
    #[must_use]
    pub fn traceparent(&self) -> String {
        let mut out = String::with_capacity(55);
        // Writing to a String cannot fail.
        write!(out, "00-{}-{}-{:02x}", self.trace_id, self.span_id, self.flags).unwrap_or_default();
        out
    }

    /// Value of the `tracestate` header, where there is one.
    #[must_use]
    pub fn tracestate(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The trace's id as 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> String {
        self.trace_id.to_string()
    }
}

/// SplitMix64's finaliser (Steele, Lea, Flood 2014): spreads every bit of the input.
fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_specification_is_read_and_continued() {
        let header = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context = TraceContext::parse(header, Some(b"congo=t61rcWkgMzE")).unwrap();
        assert_eq!(context.traceparent().as_bytes(), header);
        let child = context.child("forecast");
        assert_eq!(child.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(child.tracestate(), Some("congo=t61rcWkgMzE"));
        assert_ne!(child.traceparent(), context.traceparent());
        assert_ne!(child, context.child("quota"));
    }

    #[test]
    fn invalid_headers_are_no_context() {
        for bad in [
            "",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceContext::parse(bad.as_bytes(), None), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn roots_are_valid_and_differ(seed: u64, node in ".{0,20}", sequence: i64) {
            let root = TraceContext::root(seed, &node, sequence);
            prop_assert_eq!(TraceContext::parse(root.traceparent().as_bytes(), None), Some(root.clone()));
            prop_assert_ne!(root, TraceContext::root(seed, &node, sequence.wrapping_add(1)));
        }
    }
}
