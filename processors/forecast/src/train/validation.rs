//! Early stopping: the averaged weights are held against the validation part, and the best ones kept.
//!
//! The same sequences are measured each time, with the loss of training. Training ends when a third of its planned steps (300 at least)
//! brought nothing better (Prechelt 1998).

use burn::tensor::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::kind::Kind;
use super::module::{Forecaster, Targets, loss};
use super::optimise::{Run, Weights, batch};
use super::sequence::Sampler;

/// Sequences that are measured.
const SEQUENCES: usize = 96;
/// Least number of steps without progress that ends the training.
const PATIENCE: usize = 300;
/// Stream of the seed that draws the sequences; training draws from others.
const STREAM: u64 = 1_000;

/// The validation sequences, and the best weights so far.
pub(crate) struct Validation {
    device: Device,
    kind: Kind,
    inputs: Vec<Tensor<2>>,
    targets: Targets,
    pub(crate) best: Option<Best>,
}

/// The best weights so far.
pub(crate) struct Best {
    loss: f32,
    pub(crate) step: usize,
    pub(crate) values: [Vec<f32>; 8],
}

impl Validation {
    pub(crate) fn new(sampler: &Sampler, weights: &Weights, run: &Run<'_>) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(run.options.seed);
        rng.set_stream(STREAM);
        let device = Device::flex();
        let (inputs, targets) = batch(sampler, weights, SEQUENCES, &mut rng, &device);
        Self { device, kind: run.kind, inputs, targets, best: None }
    }

    /// The loss of these weights, which are kept if it is the least.
    pub(crate) fn measure(&mut self, weights: &Weights, step: usize) -> f32 {
        let module = Forecaster::from_values(weights.hidden, &weights.values, &self.device);
        let loss = loss(module.forward(&self.inputs), self.targets.clone(), self.kind).into_scalar::<f32>();
        if self.best.as_ref().is_none_or(|best| loss < best.loss) {
            self.best = Some(Best { loss, step, values: weights.values.clone() });
        }
        loss
    }

    /// Whether nothing better came for so long that the training may end.
    pub(crate) fn is_over(&self, step: usize, steps: usize) -> bool {
        self.best.as_ref().is_some_and(|best| step - best.step >= PATIENCE.max(steps / 3))
    }
}
