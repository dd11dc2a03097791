//! Draws the sequences that training learns from.
//!
//! ```text
//! segment ─► stretch (warm-up, steps, one horizon) ─► variation ─► minute bars ─► features a minute ─► targets
//! ```
//!
//! A sequence has [`STEPS`] steps, one a minute (or a report, if those are rarer), at a random moment within the minute, so that
//! reports every 10 s are met as they come. Features come from the same code as in production. The targets are
//! relative to the value v and scale s of their step: peak of the measurements in (t, t + 5 min], and the last
//! measurement of each of the five minutes.

use std::collections::BTreeMap;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::augment;
use super::options::TrainOptions;
use super::segment::Segment;
use super::simulate;
use crate::day::DAY_MINUTES;
use crate::features::{Features, INPUTS};
use crate::history::{BARS, History};
use crate::load::{HORIZON_MS, PATH_MINUTES, Resource};
use crate::state::MINUTE_MS;

/// Steps of a sequence.
pub(crate) const STEPS: usize = 120;
/// Share of the sequences that come from simulated nodes.
const SIMULATED_SHARE: f64 = 0.15;
/// Share of the recorded sequences that are scaled, mixed or warped.
const VARIED_SHARE: f64 = 0.4;
/// Share of the recorded 1-minute sequences that are seen as 5-minute reports.
const THINNED_SHARE: f64 = 0.06;
/// Least share of the recorded sequences for each report interval, so that a short recording of another interval counts.
const LEAST_INTERVAL_SHARE: f64 = 0.03;
/// Share of the sequences that begin on a node's first day: nothing is known of the day before.
const FIRST_DAY_SHARE: f64 = 0.25;
/// Minutes of past before the first step, where the segment has them: on the first day, and later.
const FIRST_DAY_MINUTES: i64 = BARS as i64;
const WARM_MINUTES: i64 = DAY_MINUTES + 2;

/// One step: its inputs and what followed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    pub(crate) inputs: [f32; INPUTS],
    /// The node's scale s, in points.
    pub(crate) scale: f32,
    /// (peak − v) / s.
    pub(crate) peak: f32,
    /// (load − v) / s at +1 … +5 minutes; not a number where nothing was measured.
    pub(crate) path: [f32; PATH_MINUTES],
    /// Whether enough was measured after it to learn from.
    pub(crate) counts: bool,
}

/// Draws sequences of one resource.
#[derive(Debug)]
pub(crate) struct Sampler {
    recorded: Vec<Segment>,
    simulated: Vec<Segment>,
    /// Running sum of the weights of the recorded segments.
    spans: Vec<f64>,
    augment: bool,
}

impl Sampler {
    pub(crate) fn new(recorded: &[Segment], resource: Resource, options: &TrainOptions, rng: &mut ChaCha8Rng) -> Self {
        let simulated = (0..options.simulated_nodes).map(|index| simulate::node(index, resource, rng)).collect();
        Self { spans: spans(recorded), recorded: recorded.to_vec(), simulated, augment: options.augment }
    }

    /// Draws recorded sequences as they are.
    pub(crate) fn plain(recorded: &[Segment]) -> Self {
        Self { spans: spans(recorded), recorded: recorded.to_vec(), simulated: Vec::new(), augment: false }
    }

    /// Draws one sequence in which at least one step counts.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> Vec<Step> {
        let mut sequence = Vec::new();
        for _ in 0..20 {
            let stretch = self.stretch(rng);
            sequence = steps(&stretch, rng.random_range(0..MINUTE_MS));
            if sequence.len() == STEPS && sequence.iter().any(|step| step.counts) {
                break;
            }
        }
        let blank =
            Step { inputs: [0.0; INPUTS], scale: 1.0, peak: 0.0, path: [f32::NAN; PATH_MINUTES], counts: false };
        sequence.resize(STEPS, blank);
        sequence
    }

    fn stretch(&self, rng: &mut ChaCha8Rng) -> Segment {
        if !self.simulated.is_empty() && rng.random_bool(SIMULATED_SHARE) {
            let segment = &self.simulated[rng.random_range(0..self.simulated.len())];
            let span = span_ms(segment.interval_ms, warm_minutes(rng));
            return augment::cut(segment, start(segment, span, rng), span);
        }
        let segment = self.pick(rng);
        let thin = self.augment && segment.interval_ms == MINUTE_MS && rng.random_bool(THINNED_SHARE);
        let interval_ms = if thin { 5 * MINUTE_MS } else { segment.interval_ms };
        let stretch = if self.augment && rng.random_bool(VARIED_SHARE) {
            self.vary(segment, interval_ms, rng)
        } else {
            let span = span_ms(interval_ms, warm_minutes(rng));
            augment::cut(segment, start(segment, span, rng), span)
        };
        if thin { augment::thin(&stretch, rng) } else { stretch }
    }

    fn vary(&self, segment: &Segment, interval_ms: i64, rng: &mut ChaCha8Rng) -> Segment {
        let speed = if rng.random_bool(0.4) { f64::exp2(rng.random_range(-1.0..1.0)) } else { 1.0 };
        // In warped time a day is no day.
        let warm = if speed == 1.0 { warm_minutes(rng) } else { FIRST_DAY_MINUTES };
        let span = span_ms(interval_ms, warm);
        let needed = (span as f64 * speed) as i64;
        let from = start(segment, needed, rng);
        let mut stretch =
            if speed == 1.0 { augment::cut(segment, from, span) } else { augment::warp(segment, from, span, speed) };
        let other = self.pick(rng);
        if other.interval_ms == segment.interval_ms && rng.random_bool(0.5) {
            let part = augment::cut(other, start(other, span, rng), span);
            if !part.points.is_empty() {
                let weight = rng.random_range(0.2..0.8);
                augment::mix(&mut stretch, weight, &part, 1.0 - weight);
            }
        }
        augment::scale(&mut stretch, rng.random_range(0.35..1.3));
        stretch
    }

    /// A recorded segment, about as likely as it has steps.
    fn pick(&self, rng: &mut ChaCha8Rng) -> &Segment {
        let total = self.spans.last().copied().unwrap_or(1.0);
        let at = rng.random_range(0.0..total);
        let index = self.spans.partition_point(|end| *end <= at);
        &self.recorded[index.min(self.recorded.len() - 1)]
    }
}

/// Running sum of the segments' weights: the steps they hold, those of rare report intervals more than once.
fn spans(recorded: &[Segment]) -> Vec<f64> {
    let steps = |segment: &Segment| segment.span_ms() as f64 / stride_ms(segment.interval_ms) as f64;
    let mut intervals: BTreeMap<i64, f64> = BTreeMap::new();
    for segment in recorded {
        *intervals.entry(segment.interval_ms).or_default() += steps(segment);
    }
    let least = LEAST_INTERVAL_SHARE * intervals.values().sum::<f64>();
    let mut total = 0.0;
    let weights = recorded.iter().map(|segment| {
        let all = intervals.get(&segment.interval_ms).copied().unwrap_or(0.0).max(1e-9);
        total += steps(segment) * (least / all).max(1.0);
        total
    });
    weights.collect()
}

/// Time between steps: a minute, or a report if those are rarer.
fn stride_ms(interval_ms: i64) -> i64 {
    interval_ms.clamp(MINUTE_MS, HORIZON_MS)
}

/// Minutes of warm-up of a sequence.
fn warm_minutes(rng: &mut ChaCha8Rng) -> i64 {
    if rng.random_bool(FIRST_DAY_SHARE) { FIRST_DAY_MINUTES } else { WARM_MINUTES }
}

/// Length of a stretch: warm-up, steps, and the horizon of the last one.
fn span_ms(interval_ms: i64, warm_minutes: i64) -> i64 {
    warm_minutes * MINUTE_MS + (STEPS as i64 + 1) * stride_ms(interval_ms) + HORIZON_MS
}

/// A random beginning such that the stretch fits, if it can.
fn start(segment: &Segment, span: i64, rng: &mut ChaCha8Rng) -> i64 {
    let first = segment.times.first().copied().unwrap_or(0);
    let room = segment.span_ms().saturating_sub(span);
    if room > 0 { first + rng.random_range(0..=room) } else { first }
}

/// The steps of a stretch, at `phase_ms` within each minute.
fn steps(stretch: &Segment, phase_ms: i64) -> Vec<Step> {
    let (Some(first), Some(last)) = (stretch.times.first().copied(), stretch.times.last().copied()) else {
        return Vec::new();
    };
    let stride = stride_ms(stretch.interval_ms);
    let mut history = History::begin(first.div_euclid(MINUTE_MS), stretch.points[0]);
    let mut steps = Vec::with_capacity(STEPS);
    // A short stretch begins its steps at once, as a node does that was first seen.
    let room = last - first - (STEPS as i64 + 1) * stride - HORIZON_MS;
    let from = first + room.clamp(0, WARM_MINUTES * MINUTE_MS);
    let mut due = from - from.rem_euclid(stride) + phase_ms;
    for (index, (at, points)) in stretch.times.iter().zip(&stretch.points).enumerate() {
        history.advance(at.div_euclid(MINUTE_MS));
        history.measure(*points);
        let next = stretch.times.get(index + 1).copied().unwrap_or(i64::MAX);
        if *at >= from && next > due {
            let features = Features::of(&history, stretch.interval_ms);
            steps.push(step(&features, stretch, index));
            due += ((at - due).div_euclid(stride) + 1) * stride;
            if steps.len() == STEPS {
                break;
            }
        }
    }
    steps
}

fn step(features: &Features, stretch: &Segment, index: usize) -> Step {
    let at = stretch.times[index];
    let mut peak = f32::NEG_INFINITY;
    let mut path = [f32::NAN; PATH_MINUTES];
    let mut measured = 0_i64;
    for (time, points) in stretch.times[index + 1..].iter().zip(&stretch.points[index + 1..]) {
        let ahead = time - at;
        if ahead > HORIZON_MS {
            break;
        }
        let relative = (points - features.value) / features.scale;
        peak = peak.max(relative);
        if let Some(minute) = usize::try_from((ahead - 1) / MINUTE_MS).ok().and_then(|minute| path.get_mut(minute)) {
            *minute = relative;
        }
        measured += 1;
    }
    let expected = (HORIZON_MS / stretch.interval_ms.max(1)).max(1);
    let whole = stretch.times.last().is_some_and(|last| last - at >= HORIZON_MS);
    let counts = whole && measured > 0 && 2 * measured >= expected;
    Step { inputs: features.inputs, scale: features.scale, peak: if counts { peak } else { 0.0 }, path, counts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_what_follows_relative_to_value_and_scale() {
        let stretch = Segment {
            series: 0,
            interval_ms: 10_000,
            times: (0..2_400).map(|tick| tick * 10_000).collect(),
            points: (0..2_400).map(|tick| if tick == 2_000 { 90.0 } else { 10.0 }).collect(),
        };
        let steps = steps(&stretch, 20_000);
        assert_eq!(steps.len(), STEPS);
        let hit: Vec<&Step> = steps.iter().filter(|step| step.peak > 1.0).collect();
        assert_eq!(hit.len(), 5, "the burst lies ahead of five minutes' steps");
        for step in hit {
            let ahead = step.peak * step.scale;
            assert!((ahead - 80.0).abs() < 1e-3, "{ahead}");
        }
        assert!(steps.iter().all(|step| step.counts && step.path.iter().all(|x| x.is_finite())));
    }

    #[test]
    fn five_minute_reports_know_one_point_of_the_path() {
        let stretch = Segment {
            series: 0,
            interval_ms: 300_000,
            times: (0..200).map(|report| report * 300_000).collect(),
            points: (0..200).map(|report| report as f32).collect(),
        };
        let steps = steps(&stretch, 0);
        assert_eq!(steps.len(), STEPS);
        assert!(steps[50].counts && steps[50].path[4].is_finite() && steps[50].path[3].is_nan());
    }
}
