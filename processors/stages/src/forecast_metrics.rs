//! What `/metrics` tells of forecasts: how far off the model's peaks were, beside those of the simple baseline.
//!
//! ```text
//! report ─> outcomes of earlier forecasts become known (tidegate-forecast, known.rs) ─> noted ─> its forecast is published ─> counted
//! ```
//!
//! Counted as forecasts are published, so each once, whatever is followed or rebuilt beside.

use std::collections::HashMap;

use prometheus::{CounterVec, IntCounterVec, Opts};

use tidegate_broker::Registry;
use tidegate_forecast::WindowScore;
use tidegate_schemas::records::LoadReport;

const RESOURCES: [&str; 2] = ["cpu", "memory"];
/// Errors are summed up in points, hundredths of the base quota.
const POINT: f64 = 0.01;

/// The counters, and what the batch in progress made known.
#[derive(Debug)]
pub struct ForecastErrors {
    errors: CounterVec,
    outcomes: IntCounterVec,
    /// By node and sequence of the report.
    noted: HashMap<(String, i64), [WindowScore; 2]>,
}

impl ForecastErrors {
    /// Registers the counters.
    ///
    /// # Errors
    /// Where the registry already has them.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let errors = Opts::new(
            "tidegate_forecast_peak_errors_total",
            "Sum of the absolute errors of the forecast peak (p50) of the next 5 minutes, in base quotas, by resource and forecaster: \
             the model, also where it is demoted, and the baseline, the peak of the last 5 minutes.",
        );
        let outcomes = Opts::new(
            "tidegate_forecast_outcomes_total",
            "Forecasts whose outcome is known, one a minute and node, by resource.",
        );
        let metrics = Self {
            errors: CounterVec::new(errors, &["resource", "forecaster"])?,
            outcomes: IntCounterVec::new(outcomes, &["resource"])?,
            noted: HashMap::new(),
        };
        for resource in RESOURCES {
            metrics.outcomes.with_label_values(&[resource]);
            for forecaster in ["model", "baseline"] {
                metrics.errors.with_label_values(&[resource, forecaster]);
            }
        }
        registry.register(Box::new(metrics.errors.clone()))?;
        registry.register(Box::new(metrics.outcomes.clone()))?;
        Ok(metrics)
    }

    /// A batch begins: what is noted of the last one and was not published is nobody's.
    pub(crate) fn begin(&mut self) {
        self.noted.clear();
    }

    /// A report made this known.
    pub(crate) fn note(&mut self, report: &LoadReport, known: [WindowScore; 2]) {
        if known.iter().any(|score| score.outcomes > 0) {
            self.noted.insert((report.node_id.clone(), report.sequence), known);
        }
    }

    /// The report's forecast was published.
    pub(crate) fn published(&self, report: &LoadReport) {
        // Without outcomes, as in most batches, no key is made.
        if self.noted.is_empty() {
            return;
        }
        let Some(known) = self.noted.get(&(report.node_id.clone(), report.sequence)) else { return };
        for (resource, score) in RESOURCES.into_iter().zip(known) {
            let add = |forecaster: &str, points: f32| {
                let error = POINT * f64::from(points).max(0.0);
                self.errors.with_label_values(&[resource, forecaster]).inc_by(error);
            };
            add("model", score.model);
            add("baseline", score.baseline);
            self.outcomes.with_label_values(&[resource]).inc_by(score.outcomes.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_known_counts_once_its_forecast_is_published() {
        let mut metrics = ForecastErrors::register(&Registry::new()).unwrap();
        let report = |sequence| LoadReport { sequence, ..LoadReport::new("n", 0, 10_000, 1000.0) };
        let known = [WindowScore { model: 3.0, baseline: 5.0, outcomes: 2 }, WindowScore::default()];
        metrics.note(&report(1), known);
        metrics.note(&report(2), known);
        metrics.published(&report(1));
        metrics.published(&report(3));
        metrics.begin();
        metrics.published(&report(2));
        let error = |resource, forecaster| metrics.errors.with_label_values(&[resource, forecaster]).get();
        assert_eq!((error("cpu", "model"), error("cpu", "baseline"), error("memory", "model")), (0.03, 0.05, 0.0));
        assert_eq!(metrics.outcomes.with_label_values(&["cpu"]).get(), 2);
    }
}
