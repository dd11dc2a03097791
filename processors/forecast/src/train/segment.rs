//! Unbroken stretches of one resource of one node, which is what training learns from.
//!
//! The learning part of a series is broken into segments at gaps longer than a context window; what is too short, constant
//! or wrong is dropped, counted and named.

use std::ops::Range;

use crate::load::{HORIZON_MS, Resource, Series};
use crate::state::{CONTEXT_WINDOW_MS, MINUTE_MS};

/// Shortest segment that is learned from.
const SHORTEST_MS: i64 = 60 * MINUTE_MS;

/// A stretch of measurements of one resource without long gaps.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Segment {
    /// Index of the series it belongs to; simulated ones count on.
    pub(crate) series: usize,
    /// Usual time between reports, milliseconds.
    pub(crate) interval_ms: i64,
    /// Event times, strictly rising.
    pub(crate) times: Vec<i64>,
    /// Load in points.
    pub(crate) points: Vec<f32>,
}

impl Segment {
    pub(crate) fn span_ms(&self) -> i64 {
        match (self.times.first(), self.times.last()) {
            (Some(first), Some(last)) => last - first,
            _ => 0,
        }
    }
}

/// A part of a series as segments, and what was dropped of it: why and how many.
pub(crate) fn segments(
    index: usize,
    series: &Series,
    resource: Resource,
    part: &Range<i64>,
) -> (Vec<Segment>, Vec<(String, usize)>) {
    let (mut invalid, mut disordered) = (0, 0);
    let mut all: Vec<Segment> = Vec::new();
    for sample in series.samples.iter().filter(|sample| part.contains(&sample.timestamp_ms)) {
        let measured = match resource {
            Resource::Cpu => sample.cpu,
            Resource::Memory => sample.memory,
        };
        let Some(points) = resource.of(sample).map(|fraction| fraction * 100.0) else {
            invalid += usize::from(measured.is_some());
            continue;
        };
        let at = sample.timestamp_ms;
        disordered += undo_jump(&mut all, at);
        let last = all.last().and_then(|segment| segment.times.last().copied());
        if last.is_some_and(|last| at <= last) {
            disordered += 1;
            continue;
        }
        if last.is_none_or(|last| at.saturating_sub(last) > CONTEXT_WINDOW_MS) {
            let interval_ms = sample.interval_ms;
            all.push(Segment { series: index, interval_ms, ..Segment::default() });
        }
        if let Some(segment) = all.last_mut() {
            segment.times.push(at);
            segment.points.push(points);
        }
    }
    let mut dropped = Vec::new();
    dropped.push(("values that are negative or not finite".to_owned(), invalid));
    dropped.push(("reports at or before the one before them".to_owned(), disordered));
    let short: usize = all.iter().filter(|s| s.span_ms() < SHORTEST_MS).map(|s| s.times.len()).sum();
    dropped.push(("stretches of less than an hour between gaps".to_owned(), short));
    all.retain(|segment| segment.span_ms() >= SHORTEST_MS);
    let rare: usize = all.iter().filter(|s| s.interval_ms > HORIZON_MS).map(|s| s.times.len()).sum();
    dropped.push(("reports rarer than one in 5 minutes, the horizon".to_owned(), rare));
    all.retain(|segment| segment.interval_ms <= HORIZON_MS);
    let constant = |segment: &Segment| segment.points.windows(2).all(|pair| pair[0] == pair[1]);
    if !all.is_empty() && all.iter().all(constant) {
        let samples = all.iter().map(|segment| segment.times.len()).sum();
        dropped.push(("constant load".to_owned(), samples));
        all.clear();
    }
    dropped.retain(|(_, samples)| *samples > 0);
    (all, dropped)
}

/// Forgets a short stretch that a clock once jumped ahead to, when the reports go on from before it; tells its length.
fn undo_jump(all: &mut Vec<Segment>, at: i64) -> usize {
    let [.., before, jumped] = all.as_slice() else {
        return 0;
    };
    let goes_on =
        before.times.last().is_some_and(|last| *last < at) && jumped.times.first().is_some_and(|first| at < *first);
    if !goes_on || jumped.span_ms() >= SHORTEST_MS {
        return 0;
    }
    all.pop().map_or(0, |jumped| jumped.times.len())
}
