//! Where the steering starts: how far samples lay above the forecast p90 in the data that the model was trained on, and
//! above the baseline's peak where no model forecasts.

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

/// The same of sample − peak of the last 5 minutes: the first 70 % of 8 nodes of the Server Machine Dataset (1 min) and of 11 of the
/// Numenta Anomaly Benchmark (5 min), CPU.
const BASELINE: [(f64, f64); 17] = [
    (0.0, -98.0),
    (0.001, -68.0),
    (0.01, -36.0),
    (0.05, -6.0),
    (0.1, -3.0),
    (0.2, -2.0),
    (0.5, -1.0),
    (0.6, 0.0),
    (0.9, 1.0),
    (0.96, 2.0),
    (0.98, 3.22),
    (0.985, 5.0),
    (0.99, 9.04),
    (0.995, 19.0),
    (0.9975, 33.0),
    (0.999, 51.0),
    (1.0, 98.0),
];

/// How finely a table is read.
const STEPS: usize = 10_000;

/// Histograms of scores, each of which sums to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// Of a model's p90.
    pub(crate) model: Box<[f32]>,
    /// Of the baseline's peak.
    pub(crate) baseline: Box<[f32]>,
}

impl Prior {
    /// From equally likely scores, sample − forecast p90 in points (0.01 of the base quota), e.g. 1,000 quantiles.
    /// Values that are not finite are left out; with none left it is the built-in one. The baseline's is always built in.
    #[must_use]
    pub fn from_residuals(points: &[f64]) -> Self {
        let model = histogram(points).unwrap_or_else(|| of_table(&BUILT_IN));
        Self { model, baseline: of_table(&BASELINE) }
    }

    /// Half of each: the start where both resources count.
    #[must_use]
    pub fn mixed(&self, other: &Self) -> Self {
        let half = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a + b) / 2.0).collect();
        Self { model: half(&self.model, &other.model), baseline: half(&self.baseline, &other.baseline) }
    }
}

impl Default for Prior {
    fn default() -> Self {
        Self::from_residuals(&[])
    }
}

/// Shares of the bins; `None` without a finite value.
fn histogram(points: &[f64]) -> Option<Box<[f32]>> {
    let mut counts = [0_u32; BINS];
    let mut total = 0_u32;
    for points in points.iter().filter(|points| points.is_finite()) {
        counts[bin_of(points * 100.0)] += 1;
        total += 1;
    }
    (total > 0).then(|| counts.iter().map(|count| (f64::from(*count) / f64::from(total)) as f32).collect())
}

fn of_table(table: &[(f64, f64)]) -> Box<[f32]> {
    let points: Vec<f64> = (0..STEPS).map(|step| quantile(table, (step as f64 + 0.5) / STEPS as f64)).collect();
    histogram(&points).unwrap_or_default()
}

/// A level's quantile, between the table's rows by a straight line.
fn quantile(table: &[(f64, f64)], level: f64) -> f64 {
    let next = table.partition_point(|(at, _)| *at <= level).clamp(1, table.len() - 1);
    let ((from, low), (to, high)) = (table[next - 1], table[next]);
    low + (high - low) * (level - from) / (to - from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steering::bins::upper_quantile;

    #[test]
    fn the_built_in_priors_keep_their_tables_quantiles() {
        let prior = Prior::default();
        for (shares, table) in [(&prior.model, &BUILT_IN[..]), (&prior.baseline, &BASELINE[..])] {
            for (level, points) in table.iter().filter(|(level, _)| (0.9..0.999).contains(level)) {
                let got = upper_quantile(|bin| f64::from(shares[bin]), 1.0 - level).unwrap() / 100.0;
                assert!((got - points).abs() < 0.1 * points.abs() + 0.1, "{level}: {got} is not {points}");
            }
        }
    }

    #[test]
    fn residuals_that_are_no_numbers_are_left_out() {
        assert_eq!(Prior::from_residuals(&[f64::NAN, f64::INFINITY]), Prior::default());
        let one = Prior::from_residuals(&[2.0, f64::NAN]);
        assert!((one.model[bin_of(200.0)] - 1.0).abs() < f32::EPSILON);
        let mixed = one.mixed(&Prior::default());
        assert!((mixed.model.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        assert_eq!(mixed.baseline, one.baseline);
    }
}
