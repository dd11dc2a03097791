//! Trace context in record headers (W3C Trace Context, level 1), so that one trace runs from report to quota.
//!
//! Span ids are derived, not drawn: the same report through the same stages has the same trace, on every run. Whether a trace is
//! recorded is decided at its head (`sampling.rs`) and carried in its flags.

mod sampling;

pub use sampling::HeadSampler;

use std::fmt::Write as _;

use opentelemetry::trace::{SpanContext, TraceFlags, TraceState};
use opentelemetry::{SpanId, TraceId};

/// Header that carries trace id, span id and flags.
pub const TRACEPARENT: &str = "traceparent";
/// Header that vendors add to; it is passed on as it came.
pub const TRACESTATE: &str = "tracestate";
/// Our member of it: the centre asks the node to have all of its reports recorded.
const WHOLE: &str = "tidegate=whole";
/// Members that it may have (W3C Trace Context, 3.3.1.1).
const MOST_MEMBERS: usize = 32;

/// Position of a record in its trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: TraceId,
    span_id: SpanId,
    flags: u8,
    state: Option<String>,
}

impl TraceContext {
    /// Begins a trace, recorded, for the report of `node_id` with `sequence`; `seed` tells runs apart.
    #[must_use]
    pub fn root(seed: u64, node_id: &str, sequence: i64) -> Self {
        let name = node_id.bytes().fold(mix(seed), |h, b| mix(h ^ u64::from(b)));
        let high = mix(name ^ sequence.cast_unsigned());
        let low = mix(high);
        Self {
            trace_id: TraceId::from(u128::from(high) << 64 | u128::from(low.max(1))),
            span_id: SpanId::from(mix(low).max(1)),
            flags: TraceFlags::SAMPLED.to_u8(),
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

    /// The same place in a trace that is not recorded.
    #[must_use]
    pub fn unsampled(self) -> Self {
        Self { flags: TraceFlags::new(self.flags).with_sampled(false).to_u8(), ..self }
    }

    /// Whether its spans are recorded.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        TraceFlags::new(self.flags).is_sampled()
    }

    /// The same place, recorded, with the word to the node that all of its reports are to be.
    #[must_use]
    pub fn whole(self) -> Self {
        let others = self.state.as_deref().unwrap_or_default().split(',').map(str::trim);
        let others = others.filter(|member| !member.is_empty() && !member.starts_with("tidegate="));
        let state: Vec<&str> = std::iter::once(WHOLE).chain(others).take(MOST_MEMBERS).collect();
        let flags = TraceFlags::new(self.flags).with_sampled(true).to_u8();
        Self { flags, state: Some(state.join(",")), ..self }
    }

    /// Whether all reports of the node are to be recorded.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.state.as_deref().is_some_and(|state| state.split(',').any(|member| member.trim() == WHOLE))
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

    /// The same for OpenTelemetry, as it came over the wire.
    #[must_use]
    pub fn span_context(&self) -> SpanContext {
        let state = self.state.as_deref().and_then(|state| state.parse().ok()).unwrap_or(TraceState::NONE);
        SpanContext::new(self.trace_id, self.span_id, TraceFlags::new(self.flags), true, state)
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

    #[test]
    fn a_node_is_asked_for_all_and_the_words_of_others_stay() {
        let header = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        let context = TraceContext::parse(header, Some(b"congo=t61, tidegate=old")).unwrap();
        assert!(!context.is_sampled() && !context.is_whole());
        let whole = context.child("quota").whole();
        assert!(whole.is_sampled() && whole.is_whole());
        assert_eq!(whole.tracestate(), Some("tidegate=whole,congo=t61"));
        assert_eq!(whole.clone().whole(), whole);
        assert!(!whole.clone().unsampled().is_sampled());
        assert_eq!(whole.span_context().trace_state().get("congo"), Some("t61"));
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
