//! Training: recorded series in, an artifact and its scores out.
//!
//! ```text
//! series ─► split by time and node ─► sequences (augmented, simulated) ─► steps of AdamW ─► averaged weights
//!        └─► held-out rows ─────────────────────► Model::predict ─► scores beside the baselines ─► Artifact
//! ```
//!
//! Everything random comes from one seed: the same series, options and host give a byte-identical artifact. A
//! [`TimeBudget`] that binds lowers the number of steps, and then how fast the host is counts too.

mod augment;
mod evaluate;
mod module;
mod optimise;
mod options;
mod report;
mod residuals;
mod segment;
mod sequence;
mod simulate;
mod split;

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use options::{TimeBudget, TrainOptions, TrainProgress};
pub use report::{Dropped, LossPoint, Score, TrainReport};

use crate::artifact::{Artifact, FORMAT};
use crate::card::{Card, DataCard};
use crate::error::ForecastError;
use crate::features::INPUTS;
use crate::load::Series;
use crate::model::Model;
use crate::tensors::Tensors;
use optimise::{Run, optimise};
use sequence::Sampler;
use split::Split;

/// Trains a model on recorded load.
///
/// `progress` is called after every step; returning `false` ends the training with [`ForecastError::Cancelled`].
/// Memory is left out of the model if the data has too little of it; CPU must be there.
///
/// # Errors
/// [`ForecastError::UnfitData`] for data that is too short, constant or without a usable value,
/// [`ForecastError::Option`] for an option out of range, [`ForecastError::Diverged`], [`ForecastError::Cancelled`].
pub fn train(
    data: &[Series],
    options: &TrainOptions,
    progress: &mut dyn FnMut(TrainProgress) -> bool,
) -> Result<(Artifact, TrainReport), ForecastError> {
    options.check()?;
    let mut split = Split::new(data, options)?;
    let mut tensors = Tensors::default();
    let mut hidden = BTreeMap::new();
    let mut losses = Vec::new();
    let mut steps = 0_usize;
    let resources = split.fit_resources()?;
    for (index, resource) in resources.iter().copied().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(resource as u64);
        let sampler = Sampler::new(split.training(resource), resource, options, &mut rng);
        let run = Run { resource, index, of: resources.len(), options };
        let outcome = optimise(&run, &sampler, &mut rng, progress)?;
        outcome.weights.store(resource, &mut tensors);
        losses.extend(outcome.losses);
        steps = steps.max(outcome.steps);
        hidden.insert(resource, options.hidden);
    }
    let mut card = Card {
        format: FORMAT.to_owned(),
        name: options.name.clone(),
        command: options.command.clone(),
        seed: options.seed,
        steps,
        intervals_ms: split.intervals(options),
        inputs: INPUTS,
        hidden,
        data: split.card(data, options),
        scores: Vec::new(),
        residuals: BTreeMap::new(),
    };
    let model = Model::from_artifact(&Artifact::new(card.clone(), tensors.clone())?)?;
    card.residuals = residuals::residuals(&model, data, &split);
    card.scores = evaluate::scores(&model, data, &split);
    let report = report(&card, losses);
    Ok((Artifact::new(card, tensors)?, report))
}

fn report(card: &Card, losses: Vec<LossPoint>) -> TrainReport {
    let DataCard { files, held_out_nodes, dropped, .. } = card.data.clone();
    TrainReport { files, held_out_nodes, dropped, steps: card.steps, losses, scores: card.scores.clone() }
}
