//! The inputs of the network, computed from the minute bars of one resource.
//!
//! With v the current value in points, m5(j) the maximum of the 5 minutes ending at bar j, and the node's own scale
//! s = 0.5 + mean over 60 minutes of |m5(j) − v(j−5)| (what persistence gets wrong here), the inputs are, in order:
//!
//! | inputs | what | form |
//! | --- | --- | --- |
//! | 12 | v − v(t−k), k = 1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60 minutes | asinh(x / s) |
//! | 16 | mean − v, max − v, min − v, deviation over 5, 15, 60, 120 minutes | asinh(x / s) |
//! | 10 | the peak that followed the same moment P minutes ago: m5(t−P+5) − v, P = 10 … 120 | asinh(x / s) |
//! | 8 | 10-minute maximum at t−P+8 and 5-minute mean at t−P+5, each − v, P = 15, 30, 60, 120 | asinh(x / s) |
//! | 5 | of those peaks: mean, max, min over P = 30, 60, 90, 120; mean, max over P = 15 … 120 | asinh(x / s) |
//! | 5 | yesterday at this time: the peak that followed − v, and less the load then; load, peak of the 5 minutes before, 10-minute maximum, each − v | asinh(x / s) |
//! | 4 | ln s, ln(1 + v) / 2, ln(interval / 1 min), 1 if yesterday is known | as they are |
//!
//! Until a day was seen the six inputs of yesterday are zero. Lags and means use the bars' means, maxima the bars' maxima; the network standardises the lot. Every sum has a fixed
//! order, so the same bars give the same bits.

use crate::day::Yesterday;
use crate::history::{BARS, History, NOW};
use crate::numeric::{asinh, larger, ln, smaller};

/// Number of inputs of the network.
pub const INPUTS: usize = 60;

/// Inputs that go through asinh(x / s).
const SCALED: usize = 56;
/// The input that says how high the load is.
pub(crate) const LEVEL: usize = SCALED + 1;
const LAGS: [usize; 12] = [1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60];
const PERIODS: [usize; 10] = [10, 15, 20, 30, 45, 60, 75, 90, 105, 120];
const WIDE_PERIODS: [usize; 4] = [15, 30, 60, 120];
/// Windows of 5, 15, 60 and 120 minutes, each as what it adds to the one before it.
const SEGMENTS: [(usize, usize); 4] = [(0, 5), (5, 15), (15, 60), (60, 120)];

/// The inputs of one step with the two figures that turn the network's outputs back into load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Features {
    /// Inputs, not yet standardised.
    pub(crate) inputs: [f32; INPUTS],
    /// The current value v, in points.
    pub(crate) value: f32,
    /// The node's own scale s, in points.
    pub(crate) scale: f32,
}

impl Features {
    /// Computes the inputs from the bars; `interval_ms` is taken between 1 s and 1 h.
    pub(crate) fn of(history: &History, interval_ms: i64) -> Self {
        let value = history.value;
        let peaks = five_minute_peaks(&history.max);
        let scale = scale(&peaks, &history.mean);
        let mut inputs = [0.0; INPUTS];
        let mut rest = &mut inputs[..];
        let mut put = |x: f32| {
            if let Some((first, tail)) = std::mem::take(&mut rest).split_first_mut() {
                *first = x;
                rest = tail;
            }
        };
        for lag in LAGS {
            put(value - history.mean[NOW - lag]);
        }
        windows(history, value, &mut put);
        followed(history, &peaks, value, &mut put);
        let yesterday = history.yesterday();
        if let Some(Yesterday { then, before, after, around }) = yesterday {
            for x in [after - value, after - then, then - value, before - value, around - value] {
                put(x);
            }
        }
        let per_scale = 1.0 / scale;
        for x in &mut inputs[..SCALED] {
            *x = asinh(*x * per_scale);
        }
        let minutes = interval_ms.clamp(1_000, 3_600_000) as f32 / 60_000.0;
        inputs[SCALED] = ln(scale);
        inputs[LEVEL] = ln(1.0 + value) * 0.5;
        inputs[SCALED + 2] = ln(minutes);
        inputs[SCALED + 3] = if yesterday.is_some() { 1.0 } else { 0.0 };
        Self { inputs, value, scale }
    }
}

/// m5 for every bar from the fifth on; the first four are zero.
fn five_minute_peaks(max: &[f32; BARS]) -> [f32; BARS] {
    let mut peaks = [0.0; BARS];
    for j in 4..BARS {
        let pair = larger(larger(max[j], max[j - 1]), larger(max[j - 2], max[j - 3]));
        peaks[j] = larger(pair, max[j - 4]);
    }
    peaks
}

fn scale(peaks: &[f32; BARS], mean: &[f32; BARS]) -> f32 {
    let ends = &peaks[BARS - 60..];
    let starts = &mean[BARS - 65..BARS - 5];
    let mut lanes = [0.0_f32; 4];
    for (end, start) in ends.chunks_exact(4).zip(starts.chunks_exact(4)) {
        for lane in 0..4 {
            lanes[lane] += (end[lane] - start[lane]).abs();
        }
    }
    0.5 + ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) * (1.0 / 60.0)
}

/// Sum, sum of squares, maximum and minimum of the bars about the current value.
struct Spread {
    sum: f32,
    squares: f32,
    max: f32,
    min: f32,
}

fn spread(mean: &[f32], max: &[f32], value: f32) -> Spread {
    const LANES: usize = 4;
    let (mut sum, mut squares) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let (mut highest, mut lowest) = ([f32::MIN; LANES], [f32::MAX; LANES]);
    let (means, mean_rest) = mean.as_chunks::<LANES>();
    let (maxima, max_rest) = max.as_chunks::<LANES>();
    for (mean, max) in means.iter().zip(maxima) {
        for lane in 0..LANES {
            let x = mean[lane] - value;
            sum[lane] += x;
            squares[lane] += x * x;
            lowest[lane] = smaller(x, lowest[lane]);
            highest[lane] = larger(max[lane] - value, highest[lane]);
        }
    }
    for (lane, (mean, max)) in mean_rest.iter().zip(max_rest).enumerate() {
        let x = mean - value;
        sum[lane] += x;
        squares[lane] += x * x;
        lowest[lane] = smaller(x, lowest[lane]);
        highest[lane] = larger(max - value, highest[lane]);
    }
    Spread {
        sum: (sum[0] + sum[1]) + (sum[2] + sum[3]),
        squares: (squares[0] + squares[1]) + (squares[2] + squares[3]),
        max: larger(larger(highest[0], highest[1]), larger(highest[2], highest[3])),
        min: smaller(smaller(lowest[0], lowest[1]), smaller(lowest[2], lowest[3])),
    }
}

fn windows(history: &History, value: f32, put: &mut impl FnMut(f32)) {
    let mut total = Spread { sum: 0.0, squares: 0.0, max: f32::MIN, min: f32::MAX };
    for (from, to) in SEGMENTS {
        let bars = BARS - to..BARS - from;
        let part = spread(&history.mean[bars.clone()], &history.max[bars], value);
        total.sum += part.sum;
        total.squares += part.squares;
        total.max = larger(part.max, total.max);
        total.min = smaller(part.min, total.min);
        let mean = total.sum / to as f32;
        put(mean);
        put(total.max);
        put(total.min);
        put(larger(total.squares / to as f32 - mean * mean, 0.0).sqrt());
    }
}

fn followed(history: &History, peaks: &[f32; BARS], value: f32, put: &mut impl FnMut(f32)) {
    let mut after = [0.0_f32; PERIODS.len()];
    for (x, period) in after.iter_mut().zip(PERIODS) {
        *x = peaks[NOW - period + 5] - value;
        put(*x);
    }
    for period in WIDE_PERIODS {
        let end = NOW - period + 8;
        put(larger(peaks[end], peaks[end - 5]) - value);
    }
    for period in WIDE_PERIODS {
        let end = NOW - period + 5;
        let sum: f32 = history.mean[end - 4..=end].iter().sum();
        put(sum * 0.2 - value);
    }
    // P = 30, 60, 90, 120 are every half hour; from the second on, all but P = 10.
    let half_hours = [after[3], after[5], after[7], after[9]];
    put((half_hours[0] + half_hours[1] + half_hours[2] + half_hours[3]) * 0.25);
    put(half_hours.into_iter().fold(f32::MIN, larger));
    put(half_hours.into_iter().fold(f32::MAX, smaller));
    put(after[1..].iter().sum::<f32>() / 9.0);
    put(after[1..].iter().copied().fold(f32::MIN, larger));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn history(loads: &[f32]) -> History {
        let mut history = History::begin(0, loads[0]);
        for (minute, load) in loads.iter().enumerate().skip(1) {
            history.advance(minute as i64);
            history.measure(*load);
        }
        history
    }

    fn close(got: f32, want: f32) {
        assert!((got - want).abs() < 1e-4, "{got} is not {want}");
    }

    #[test]
    fn a_constant_load_has_only_its_level() {
        let features = Features::of(&history(&[20.0; 200]), 60_000);
        assert_eq!(features.scale, 0.5);
        assert!(features.inputs[..SCALED].iter().all(|x| *x == 0.0));
        close(features.inputs[SCALED + 1], 21f32.ln() / 2.0);
        close(features.inputs[SCALED + 2], 0.0);
    }

    #[test]
    fn a_ramp_gives_the_values_worked_out_by_hand() {
        // One point a minute: m5(j) = v(j), and v(j−5) lies 5 below, so s = 5.5.
        let loads: Vec<f32> = (0..200).map(|minute| minute as f32).collect();
        let features = Features::of(&history(&loads), 10_000);
        close(features.scale, 5.5);
        let scaled = |x: f32| (x / 5.5).asinh();
        close(features.inputs[0], scaled(1.0));
        close(features.inputs[11], scaled(60.0));
        close(features.inputs[12], scaled(-2.0)); // mean of 5 minutes
        close(features.inputs[13], scaled(0.0)); // their maximum is now
        close(features.inputs[14], scaled(-4.0)); // their minimum
        close(features.inputs[15], scaled(2f32.sqrt())); // their deviation
        close(features.inputs[24], scaled(-59.5)); // mean of 120 minutes
        close(features.inputs[28], scaled(-5.0)); // P = 10
        close(features.inputs[37], scaled(-115.0)); // P = 120
        close(features.inputs[38], scaled(-7.0)); // 10-minute maximum, P = 15
        close(features.inputs[42], scaled(-12.0)); // 5-minute mean, P = 15
        close(features.inputs[46], scaled(-70.0)); // half hours: mean
        close(features.inputs[47], scaled(-25.0)); // half hours: max
        close(features.inputs[48], scaled(-115.0)); // half hours: min
        close(features.inputs[50], scaled(-10.0)); // all from P = 15: max
        close(features.inputs[SCALED + 2], (1f32 / 6.0).ln());
    }

    #[test]
    fn yesterday_at_this_time_is_seen_after_a_day() {
        // A job of 40 points over 10, three minutes long, once a day; the last minute is three before it.
        let load = |minute: usize| if (100..103).contains(&(minute % 1_440)) { 50.0 } else { 10.0 };
        let seen = |minutes: usize| Features::of(&history(&(0..minutes).map(load).collect::<Vec<_>>()), 60_000);
        let features = seen(1_440 * 2 + 98);
        let scaled = |x: f32| (x / features.scale).asinh();
        let wanted = [scaled(40.0), scaled(40.0), 0.0, 0.0, scaled(40.0)];
        for (got, want) in features.inputs[51..SCALED].iter().zip(wanted) {
            close(*got, want);
        }
        assert_eq!(features.inputs[SCALED + 3], 1.0);
        let first_day = seen(1_440 + 5);
        assert!(first_day.inputs[51..SCALED].iter().all(|x| *x == 0.0) && first_day.inputs[SCALED + 3] == 0.0);
        assert_eq!(seen(1_440 + 6).inputs[SCALED + 3], 1.0);
    }

    proptest! {
        #[test]
        fn any_past_gives_finite_inputs(
            loads in prop::collection::vec(prop_oneof![0f32..100.0, Just(0.0), Just(100_000.0)], 1..200),
            interval in any::<i64>(),
        ) {
            let features = Features::of(&history(&loads), interval);
            prop_assert!(features.inputs.iter().all(|x| x.is_finite()));
            prop_assert!(features.scale >= 0.5);
        }
    }
}
