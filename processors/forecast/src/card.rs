//! The card of a model: what it is, what it learned from, and how good it was on what it had not seen.
//!
//! Training fills it in, the artifact carries it as JSON, and whoever loads a model may show it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::load::Resource;
use crate::residuals::Residuals;
use crate::train::{Dropped, Score};

/// What a model is and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Format of the file, `tidegate.model.v1`.
    pub format: String,
    /// The model's name, e.g. `tide-1`.
    pub name: String,
    /// The command line that trained it.
    pub command: String,
    /// Seed of everything random in training.
    pub seed: u64,
    /// Training steps taken for each network; the larger number where a time budget cut one shorter.
    pub steps: usize,
    /// The step whose averaged weights were kept, by network: `cpu`, or `cpu.0`, `cpu.1` … where a resource has several; empty in
    /// older files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept: BTreeMap<String, usize>,
    /// Report intervals that it has learned from, simulated nodes included, in milliseconds.
    pub intervals_ms: Vec<i64>,
    /// Inputs of the networks.
    pub inputs: usize,
    /// Size of the LSTM's state, by resource; a resource without an entry is left to the baseline.
    pub hidden: BTreeMap<Resource, usize>,
    /// Networks a resource, 1 to 4, whose outputs are averaged; 1 in older files.
    #[serde(default = "one")]
    pub members: usize,
    /// What it has learned from.
    pub data: DataCard,
    /// How good it was on data that it had not seen, beside the baselines.
    pub scores: Vec<Score>,
    /// How far measurements lay from the forecast p90 in the part that was learned from, by resource; empty in older files.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub residuals: BTreeMap<Resource, Residuals>,
}

fn one() -> usize {
    1
}

/// The training data.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct DataCard {
    /// The files.
    pub files: Vec<FileCard>,
    /// SHA-256 of all samples of all series, in hexadecimal.
    pub sha256: String,
    /// Nodes of which nothing was learned.
    pub held_out_nodes: Vec<String>,
    /// Share of each file's span that was learned from, from its beginning.
    pub train_share: f64,
    /// Simulated nodes that were learned from besides.
    pub simulated_nodes: usize,
    /// What could not be used, and why.
    pub dropped: Vec<Dropped>,
}

/// One file of training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileCard {
    /// Its name.
    pub source: String,
    /// Nodes in it.
    pub nodes: usize,
    /// Reports in it.
    pub samples: usize,
    /// First event time, Unix milliseconds.
    pub from_ms: i64,
    /// Last event time, Unix milliseconds.
    pub to_ms: i64,
}
