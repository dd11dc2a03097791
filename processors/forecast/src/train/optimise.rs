//! The steps of training: a batch, a gradient, AdamW, and the average of the weights.
//!
//! AdamW (Loshchilov and Hutter 2019) at 3e-3 with 50 steps of warm-up and a cosine to 2 %, gradients clipped at norm 1 a
//! matrix, and an exponential average of the weights (0.99) as the result (Polyak and Juditsky 1992).

use burn::grad_clipping::GradientClippingConfig;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

use super::kind::Kind;
use super::module::{Forecaster, Targets, loss};
use super::options::{TrainOptions, TrainProgress};
use super::report::LossPoint;
use super::sequence::{STEPS, Sampler, Step};
use super::validation::Validation;
use crate::error::ForecastError;
use crate::features::{INPUTS, LEVEL};
use crate::load::{PATH_MINUTES, Resource};
use crate::network::shapes;
use crate::tensors::Tensors;

const RATE: f64 = 3e-3;
const WARM_UP: usize = 50;
const LAST_RATE: f64 = 0.02;
const KEEP: f32 = 0.99;
/// Steps at the start of a sequence that do not count.
const UNSCORED: usize = 10;
/// Sequences from which the inputs' scaling is taken.
const SCALING_SEQUENCES: usize = 256;
/// Steps after which a time budget is turned into a number of steps.
const PROBE_STEPS: usize = 20;
/// Steps between measurements on the validation part, a multiple of 25.
const CHECK_EVERY: usize = 50;

/// Which training this is, and how.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(crate) resource: Resource,
    /// How many of the resource's runs came before it, and how many there are.
    pub(crate) turn: usize,
    pub(crate) turns: usize,
    /// Which of the resource's networks.
    pub(crate) member: usize,
    /// What it is taught.
    pub(crate) kind: Kind,
    /// Most steps to take.
    pub(crate) steps: usize,
    pub(crate) options: &'a TrainOptions,
    pub(crate) sampler: Sampler,
    /// What tells when to stop; without it every step is taken.
    pub(crate) validation: Option<Sampler>,
}

/// Averaged weights and the scaling of the inputs.
#[derive(Debug)]
pub(crate) struct Weights {
    pub(crate) hidden: usize,
    mean: Vec<f32>,
    rate: Vec<f32>,
    pub(crate) values: [Vec<f32>; 8],
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) weights: Weights,
    pub(crate) losses: Vec<LossPoint>,
    pub(crate) steps: usize,
    /// The step whose averaged weights these are.
    pub(crate) kept: usize,
}

impl Weights {
    pub(crate) fn store(self, network: &str, tensors: &mut Tensors) {
        let all = [self.mean, self.rate].into_iter().chain(self.values);
        for ((name, shape), values) in shapes(self.hidden).into_iter().zip(all) {
            tensors.insert(&format!("{network}.{name}"), shape, values);
        }
    }

    fn average(&mut self, module: &Forecaster, step: usize) {
        let keep = KEEP.min((1 + step) as f32 / (10 + step) as f32);
        for (average, values) in self.values.iter_mut().zip(module.values()) {
            for (average, value) in average.iter_mut().zip(values) {
                *average = keep * *average + (1.0 - keep) * value;
            }
        }
    }
}

/// Trains one network.
pub(crate) fn optimise(
    run: &Run<'_>,
    rng: &mut ChaCha8Rng,
    progress: &dyn Fn(TrainProgress) -> bool,
) -> Result<Outcome, ForecastError> {
    let (options, sampler) = (run.options, &run.sampler);
    let device = Device::flex().autodiff();
    let mut module = Forecaster::new(options.hidden, &device, rng);
    let (mean, mut rate) = scaling(sampler, rng)?;
    if !run.kind.knows_level {
        rate[LEVEL] = 0.0;
    }
    let mut weights = Weights { hidden: options.hidden, mean, rate, values: module.values() };
    let mut check = run.validation.as_ref().map(|sampler| Validation::new(sampler, &weights, run));
    let mut adam = AdamWConfig::new()
        .with_epsilon(1e-8)
        .with_weight_decay(0.01)
        .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
        .init();
    let began = options.time_budget.as_ref().map(|budget| (budget.elapsed)());
    let (mut steps, mut step, mut shown) = (run.steps, 0, None);
    let mut losses = Vec::new();
    while step < steps {
        let (inputs, targets) = batch(sampler, &weights, options.batch, rng, &device);
        let error = loss(module.forward(&inputs), targets, run.kind);
        let value = error.clone().into_scalar::<f32>();
        if !value.is_finite() {
            return Err(ForecastError::Diverged { step });
        }
        let gradients = GradientsParams::from_grads(error.backward(), &module);
        module = adam.step(learning_rate(step, steps), module, gradients);
        weights.average(&module, step);
        step += 1;
        let loss = shown.map_or(value, |shown: f32| shown + (value - shown) * 0.05);
        shown = Some(loss);
        if step == PROBE_STEPS.min(steps) {
            steps = within_budget(run, began, step, steps);
        }
        if step % 25 == 0 || step == steps {
            let due = step % CHECK_EVERY == 0 || step == steps;
            let validation = check.as_mut().filter(|_| due).map(|check| check.measure(&weights, step));
            losses.push(LossPoint { resource: run.resource, member: run.member, step, loss, validation });
        }
        let stop = check.as_ref().is_some_and(|check| check.is_over(step, steps));
        let done = if stop { 1.0 } else { step as f32 / steps as f32 };
        let fraction = (run.turn as f32 + done) / run.turns as f32;
        if !progress(TrainProgress { resource: run.resource, member: run.member, step, steps, loss, fraction }) {
            return Err(ForecastError::Cancelled { step });
        }
        if stop {
            break;
        }
    }
    let kept = match check.and_then(|check| check.best) {
        Some(best) => {
            weights.values = best.values;
            best.step
        }
        None => step,
    };
    Ok(Outcome { weights, losses, steps: step, kept })
}

fn learning_rate(step: usize, steps: usize) -> f64 {
    let warm = ((step + 1) as f64 / WARM_UP as f64).min(1.0);
    let turn = std::f64::consts::PI * step as f64 / steps as f64;
    RATE * warm * (LAST_RATE + (1.0 - LAST_RATE) * 0.5 * (1.0 + turn.cos()))
}

/// The steps that fit into this run's share of what is left, at the pace so far.
fn within_budget(run: &Run<'_>, began: Option<std::time::Duration>, done: usize, steps: usize) -> usize {
    let (Some(budget), Some(began)) = (&run.options.time_budget, began) else {
        return steps;
    };
    let now = (budget.elapsed)();
    let pace = now.saturating_sub(began).as_secs_f64() / done as f64;
    let runs_left = run.turns - run.turn;
    let left =
        budget.limit.saturating_sub(began).as_secs_f64() / runs_left as f64 - (now.saturating_sub(began)).as_secs_f64();
    if pace > 0.0 { steps.min(done + (left.max(0.0) / pace) as usize) } else { steps }
}

/// Mean and 1 / deviation of each input; an input that never changes is switched off.
fn scaling(sampler: &Sampler, rng: &mut ChaCha8Rng) -> Result<(Vec<f32>, Vec<f32>), ForecastError> {
    let (mut sum, mut squares, mut count) = ([0.0_f64; INPUTS], [0.0_f64; INPUTS], 0.0_f64);
    let mut scored = 0;
    for _ in 0..SCALING_SEQUENCES {
        for step in sampler.draw(rng) {
            count += 1.0;
            scored += usize::from(step.counts);
            for (input, x) in step.inputs.iter().enumerate() {
                sum[input] += f64::from(*x);
                squares[input] += f64::from(*x) * f64::from(*x);
            }
        }
    }
    if scored == 0 {
        return Err(ForecastError::unfit("no report is followed by 5 minutes of measurements"));
    }
    let mean = sum.map(|sum| sum / count);
    let rate = (0..INPUTS).map(|input| {
        let deviation = (squares[input] / count - mean[input] * mean[input]).max(0.0).sqrt();
        if deviation > 1e-4 { (1.0 / deviation) as f32 } else { 0.0 }
    });
    Ok((mean.iter().map(|mean| *mean as f32).collect(), rate.collect()))
}

/// A batch of sequences as tensors, time first.
pub(crate) fn batch(
    sampler: &Sampler,
    weights: &Weights,
    size: usize,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> (Vec<Tensor<2>>, Targets) {
    let sequences: Vec<Vec<Step>> = (0..size).map(|_| sampler.draw(rng)).collect();
    let mut inputs = Vec::with_capacity(STEPS);
    let (mut peak, mut path) = (Vec::new(), Vec::new());
    let (mut weight, mut path_weight) = (Vec::new(), Vec::new());
    for at in 0..STEPS {
        let mut row = Vec::with_capacity(size * INPUTS);
        for step in sequences.iter().map(|sequence| &sequence[at]) {
            row.extend((0..INPUTS).map(|i| (step.inputs[i] - weights.mean[i]) * weights.rate[i]));
            let counts = if step.counts && at >= UNSCORED { step.scale.sqrt() } else { 0.0 };
            peak.push(step.peak);
            weight.push(counts);
            for x in step.path {
                path.push(if x.is_finite() { x } else { 0.0 });
                path_weight.push(if x.is_finite() { counts / PATH_MINUTES as f32 } else { 0.0 });
            }
        }
        inputs.push(tensor(row, size, INPUTS, device));
    }
    let total = weight.iter().sum::<f32>().max(1e-6);
    for value in weight.iter_mut().chain(&mut path_weight) {
        *value /= total;
    }
    let rows = STEPS * size;
    let targets = Targets {
        peak: tensor(peak, rows, 1, device),
        path: tensor(path, rows, PATH_MINUTES, device),
        weight: tensor(weight, rows, 1, device),
        path_weight: tensor(path_weight, rows, PATH_MINUTES, device),
    };
    (inputs, targets)
}

fn tensor(values: Vec<f32>, rows: usize, columns: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}
