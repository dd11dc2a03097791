//! Scores a model on the held-out rows, through the production path.
//!
//! Every series runs through [`Model::predict`] from its first report on, by a model that is never demoted; forecasts
//! answered as ready, in the held-out part, and with a measured horizon are held against what followed, beside both baselines.

use std::collections::BTreeMap;

use super::report::Score;
use super::split::{Part, Split};
use crate::baseline;
use crate::load::{HORIZON_MS, PATH_MINUTES, Resource, ResourceForecast, Sample, Series, Status};
use crate::model::Model;
use crate::state::{MINUTE_MS, NodeState};

/// Series that run through the model together.
const TOGETHER: usize = 16;
const FORECASTERS: [&str; 3] = ["model", "persistence", "max_last_5m"];

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
    let mut sums: BTreeMap<Key, Sums> = BTreeMap::new();
    let series: Vec<(&Series, Part)> = data.iter().zip(split.parts.iter().copied()).collect();
    for group in series.chunks(TOGETHER) {
        run_group(model, group, &mut sums);
    }
    sums.into_iter().map(|(key, sums)| score(key, &sums)).collect()
}

fn run_group(model: &Model, group: &[(&Series, Part)], sums: &mut BTreeMap<Key, Sums>) {
    let mut states = vec![NodeState::new(); group.len()];
    let longest = group.iter().map(|(series, _)| series.samples.len()).max().unwrap_or(0);
    for at in 0..longest {
        let due = states.iter_mut().zip(group).filter_map(|(state, (series, part))| {
            series.samples.get(at).map(|sample| (state, *sample, *series, *part))
        });
        let (mut rows, mut sources) = (Vec::new(), Vec::new());
        for (state, sample, series, part) in due {
            rows.push((state, sample));
            sources.push((series, part));
        }
        let predictions = model.predict(&mut rows);
        for (((state, sample), prediction), (series, part)) in rows.iter().zip(predictions).zip(sources) {
            let held_out = match part {
                Part::Unseen => "unseen",
                Part::LaterFrom(from) if sample.timestamp_ms >= from => "later",
                Part::LaterFrom(_) => continue,
            };
            if prediction.status != Status::Ready {
                continue;
            }
            for resource in Resource::ALL {
                let Some(outcome) = Outcome::of(&series.samples, at, resource) else {
                    continue;
                };
                let model = match resource {
                    Resource::Cpu => prediction.cpu,
                    Resource::Memory => prediction.memory,
                };
                let persistence = baseline::persistence(state, resource);
                let last_peak = baseline::peak_of_last_5_minutes(state, resource);
                for (index, forecast) in [model, persistence, last_peak].iter().enumerate() {
                    let key = (series.source.clone(), held_out, resource, index);
                    sums.entry(key).or_default().add(forecast, &outcome);
                }
            }
        }
    }
}

/// What was measured after a report, as fractions.
struct Outcome {
    peak: f32,
    at_5m: Option<f32>,
}

impl Outcome {
    /// `None` without a measurement then, or with less than half of the horizon measured.
    fn of(samples: &[Sample], at: usize, resource: Resource) -> Option<Self> {
        let now = samples.get(at)?;
        resource.of(now)?;
        let end = now.timestamp_ms.saturating_add(HORIZON_MS);
        let ahead = samples[at + 1..].iter().take_while(|sample| sample.timestamp_ms <= end);
        let last_minute = end - HORIZON_MS / PATH_MINUTES as i64;
        let (mut peak, mut at_5m, mut measured) = (f32::NEG_INFINITY, None, 0);
        for sample in ahead {
            if let Some(load) = resource.of(sample) {
                peak = peak.max(load);
                measured += 1;
                if sample.timestamp_ms > last_minute {
                    at_5m = Some(load);
                }
            }
        }
        let expected = (HORIZON_MS / now.interval_ms.max(1)).max(1);
        let known = samples.last().is_some_and(|last| last.timestamp_ms >= end - MINUTE_MS);
        (known && measured > 0 && 2 * measured >= expected).then_some(Self { peak, at_5m })
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
        forecaster: FORECASTERS[forecaster].to_owned(),
        rows: sums.rows,
        peak_mae: mean(sums.absolute, sums.rows),
        pinball_q50: mean(sums.absolute * 0.5, sums.rows),
        pinball_q90: mean(sums.pinball_90, sums.rows),
        coverage_q90: mean(sums.below_rows as f64, sums.rows),
        at_5m_mae: mean(sums.at_5m, sums.at_5m_rows),
    }
}
