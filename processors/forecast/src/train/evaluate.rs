//! Scores a model on the held-out rows, through the production path.
//!
//! Every series runs through [`Model::predict`] from its first report on, by a model that is never demoted; forecasts
//! answered as ready, in the held-out part, and with a measured horizon are held against what followed, beside the
//! baselines. The linear one is fitted on the learning part, outcomes included.

use std::collections::BTreeMap;

use super::report::Score;
use super::split::{Part, Split};
use crate::baseline::{self, Baselines, Linear};
use crate::load::{HORIZON_MS, PATH_MINUTES, Prediction, Resource, ResourceForecast, Series, Status};
use crate::model::Model;
use crate::outcome::Outcome;
use crate::state::NodeState;

/// Series that run through the model together.
const TOGETHER: usize = 16;

#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    rows: usize,
    below_rows: usize,
    absolute: f64,
    pinball_90: f64,
    at_5m: f64,
    at_5m_rows: usize,
}

type Key = (String, &'static str, Resource, usize);

/// The scores of the model and the baselines on each file's held-out parts.
pub(crate) fn scores(model: &Model, data: &[Series], split: &Split) -> Vec<Score> {
    let model = &model.clone().without_demotion();
    let series: Vec<(&Series, Part)> = data.iter().zip(split.parts.iter().copied()).collect();
    let mut scoring = Scoring { model, linear: fit(&series), sums: BTreeMap::new() };
    for group in series.chunks(TOGETHER) {
        scoring.run(group);
    }
    scoring.sums.into_iter().map(|(key, sums)| score(key, &sums)).collect()
}

/// The linear regression on what the model could learn from.
fn fit(series: &[(&Series, Part)]) -> Linear {
    let learning = series.iter().filter_map(|(series, part)| match part {
        Part::LaterFrom(from) => {
            let end = series.samples.partition_point(|sample| sample.timestamp_ms < from.saturating_sub(HORIZON_MS));
            Some(&series.samples[..end])
        }
        Part::Unseen => None,
    });
    Linear::fitted(&learning.collect::<Vec<_>>())
}

struct Scoring<'a> {
    model: &'a Model,
    linear: Linear,
    sums: BTreeMap<Key, Sums>,
}

impl Scoring<'_> {
    fn run(&mut self, group: &[(&Series, Part)]) {
        let mut states = vec![NodeState::new(); group.len()];
        let mut baselines = vec![Baselines::new(); group.len()];
        let longest = group.iter().map(|(series, _)| series.samples.len()).max().unwrap_or(0);
        for at in 0..longest {
            let (mut rows, mut sources) = (Vec::new(), Vec::new());
            for ((state, simple), (series, part)) in states.iter_mut().zip(&mut baselines).zip(group) {
                let Some(sample) = series.samples.get(at) else { continue };
                simple.observe(sample);
                rows.push((state, *sample));
                sources.push((*series, *part, &*simple));
            }
            let predictions = self.model.predict(&mut rows);
            for (prediction, (series, part, simple)) in predictions.iter().zip(sources) {
                let held_out = match part {
                    Part::Unseen => "unseen",
                    Part::LaterFrom(from) if series.samples[at].timestamp_ms >= from => "later",
                    Part::LaterFrom(_) => continue,
                };
                if prediction.status == Status::Ready {
                    self.add(series, at, held_out, prediction, simple);
                }
            }
        }
    }

    fn add(&mut self, series: &Series, at: usize, held_out: &'static str, model: &Prediction, simple: &Baselines) {
        for resource in Resource::ALL {
            let Some(outcome) = Outcome::of(&series.samples, at, resource) else {
                continue;
            };
            let model = match resource {
                Resource::Cpu => model.cpu,
                Resource::Memory => model.memory,
            };
            let others = simple.forecasts(resource, simple.row(resource).as_ref(), &self.linear);
            for (index, forecast) in std::iter::once(model).chain(others).enumerate() {
                let key = (series.source.clone(), held_out, resource, index);
                self.sums.entry(key).or_default().add(&forecast, &outcome);
            }
        }
    }
}

impl Sums {
    fn add(&mut self, forecast: &ResourceForecast, outcome: &Outcome) {
        let points = |from: f32, to: f32| f64::from(to - from) * 100.0;
        self.rows += 1;
        self.absolute += points(forecast.peak.p50, outcome.peak).abs();
        let miss = points(forecast.peak.p90, outcome.peak);
        self.pinball_90 += (0.9 * miss).max(-0.1 * miss);
        self.below_rows += usize::from(miss <= 0.0);
        if let Some(load) = outcome.at_5m {
            self.at_5m += points(forecast.path[PATH_MINUTES - 1], load).abs();
            self.at_5m_rows += 1;
        }
    }
}

fn score((source, part, resource, forecaster): Key, sums: &Sums) -> Score {
    let mean = |sum: f64, rows: usize| {
        let mean = if rows > 0 { sum / rows as f64 } else { 0.0 };
        (mean * 1e4).round() / 1e4
    };
    Score {
        source,
        part: part.to_owned(),
        resource,
        forecaster: forecaster.checked_sub(1).map_or("model", |index| baseline::NAMES[index]).to_owned(),
        rows: sums.rows,
        peak_mae: mean(sums.absolute, sums.rows),
        pinball_q50: mean(sums.absolute * 0.5, sums.rows),
        pinball_q90: mean(sums.pinball_90, sums.rows),
        coverage_q90: mean(sums.below_rows as f64, sums.rows),
        at_5m_mae: mean(sums.at_5m, sums.at_5m_rows),
    }
}
