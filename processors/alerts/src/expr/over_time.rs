//! Functions over a range of samples.

use super::plan::OverTime;

/// What the samples within a range come to; `None` where there are too few.
pub(super) fn over(
    how: OverTime,
    samples: impl ExactSizeIterator<Item = (i64, f64)> + Clone,
    range: (i64, i64),
) -> Option<f64> {
    match how {
        OverTime::Rate => extrapolated(samples, range, seconds(range.1 - range.0)),
        OverTime::Increase => extrapolated(samples, range, 1.0),
        OverTime::Average => average(samples.map(|(_, x)| x)),
        OverTime::Maximum => samples.map(|(_, x)| x).reduce(|a, b| if b > a || a.is_nan() { b } else { a }),
        OverTime::Minimum => samples.map(|(_, x)| x).reduce(|a, b| if b < a || a.is_nan() { b } else { a }),
    }
}

fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// The increase of a counter over the range, divided by `per`: resets are bridged, and what the samples cover is extrapolated
/// to the range's ends where they are near, to half an interval beyond where they are not, and never below zero. The order of
/// the operations is Prometheus', so that the bits are too.
fn extrapolated(
    samples: impl ExactSizeIterator<Item = (i64, f64)> + Clone,
    (start, end): (i64, i64),
    per: f64,
) -> Option<f64> {
    let count = samples.len();
    if count < 2 {
        return None;
    }
    let (first_at, first) = samples.clone().next()?;
    let (last_at, last) = samples.clone().last()?;
    let (mut increase, mut before) = (last - first, first);
    for (_, value) in samples {
        if value < before {
            increase += before;
        }
        before = value;
    }
    let mut to_start = seconds(first_at - start);
    let to_end = seconds(end - last_at);
    let covered = seconds(last_at - first_at);
    let interval = covered / (count - 1) as f64;
    if increase > 0.0 && first >= 0.0 {
        to_start = to_start.min(covered * (first / increase));
    }
    let near = interval * 1.1;
    let beyond = |distance: f64| if distance < near { distance } else { interval / 2.0 };
    let factor = (covered + beyond(to_start) + beyond(to_end)) / covered / per;
    Some(increase * factor)
}

/// The mean with Kahan's correction, as Prometheus takes it.
fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut count, mut mean, mut correction) = (0.0, 0.0_f64, 0.0);
    for value in values {
        count += 1.0;
        if mean.is_infinite() && (value.is_infinite() && (mean > 0.0) == (value > 0.0) || value.is_finite()) {
            continue;
        }
        (mean, correction) = kahan(value / count - mean / count, mean, correction);
    }
    (count > 0.0).then_some(if mean.is_infinite() { mean } else { mean + correction })
}

fn kahan(add: f64, sum: f64, correction: f64) -> (f64, f64) {
    let total = sum + add;
    let lost = if sum.abs() >= add.abs() { (sum - total) + add } else { (add - total) + sum };
    (total, correction + lost)
}
