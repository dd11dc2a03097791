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
mod basis;
mod cluster;
mod evaluate;
mod kind;
mod module;
mod optimise;
mod options;
mod report;
mod residuals;
mod segment;
mod sequence;
mod simulate;
mod split;
mod validation;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

pub use options::{TimeBudget, TrainOptions, TrainProgress};
pub use report::{Dropped, LossPoint, Score, TrainReport};
pub use split::default_hold_out;

use crate::artifact::{Artifact, FORMAT};
use crate::card::{Card, DataCard};
use crate::ensemble::member_name;
use crate::error::ForecastError;
use crate::features::INPUTS;
use crate::load::{Resource, Series};
use crate::model::Model;
use crate::tensors::Tensors;
use kind::kind;
use optimise::{Outcome, Run, optimise};
use segment::Segment;
use sequence::Sampler;
use split::Split;

/// Trains a model on recorded load.
///
/// The resources are trained side by side, each on a thread of its own; how they take turns changes nothing in the result.
/// `progress` is called after every step of either; returning `false` ends the training with [`ForecastError::Cancelled`].
/// Memory is left out of the model if the data has too little of it; CPU must be there.
///
/// # Errors
/// [`ForecastError::UnfitData`] for data that is too short, constant or without a usable value,
/// [`ForecastError::Option`] for an option out of range, [`ForecastError::Diverged`], [`ForecastError::Cancelled`].
pub fn train(
    data: &[Series],
    options: &TrainOptions,
    progress: &mut (dyn FnMut(TrainProgress) -> bool + Send),
) -> Result<(Artifact, TrainReport), ForecastError> {
    options.check()?;
    let mut split = Split::new(data, options)?;
    let mut tensors = Tensors::default();
    let (mut hidden, mut kept) = (BTreeMap::new(), BTreeMap::new());
    let mut losses = Vec::new();
    let mut steps = 0_usize;
    let resources = split.fit_resources()?;
    for (resource, outcomes) in side_by_side(&resources, &split, options, progress)? {
        hidden.insert(resource, options.hidden);
        for (member, outcome) in outcomes.into_iter().enumerate() {
            let name = member_name(resource, member, options.members);
            outcome.weights.store(&name, &mut tensors);
            losses.extend(outcome.losses);
            steps = steps.max(outcome.steps);
            kept.insert(name, outcome.kept);
        }
    }
    let mut card = Card {
        format: FORMAT.to_owned(),
        name: options.name.clone(),
        command: options.command.clone(),
        seed: options.seed,
        steps,
        kept,
        intervals_ms: split.intervals(options),
        inputs: INPUTS,
        hidden,
        members: options.members,
        data: split.card(data, options),
        scores: Vec::new(),
        residuals: BTreeMap::new(),
    };
    let networks = Model::from_artifact(&Artifact::new(card.clone(), tensors.clone())?)?;
    basis::add_bases(&networks, options.members, data, &split, &mut tensors)?;
    let model = Model::from_artifact(&Artifact::new(card.clone(), tensors.clone())?)?;
    card.residuals = residuals::residuals(&model, data, &split);
    card.scores = evaluate::scores(&model, data, &split);
    let report = report(&card, losses);
    Ok((Artifact::new(card, tensors)?, report))
}

/// Trains each resource on its own thread.
fn side_by_side(
    resources: &[Resource],
    split: &Split,
    options: &TrainOptions,
    progress: &mut (dyn FnMut(TrainProgress) -> bool + Send),
) -> Result<Vec<(Resource, Vec<Outcome>)>, ForecastError> {
    let watch = Mutex::new((progress, BTreeMap::<Resource, f32>::new()));
    // The fraction that is shown is that of the whole.
    let tell = |mut at: TrainProgress| {
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        let (progress, fractions) = &mut *watch;
        fractions.insert(at.resource, at.fraction);
        at.fraction = fractions.values().sum::<f32>() / resources.len() as f32;
        progress(at)
    };
    std::thread::scope(|scope| {
        let start = |resource: Resource| {
            let tell = &tell;
            (resource, scope.spawn(move || one_resource(resource, split, options, tell)))
        };
        let threads: Vec<_> = resources.iter().copied().map(start).collect();
        let join = |(resource, thread): (Resource, std::thread::ScopedJoinHandle<'_, _>)| match thread.join() {
            Ok(outcome) => Result::<Vec<Outcome>, ForecastError>::map(outcome, |outcome| (resource, outcome)),
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().map(join).collect()
    })
}

/// Trains the networks of a resource one after the other, each of its own [`kind`] and from a stream of its own. A first run finds out how many steps
/// are good, by the validation part. One network alone is what that run kept; several learn from that part too, for so many steps.
fn one_resource(
    resource: Resource,
    split: &Split,
    options: &TrainOptions,
    progress: &dyn Fn(TrainProgress) -> bool,
) -> Result<Vec<Outcome>, ForecastError> {
    let validation = Some(split.validation(resource)).filter(|part| !part.is_empty()).map(Sampler::plain);
    let is_validated = validation.is_some();
    let turns = options.members + usize::from(is_validated && options.members > 1);
    let train = |turn: usize, member: usize, steps: usize, recorded: &[Segment], validation: Option<Sampler>| {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream((member * Resource::ALL.len() + resource as usize) as u64);
        let sampler = Sampler::new(recorded, resource, options, &mut rng);
        let kind = kind(member);
        optimise(&Run { resource, turn, turns, member, kind, steps, options, sampler, validation }, &mut rng, progress)
    };
    let first = train(0, 0, options.steps, split.training(resource), validation)?;
    if options.members == 1 {
        return Ok(vec![first]);
    }
    let again = |turn: usize, member: usize| train(turn, member, first.kept, split.learning(resource), None);
    let mut outcomes = Vec::with_capacity(options.members);
    for member in 1..options.members {
        outcomes.push(again(member, member)?);
    }
    // Without a validation part it has learned from all already. What is shown of it is the run that was validated.
    let first = if is_validated {
        Outcome { losses: first.losses, steps: first.steps, ..again(options.members, 0)? }
    } else {
        first
    };
    outcomes.insert(0, first);
    Ok(outcomes)
}

fn report(card: &Card, losses: Vec<LossPoint>) -> TrainReport {
    let DataCard { files, held_out_nodes, dropped, .. } = card.data.clone();
    TrainReport {
        files,
        held_out_nodes,
        dropped,
        steps: card.steps,
        kept: card.kept.clone(),
        losses,
        scores: card.scores.clone(),
    }
}
