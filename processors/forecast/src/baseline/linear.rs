//! Linear regression on window statistics: the inputs of the network (`features.rs`), without the network.
//!
//! Targets are the peak of the next 5 minutes and the load at +5 minutes, each less the current value v and divided by the
//! node's own scale s; all nodes share the weights. The regression learns as it goes: each row whose 5 minutes have passed is
//! added to the sums, and at 500 rows, then each time they have grown by a quarter, the weights are solved anew. So a forecast knows only what came before it,
//! and [`Linear::freeze`] ends the learning. p90 is p50 plus the 0.9 quantile of the errors that its forecasts made so far, in units of s.

use crate::Resource;
use crate::features::{Features, INPUTS};
use crate::load::{PATH_MINUTES, Quantiles, ResourceForecast, Sample, round};
use crate::outcome::Outcome;

use super::Baselines;
use super::solve::Normal;

/// The inputs and the intercept.
const WIDTH: usize = INPUTS + 1;
/// Rows before the first fit.
const FIRST_FIT: u64 = 500;
/// Errors are told apart in steps of this many units of s, from [`LOWEST`] on.
const STEP: f32 = 0.02;
const LOWEST: f32 = -10.0;
const BINS: usize = 2_000;
/// Targets are held within this many units of s: a load that begins at rest must not outweigh all others.
const FARTHEST: f32 = 30.0;

/// What the regression sees of one resource of one node at one report.
#[derive(Debug, Clone, Copy)]
pub struct Row(pub(super) Features);

/// The regression of both resources; learns from rows and their outcomes.
#[derive(Debug, Clone)]
pub struct Linear {
    resources: [Fit; 2],
    frozen: bool,
}

#[derive(Debug, Clone)]
struct Fit {
    sums: Normal<WIDTH, 2>,
    weights: Option<[[f64; WIDTH]; 2]>,
    next_fit: u64,
    errors: Vec<f32>,
    upper: f32,
}

impl Default for Linear {
    fn default() -> Self {
        Self::new()
    }
}

impl Linear {
    /// A regression that has learned nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { resources: [Fit::new(), Fit::new()], frozen: false }
    }

    /// A frozen regression fitted on the reports of some nodes, each in order of event time. Only outcomes within them count.
    #[must_use]
    pub fn fitted(nodes: &[&[Sample]]) -> Self {
        let mut linear = Self::new();
        let mut simple = vec![Baselines::new(); nodes.len()];
        let longest = nodes.iter().map(|samples| samples.len()).max().unwrap_or(0);
        for at in 0..longest {
            for (samples, node) in nodes.iter().zip(&mut simple).filter(|(samples, _)| at < samples.len()) {
                node.observe(&samples[at]);
                for resource in Resource::ALL {
                    let row = node.row(resource);
                    if let Some((row, outcome)) = row.zip(Outcome::of(samples, at, resource)) {
                        linear.learn(resource, &row, &outcome);
                    }
                }
            }
        }
        linear.freeze();
        linear
    }

    /// Learns that `outcome` followed on `row`; nothing once it is frozen.
    pub fn learn(&mut self, resource: Resource, row: &Row, outcome: &Outcome) {
        if !self.frozen {
            self.resources[resource as usize].learn(&row.0, outcome);
        }
    }

    /// Fits once more on all rows and ends the learning.
    pub fn freeze(&mut self) {
        if !self.frozen {
            self.resources.iter_mut().filter(|fit| fit.sums.rows >= FIRST_FIT).for_each(Fit::fit);
            self.frozen = true;
        }
    }

    /// Rows learned from.
    #[must_use]
    pub fn rows(&self, resource: Resource) -> u64 {
        self.resources[resource as usize].sums.rows
    }

    /// The forecast; `None` before 500 rows were learned. The path leads straight from the current load to the one at +5 minutes.
    #[must_use]
    pub fn forecast(&self, resource: Resource, row: &Row) -> Option<ResourceForecast> {
        let fit = &self.resources[resource as usize];
        let Features { value, scale, .. } = row.0;
        let [peak, at_5m] = fit.predict(&row.0)?;
        let fraction = |points: f32| round(points.clamp(0.0, 1e5) / 100.0);
        let p50 = fraction(value + scale * peak);
        let share = |minute: usize| (minute + 1) as f32 / PATH_MINUTES as f32;
        Some(ResourceForecast {
            current: fraction(value),
            path: std::array::from_fn(|minute| fraction(value + scale * at_5m * share(minute))),
            peak: Quantiles { p50, p90: fraction(value + scale * (peak + fit.upper)).max(p50) },
        })
    }
}

impl Fit {
    fn new() -> Self {
        Self { sums: Normal::new(), weights: None, next_fit: FIRST_FIT, errors: vec![0.0; BINS], upper: 0.0 }
    }

    fn predict(&self, features: &Features) -> Option<[f32; 2]> {
        let weights = self.weights.as_ref()?;
        let inputs = inputs(features);
        let dot = |weights: &[f64; WIDTH]| -> f64 { inputs.iter().zip(weights).map(|(x, w)| f64::from(*x) * w).sum() };
        Some([dot(&weights[0]) as f32, dot(&weights[1]) as f32])
    }

    fn learn(&mut self, features: &Features, outcome: &Outcome) {
        let target = |load: f32| ((load * 100.0 - features.value) / features.scale).clamp(-FARTHEST, FARTHEST);
        let peak = target(outcome.peak);
        let Some(at_5m) = outcome.at_5m.map(target) else { return };
        if let Some([predicted, _]) = self.predict(features) {
            let bin = ((peak - predicted - LOWEST) / STEP).clamp(0.0, (BINS - 1) as f32) as usize;
            self.errors[bin] += 1.0;
        }
        self.sums.add(&inputs(features), [peak, at_5m]);
        if self.sums.rows >= self.next_fit {
            self.fit();
            self.next_fit = self.sums.rows + self.sums.rows / 4;
        }
    }

    /// Solves for the weights; the errors of the weights before fade to a half.
    fn fit(&mut self) {
        self.weights = self.sums.solve().or(self.weights);
        self.upper = quantile_90(&self.errors);
        self.errors.iter_mut().for_each(|count| *count *= 0.5);
    }
}

fn inputs(features: &Features) -> [f32; WIDTH] {
    let mut inputs = [1.0; WIDTH];
    inputs[1..].copy_from_slice(&features.inputs);
    inputs
}

/// The upper edge of the bin that holds the 0.9 quantile; 0 without errors.
fn quantile_90(errors: &[f32]) -> f32 {
    let total: f32 = errors.iter().sum();
    let mut below = 0.0;
    for (bin, count) in errors.iter().enumerate() {
        below += count;
        if total > 0.0 && below >= 0.9 * total {
            return LOWEST + STEP * (bin + 1) as f32;
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(minute: i64, cpu: f32) -> Sample {
        Sample { timestamp_ms: minute * 60_000, interval_ms: 60_000, cpu: Some(cpu), memory: None }
    }

    #[test]
    fn a_saw_tooth_is_learned_and_persistence_is_beaten() {
        // Rises by a point a minute for 20 minutes, then falls back: the peak ahead is 5 points above, or the top.
        let load = |minute: i64| 0.3 + 0.01 * (minute % 20) as f32;
        let peak = |minute: i64| (1..=5).map(|ahead| load(minute + ahead)).fold(0.0, f32::max);
        let (mut node, mut linear) = (Baselines::new(), Linear::new());
        let (mut own, mut simple) = (0.0, 0.0);
        for minute in 0..3_000 {
            node.observe(&sample(minute, load(minute)));
            let Some(row) = node.row(Resource::Cpu) else { continue };
            let forecasts = node.forecasts(Resource::Cpu, Some(&row), &linear);
            if minute > 2_000 {
                own += (forecasts[3].peak.p50 - peak(minute)).abs();
                simple += (forecasts[1].peak.p50 - peak(minute)).abs();
            }
            let outcome = Outcome { peak: peak(minute), at_5m: Some(load(minute + 5)) };
            linear.learn(Resource::Cpu, &row, &outcome);
        }
        assert!(own < 0.2 * simple, "{own} is not far below {simple}");
        let rows = linear.rows(Resource::Cpu);
        linear.freeze();
        let row = node.row(Resource::Cpu).unwrap();
        linear.learn(Resource::Cpu, &row, &Outcome { peak: 9.0, at_5m: Some(9.0) });
        assert_eq!(linear.rows(Resource::Cpu), rows, "frozen");
    }

    #[test]
    fn a_constant_load_is_forecast_as_it_is() {
        let (mut node, mut linear) = (Baselines::new(), Linear::new());
        for minute in 0..2_000 {
            node.observe(&sample(minute, 0.4));
            if let Some(row) = node.row(Resource::Cpu) {
                linear.learn(Resource::Cpu, &row, &Outcome { peak: 0.4, at_5m: Some(0.4) });
            }
        }
        let forecast = linear.forecast(Resource::Cpu, &node.row(Resource::Cpu).unwrap()).unwrap();
        assert!((forecast.peak.p50 - 0.4).abs() < 1e-3 && forecast.peak.p90 < 0.42, "{forecast:?}");
    }
}
