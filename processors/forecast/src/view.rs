//! What a person is told of one resource of a node: what the model saw, and how it stands beside the baseline.
//!
//! Read from the state as it is; nothing of it goes into a forecast.

use serde::Serialize;

use crate::Resource;
use crate::adapt::Correction;
use crate::baseline::{peak_of_last_5_minutes, persistence};
use crate::demotion::WindowScore;
use crate::features::Features;
use crate::history::{BARS, History};
use crate::load::Status;
use crate::state::{NodeState, Track};

/// Minutes over which the past is summed up: those of the model's features.
const SPANS: [usize; 4] = [5, 15, 60, 120];

/// One resource of a node; loads are fractions of the base quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResourceView {
    /// Who forecasts this resource.
    pub status: Status,
    /// Event time of the first report that is known of, Unix ms: the node's first, or the first after a gap.
    pub begun_ms: i64,
    /// Event time of the last report that measured it, Unix ms.
    pub measured_ms: i64,
    /// The load now.
    pub current: f64,
    /// What persistence gets wrong on this node over an hour: the unit of the model's inputs and outputs.
    pub scale: f64,
    /// The past, shortest stretch first.
    pub past: Vec<PastView>,
    /// The baseline's peak: that of the last 5 minutes.
    pub baseline_peak: f64,
    /// Persistence.
    pub persistence: f64,
    /// What the node's own past adds to what the networks say, before neither may fall below zero; `None` while it warms up, and with a
    /// model from before nodes corrected it.
    pub correction: Option<CorrectionView>,
    /// The last whole context windows by which the model is judged, oldest first.
    pub scores: Vec<ScoreView>,
}

/// What is added to the networks' quantiles of the peak; fractions of the base quota.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CorrectionView {
    /// To the median.
    pub peak_p50: f64,
    /// To the 0.9 quantile.
    pub peak_p90: f64,
}

/// A stretch of the past that ends now, from its minute bars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PastView {
    /// Its length.
    pub minutes: usize,
    /// Mean of the bars.
    pub mean: f64,
    /// Highest load.
    pub max: f64,
    /// Lowest mean of a minute.
    pub min: f64,
}

/// Mean absolute errors of the peak over one context window, in points (0.01 of the base quota).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScoreView {
    /// Event time of the window's begin, Unix ms.
    pub begun_ms: i64,
    /// Forecasts whose outcome is known; the window says nothing where they are fewer than 6.
    pub outcomes: u32,
    /// The model's; `None` without an outcome.
    pub model: Option<f64>,
    /// The baseline's.
    pub baseline: Option<f64>,
}

impl NodeState {
    /// What is known of a resource; `None` where it was not measured within a context window.
    #[must_use]
    pub fn view(&self, resource: Resource) -> Option<ResourceView> {
        let track = self.seen(resource)?;
        let features = Features::of(&track.history, track.interval_ms());
        let status = match (track.is_ready(), track.is_demoted()) {
            (false, _) => Status::Warming,
            (true, true) => Status::Demoted,
            (true, false) => Status::Ready,
        };
        Some(ResourceView {
            status,
            begun_ms: track.begun_ms(),
            measured_ms: track.measured_ms(),
            current: fraction(features.value),
            scale: fraction(features.scale),
            past: SPANS.map(|minutes| past(&track.history, minutes)).to_vec(),
            baseline_peak: rounded(peak_of_last_5_minutes(self, resource).peak.p50.into()),
            persistence: rounded(persistence(self, resource).peak.p50.into()),
            correction: track.adaptation.corrected().map(|Correction { median, spread }| CorrectionView {
                peak_p50: fraction(median),
                peak_p90: fraction(median + spread),
            }),
            scores: scores(track),
        })
    }
}

fn past(history: &History, minutes: usize) -> PastView {
    let (mean, max) = (&history.mean[BARS - minutes..], &history.max[BARS - minutes..]);
    let sum: f64 = mean.iter().map(|points| f64::from(*points)).sum();
    PastView {
        minutes,
        mean: rounded(sum / minutes as f64 / 100.0),
        max: fraction(max.iter().copied().fold(f32::MIN, f32::max)),
        min: fraction(mean.iter().copied().fold(f32::MAX, f32::min)),
    }
}

fn scores(track: &Track) -> Vec<ScoreView> {
    let view = |(begun_ms, score): (i64, WindowScore)| {
        let mean = |sum: f32| (score.outcomes > 0).then(|| rounded(f64::from(sum) / f64::from(score.outcomes)));
        let (model, baseline) = (mean(score.model), mean(score.baseline));
        ScoreView { begun_ms, outcomes: score.outcomes, model, baseline }
    };
    track.scores.dated_windows().into_iter().map(view).collect()
}

fn fraction(points: f32) -> f64 {
    rounded(f64::from(points) / 100.0)
}

fn rounded(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}
