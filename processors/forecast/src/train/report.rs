//! What training reports: its data, its loss, and its scores beside the baselines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::card::FileCard;
use crate::load::Resource;

/// What a training run learned from, and how good the result is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainReport {
    /// The files that it learned from.
    pub files: Vec<FileCard>,
    /// Nodes of which nothing was learned.
    pub held_out_nodes: Vec<String>,
    /// What could not be used, and why.
    pub dropped: Vec<Dropped>,
    /// Steps taken for each resource; the larger number where a time budget cut one shorter.
    pub steps: usize,
    /// The step whose averaged weights were kept, by network: `cpu`, or `cpu.0`, `cpu.1` … where a resource has several.
    pub kept: BTreeMap<String, usize>,
    /// How the loss fell.
    pub losses: Vec<LossPoint>,
    /// The table at the end: rows that were not learned from, forecast through [`crate::Model::predict`].
    pub scores: Vec<Score>,
}

/// A part of the data that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// The file.
    pub source: String,
    /// The node.
    pub node_id: String,
    /// What was dropped and why, in a sentence.
    pub why: String,
    /// Reports concerned.
    pub samples: usize,
}

/// A point of the loss curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LossPoint {
    /// The resource whose network is trained.
    pub resource: Resource,
    /// Which of the resource's networks, from 0.
    #[serde(default)]
    pub member: usize,
    /// Steps done.
    pub step: usize,
    /// Loss, averaged over about the last 20 steps.
    pub loss: f32,
    /// Loss of the averaged weights on the validation part, where there is one and it was measured at this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<f32>,
}

/// The errors of one forecaster on one held-out part of one file, in points (1 point = 0.01 of the base quota).
///
/// Only reports that the model answered as ready count, the same ones for every forecaster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The file.
    pub source: String,
    /// `later` (known nodes, time after the split) or `unseen` (nodes held out whole).
    pub part: String,
    /// The resource.
    pub resource: Resource,
    /// `model`, `persistence`, `max_last_5m`, `ewma` or `linear`.
    pub forecaster: String,
    /// Forecasts counted.
    pub rows: usize,
    /// Mean absolute error of the peak's median over the next 5 minutes.
    pub peak_mae: f64,
    /// Pinball loss of the peak at 0.5.
    pub pinball_q50: f64,
    /// Pinball loss of the peak at 0.9.
    pub pinball_q90: f64,
    /// Share of peaks at or below the 0.9 quantile.
    pub coverage_q90: f64,
    /// Mean absolute error of the path at +5 minutes.
    pub at_5m_mae: f64,
}
