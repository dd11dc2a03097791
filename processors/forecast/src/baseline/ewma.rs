//! The exponentially weighted mean and variance of the load, in event time.
//!
//! A measurement d milliseconds after the one before weighs a = 1 − 2^(−d / half-life), so that the weight of what was
//! measured halves every [`HALF_LIFE_MS`], whatever the report interval. Mean and variance follow the incremental
//! form of Finch, "Incremental calculation of weighted mean and variance" (2009). The forecast is flat: the mean for the path and for the
//! peak's median, the mean plus 1.2816 deviations (the normal distribution's 0.9 quantile) for its p90.

use crate::load::{PATH_MINUTES, Quantiles, ResourceForecast, round};
use crate::numeric::exp;

/// After this much event time, in milliseconds, a measurement counts half.
pub const HALF_LIFE_MS: i64 = 180_000;

/// The 0.9 quantile of the standard normal distribution.
const NORMAL_90: f32 = 1.281_551_6;

/// Mean and variance of one resource, in points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ewma {
    mean: f32,
    variance: f32,
    at_ms: i64,
}

impl Ewma {
    pub(super) fn begin(at_ms: i64, points: f32) -> Self {
        Self { mean: points, variance: 0.0, at_ms }
    }

    /// Adds a measurement; an event time before the last one counts as the last one and weighs nothing.
    pub(super) fn observe(&mut self, at_ms: i64, points: f32) {
        let passed = at_ms.saturating_sub(self.at_ms).max(0);
        self.at_ms = self.at_ms.max(at_ms);
        let halvings = passed as f32 / HALF_LIFE_MS as f32;
        let weight = 1.0 - exp(-halvings * std::f32::consts::LN_2);
        let off = points - self.mean;
        let step = weight * off;
        self.mean += step;
        self.variance = (1.0 - weight) * (self.variance + off * step);
    }

    pub(super) fn forecast(&self, current: f32) -> ResourceForecast {
        let fraction = |points: f32| round(points.max(0.0) / 100.0);
        let mean = fraction(self.mean);
        let p90 = fraction(self.mean + NORMAL_90 * self.variance.max(0.0).sqrt());
        ResourceForecast {
            current: fraction(current),
            path: [mean; PATH_MINUTES],
            peak: Quantiles { p50: mean, p90: p90.max(mean) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn after_a_half_life_the_past_counts_half() {
        let mut ewma = Ewma::begin(0, 40.0);
        ewma.observe(HALF_LIFE_MS, 80.0);
        assert!((ewma.mean - 60.0).abs() < 1e-3, "{ewma:?}");
        // Half of each: variance 20².
        assert!((ewma.variance - 400.0).abs() < 1e-2, "{ewma:?}");
    }

    proptest! {
        #[test]
        fn the_mean_stays_among_what_was_measured(
            loads in prop::collection::vec((0i64..600_000, 0f32..200.0), 1..100),
        ) {
            let (mut at, mut ewma) = (0, Ewma::begin(0, loads[0].1));
            for (step, points) in &loads {
                at += step;
                ewma.observe(at, *points);
            }
            let low = loads.iter().map(|(_, p)| *p).fold(f32::MAX, f32::min);
            let high = loads.iter().map(|(_, p)| *p).fold(f32::MIN, f32::max);
            prop_assert!(ewma.mean >= low - 1e-2 && ewma.mean <= high + 1e-2);
            let forecast = ewma.forecast(low);
            prop_assert!(forecast.peak.p90 >= forecast.peak.p50 && forecast.peak.p90.is_finite());
        }
    }
}
