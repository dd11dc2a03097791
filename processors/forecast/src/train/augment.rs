//! Variations of recorded load: scaled, mixed and warped in time.
//!
//! A stretch is cut from a segment as [`Segment`] again; mixing adds a stretch of another training segment with the
//! same report interval, so that nothing held out leaks in. Event times of the result are those of a segment that
//! reports at its usual interval, with the original's gaps where it was not warped.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::segment::Segment;
use crate::state::MINUTE_MS;

/// Least time between reports of a warped stretch.
const TICK_MS: i64 = 1_000;

/// The part of a segment in `[from_ms, from_ms + span_ms)`, as it is.
pub(crate) fn cut(segment: &Segment, from_ms: i64, span_ms: i64) -> Segment {
    let first = segment.times.partition_point(|at| *at < from_ms);
    let end = segment.times.partition_point(|at| *at < from_ms.saturating_add(span_ms));
    Segment {
        series: segment.series,
        interval_ms: segment.interval_ms,
        times: segment.times[first..end].to_vec(),
        points: segment.points[first..end].to_vec(),
    }
}

/// A stretch of `span_ms` that runs `speed` times as fast as the recording: each report takes the value in force then.
pub(crate) fn warp(segment: &Segment, from_ms: i64, span_ms: i64, speed: f64) -> Segment {
    let mut warped = Segment { series: segment.series, interval_ms: segment.interval_ms, ..Segment::default() };
    let mut at = from_ms;
    while at < from_ms.saturating_add(span_ms) {
        let source = from_ms + ((at - from_ms) as f64 * speed) as i64;
        let index = segment.times.partition_point(|time| *time <= source);
        if index == segment.times.len() {
            break;
        }
        warped.times.push(at);
        warped.points.push(segment.points[index.saturating_sub(1)]);
        at += segment.interval_ms.max(TICK_MS);
    }
    warped
}

/// Adds `other`, report by report, each weighted.
pub(crate) fn mix(stretch: &mut Segment, weight: f32, other: &Segment, other_weight: f32) {
    for (points, other) in stretch.points.iter_mut().zip(other.points.iter().cycle()) {
        *points = *points * weight + other * other_weight;
    }
}

/// Multiplies the load.
pub(crate) fn scale(stretch: &mut Segment, factor: f32) {
    for points in &mut stretch.points {
        *points *= factor;
    }
}

/// Keeps every fifth report of a 1-minute stretch: what a node with 5-minute reports would have sent.
pub(crate) fn thin(stretch: &Segment, rng: &mut ChaCha8Rng) -> Segment {
    let first = rng.random_range(0..5);
    Segment {
        series: stretch.series,
        interval_ms: 5 * MINUTE_MS,
        times: stretch.times.iter().copied().skip(first).step_by(5).collect(),
        points: stretch.points.iter().copied().skip(first).step_by(5).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp() -> Segment {
        Segment {
            series: 3,
            interval_ms: MINUTE_MS,
            times: (0..100).map(|minute| minute * MINUTE_MS).collect(),
            points: (0..100).map(|minute| minute as f32).collect(),
        }
    }

    #[test]
    fn warping_changes_speed_and_keeps_the_interval() {
        let fast = warp(&ramp(), 10 * MINUTE_MS, 20 * MINUTE_MS, 2.0);
        assert_eq!(fast.points[..3], [10.0, 12.0, 14.0]);
        assert_eq!(fast.times[1] - fast.times[0], MINUTE_MS);
        let slow = warp(&ramp(), 10 * MINUTE_MS, 20 * MINUTE_MS, 0.5);
        assert_eq!(slow.points[..4], [10.0, 10.0, 11.0, 11.0]);
    }

    #[test]
    fn mixing_and_scaling_weigh_each_report() {
        let mut stretch = cut(&ramp(), 10 * MINUTE_MS, 3 * MINUTE_MS);
        mix(&mut stretch, 0.5, &cut(&ramp(), 20 * MINUTE_MS, 3 * MINUTE_MS), 0.25);
        assert_eq!(stretch.points, [10.0, 10.75, 11.5]);
        scale(&mut stretch, 2.0);
        assert_eq!(stretch.points, [20.0, 21.5, 23.0]);
    }
}
