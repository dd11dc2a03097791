//! Where the steering starts: how far samples lay above the forecast p90 in the data that the model was trained on.

use super::bins::{BINS, bin_of};

/// Quantiles of sample − p90 in points, with their levels, of the shipped model's training data: the start where a model's
/// artifact brings none.
const BUILT_IN: [(f64, f64); 24] = [
    (0.0, -138.59),
    (0.001, -77.6),
    (0.01, -46.98),
    (0.05, -15.49),
    (0.1, -7.04),
    (0.2, -4.19),
    (0.3, -3.23),
    (0.4, -2.62),
    (0.5, -2.15),
    (0.6, -1.74),
    (0.7, -1.35),
    (0.8, -0.92),
    (0.9, -0.38),
    (0.95, -0.1),
    (0.97, -0.03),
    (0.98, 0.31),
    (0.985, 0.58),
    (0.99, 1.11),
    (0.9925, 1.75),
    (0.995, 3.34),
    (0.9975, 8.9),
    (0.999, 18.8),
    (0.9995, 29.2),
    (1.0, 84.64),
];

/// How finely the built-in table is read.
const STEPS: usize = 10_000;

/// A histogram of scores that sums to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    pub(crate) shares: Box<[f32]>,
}

impl Prior {
    /// From equally likely scores, sample − forecast p90 in points (0.01 of the base quota), e.g. 1,000 quantiles.
    /// Values that are not finite are left out; with none left it is the built-in one.
    #[must_use]
    pub fn from_residuals(points: &[f64]) -> Self {
        let mut counts = [0_u32; BINS];
        let mut total = 0_u32;
        for points in points.iter().filter(|points| points.is_finite()) {
            counts[bin_of(points * 100.0)] += 1;
            total += 1;
        }
        if total == 0 {
            return Self::default();
        }
        Self { shares: counts.iter().map(|count| (f64::from(*count) / f64::from(total)) as f32).collect() }
    }

    /// Half of each: the start where both resources count.
    #[must_use]
    pub fn mixed(&self, other: &Self) -> Self {
        Self { shares: self.shares.iter().zip(&other.shares).map(|(a, b)| (a + b) / 2.0).collect() }
    }
}

impl Default for Prior {
    fn default() -> Self {
        let at = |step: usize| built_in((step as f64 + 0.5) / STEPS as f64);
        Self::from_residuals(&(0..STEPS).map(at).collect::<Vec<_>>())
    }
}

/// The built-in quantile of a level, between the table's rows by a straight line.
fn built_in(level: f64) -> f64 {
    let next = BUILT_IN.partition_point(|(at, _)| *at <= level).clamp(1, BUILT_IN.len() - 1);
    let ((from, low), (to, high)) = (BUILT_IN[next - 1], BUILT_IN[next]);
    low + (high - low) * (level - from) / (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steering::bins::upper_quantile;

    #[test]
    fn the_built_in_prior_keeps_its_tables_quantiles() {
        let prior = Prior::default();
        for (level, points) in BUILT_IN.into_iter().filter(|(level, _)| (0.9..0.999).contains(level)) {
            let got = upper_quantile(|bin| f64::from(prior.shares[bin]), 1.0 - level).unwrap() / 100.0;
            assert!((got - points).abs() < 0.1 * points.abs() + 0.1, "{level}: {got} is not {points}");
        }
    }

    #[test]
    fn residuals_that_are_no_numbers_are_left_out() {
        assert_eq!(Prior::from_residuals(&[f64::NAN, f64::INFINITY]), Prior::default());
        let one = Prior::from_residuals(&[2.0, f64::NAN]);
        assert!((one.shares[bin_of(200.0)] - 1.0).abs() < f32::EPSILON);
        assert!((one.mixed(&Prior::default()).shares.iter().sum::<f32>() - 1.0).abs() < 1e-4);
    }
}
