//! How far measurements lie from the forecast p90 of their model, as a distribution.
//!
//! Training fills it in from the part that was learned from, the card carries it, and a policy that keeps a margin above p90 starts from
//! it on a node of which it knows nothing yet.

use serde::{Deserialize, Serialize};

/// Quantiles kept of each distribution.
pub(crate) const QUANTILES: usize = 1_000;

/// The pooled distribution of (sample − p90), p90 being the forecast made at t and the samples those in (t, t + 5 min].
///
/// Quantile i of 1,000 stands at level (i + 0.5) / 1,000; the values rise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Residuals {
    /// Samples that were counted.
    pub samples: usize,
    /// Quantiles of sample − p90, in points (0.01 of the base quota), rounded to 1e-3.
    pub points: Vec<f32>,
    /// Quantiles of (sample − p90) / (p90 − p50 + 1 point), a pure number, rounded to 1e-3.
    pub relative: Vec<f32>,
}

impl Residuals {
    /// From the values themselves, in any order; `None` without any.
    pub(crate) fn of(mut points: Vec<f32>, mut relative: Vec<f32>) -> Option<Self> {
        let samples = points.len();
        (samples > 0).then(|| Self { samples, points: quantiles(&mut points), relative: quantiles(&mut relative) })
    }

    /// Whether both distributions are whole: 1,000 finite values that do not fall.
    pub(crate) fn is_whole(&self) -> bool {
        [&self.points, &self.relative].into_iter().all(|values| {
            values.len() == QUANTILES
                && values.iter().all(|value| value.is_finite())
                && values.windows(2).all(|pair| pair[0] <= pair[1])
        })
    }
}

fn quantiles(values: &mut [f32]) -> Vec<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let at = |level: usize| values[(2 * level + 1) * values.len() / (2 * QUANTILES)];
    (0..QUANTILES).map(|level| ((f64::from(at(level)) * 1e3).round() / 1e3) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_stand_in_the_middle_of_their_step() {
        let values: Vec<f32> = (0..10_000).rev().map(|i| i as f32 / 10.0).collect();
        let residuals = Residuals::of(values.clone(), values).unwrap();
        assert_eq!(residuals.points[0], 0.5);
        assert_eq!(residuals.relative[999], 999.5);
        assert!(residuals.is_whole());
    }

    #[test]
    fn one_value_is_a_distribution_and_none_is_not() {
        assert_eq!(Residuals::of(vec![2.0], vec![1.0]).unwrap().points, [2.0; QUANTILES]);
        assert_eq!(Residuals::of(Vec::new(), Vec::new()), None);
        let mut broken = Residuals::of(vec![2.0], vec![1.0]).unwrap();
        broken.points[7] = 1.0;
        assert!(!broken.is_whole());
    }
}
