//! Forecasting: reports of distinct nodes in, predictions out, the nodes' states moved on.
//!
//! Each row is first taken into its node's state; then, resource by resource and in blocks of 16, the
//! features go through the networks, and the mean of their outputs becomes load again: with value v and scale s of the features
//! (points), p50 = v + s·o1, p90 = p50 + s·softplus(o2 − 1), path = v + s·o3…7. To o1 and the spread comes what the node's own past
//! corrects (`adapt`). While a state is warming up the baseline answers. It
//! does too while the model is demoted (`demotion.rs`); then p90 lies above the baseline by what the model holds p90 and
//! p50 apart.

use crate::adapt::Note;
use crate::artifact::Artifact;
use crate::baseline::last_peak;
use crate::ensemble::{Ensemble, Row};
use crate::error::ForecastError;
use crate::features::{Features, INPUTS};
use crate::load::{Prediction, Quantiles, Resource, ResourceForecast, Sample, Status, round};
use crate::network::{BLOCK, Block, OUTPUTS};
use crate::numeric::larger;
use crate::residuals::Residuals;
use crate::state::{NodeState, Track};

/// The model that the product ships.
static SHIPPED: &[u8] = include_bytes!("../models/tide.tidemodel");

/// A trained model in its inference form; shared by all nodes.
#[derive(Debug, Clone)]
pub struct Model {
    name: String,
    networks: [Option<Ensemble>; 2],
    may_be_demoted: bool,
    residuals: [Option<Residuals>; 2],
}

impl Model {
    /// Builds the inference form of an artifact.
    ///
    /// # Errors
    /// [`ForecastError::OtherInputs`] if it was made for other inputs, [`ForecastError::Damaged`] if its tensors do not have the shapes that its card promises.
    pub fn from_artifact(artifact: &Artifact) -> Result<Self, ForecastError> {
        let card = artifact.card();
        if card.inputs != INPUTS {
            return Err(ForecastError::OtherInputs { inputs: card.inputs });
        }
        let networks = |resource| {
            let hidden = card.hidden.get(&resource);
            hidden.map(|size| Ensemble::from_tensors(artifact.tensors(), resource, *size, card.members)).transpose()
        };
        if let Some((resource, _)) = artifact.card().residuals.iter().find(|(_, residuals)| !residuals.is_whole()) {
            return Err(ForecastError::damaged(format!("its residuals of {} are not a distribution", resource.name())));
        }
        let checksum = artifact.checksum();
        Ok(Self {
            name: format!("{} {}", artifact.card().name, &checksum[..8]),
            networks: [networks(Resource::Cpu)?, networks(Resource::Memory)?],
            may_be_demoted: true,
            residuals: Resource::ALL.map(|resource| artifact.card().residuals.get(&resource).cloned()),
        })
    }

    /// The same model, which is never demoted: every forecast of a ready state is its own. For scoring it.
    #[must_use]
    pub fn without_demotion(self) -> Self {
        Self { may_be_demoted: false, ..self }
    }

    /// The model that the product ships.
    ///
    /// # Errors
    /// Only if the build carries a damaged file; a test holds that it does not.
    pub fn shipped() -> Result<Self, ForecastError> {
        Self::from_artifact(&Artifact::from_bytes(SHIPPED)?)
    }

    /// Its name and the first 8 digits of its checksum, e.g. `tide-1 1a2b3c4d`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How far measurements lay from the forecast p90 of this resource where it learned: a start for a margin above p90. `None`
    /// for a resource that it does not know, and in models from before there were residuals.
    #[must_use]
    pub fn residuals(&self, resource: Resource) -> Option<&Residuals> {
        self.residuals[resource as usize].as_ref()
    }

    /// Whether it has a network for this resource.
    pub(crate) fn knows(&self, resource: Resource) -> bool {
        self.networks[resource as usize].is_some()
    }

    /// Takes in one report of each of some distinct nodes and forecasts their next 5 minutes, in the order of the rows.
    ///
    /// A row's result depends on its own state and sample only, bit for bit.
    #[must_use]
    pub fn predict(&self, rows: &mut [(&mut NodeState, Sample)]) -> Vec<Prediction> {
        self.catch_up(rows);
        let hidden = self.hidden();
        let mut predictions = Vec::with_capacity(rows.len());
        let mut block = Block::default();
        // A block goes from reports to forecasts at once, while its states are in the processor's cache.
        for rows in rows.chunks_mut(BLOCK) {
            for (state, sample) in rows.iter_mut() {
                state.observe(sample, hidden);
            }
            let first = predictions.len();
            predictions.extend(rows.iter().map(|(state, _)| self.before_network(state)));
            for resource in Resource::ALL {
                if let Some(networks) = &self.networks[resource as usize] {
                    self.forecast_block(networks, resource, rows, &mut predictions[first..], &mut block);
                }
            }
        }
        predictions
    }

    /// Values that the h of each resource's networks have together.
    pub(crate) fn hidden(&self) -> [usize; 2] {
        [0, 1].map(|index: usize| self.networks[index].as_ref().map_or(0, Ensemble::state_size))
    }

    /// The networks of a resource.
    pub(crate) fn networks(&self, resource: Resource) -> Option<&Ensemble> {
        self.networks[resource as usize].as_ref()
    }

    /// The status, and the baseline's forecast of both resources.
    fn before_network(&self, state: &NodeState) -> Prediction {
        let baseline = |resource| state.history(resource).map_or_else(ResourceForecast::default, last_peak);
        Prediction {
            status: self.status(state),
            cpu: baseline(Resource::Cpu),
            memory: baseline(Resource::Memory),
            measured_ms: Resource::ALL.map(|resource| state.measured_ms(resource)),
        }
    }

    /// Warming if some measured resource that the model knows is, or none is measured; else demoted if some is.
    fn status(&self, state: &NodeState) -> Status {
        let known = Resource::ALL.into_iter().filter(|resource| self.networks[*resource as usize].is_some());
        let tracks: Vec<&Track> = known.filter_map(|resource| state.seen(resource)).collect();
        if tracks.is_empty() || !tracks.iter().all(|track| track.is_ready()) {
            Status::Warming
        } else if self.may_be_demoted && tracks.iter().any(|track| track.is_demoted()) {
            Status::Demoted
        } else {
            Status::Ready
        }
    }

    fn forecast_block(
        &self,
        networks: &Ensemble,
        resource: Resource,
        rows: &mut [(&mut NodeState, Sample)],
        predictions: &mut [Prediction],
        block: &mut Block,
    ) {
        let (mut seen, mut answers) = (Vec::with_capacity(BLOCK), Vec::with_capacity(BLOCK));
        for ((state, _), prediction) in rows.iter_mut().zip(predictions) {
            if let Some(track) = state.track(resource) {
                seen.push(Row::new(track));
                answers.push(prediction);
            }
        }
        networks.step(&mut seen, block);
        for (mut row, prediction) in seen.into_iter().zip(answers) {
            let Some(said) = answer(networks, &mut row) else { continue };
            let track = row.track;
            let served = match resource {
                Resource::Cpu => &mut prediction.cpu,
                Resource::Memory => &mut prediction.memory,
            };
            if self.may_be_demoted && track.is_demoted() {
                served.peak.p90 = round(served.peak.p50 + (said.peak.p90 - said.peak.p50));
            } else {
                *served = said;
            }
        }
    }
}

/// What the model says of a row that was stepped: what the networks said, corrected by the node's own past. It is noted for its
/// score; `None` while it warms up.
pub(crate) fn answer(networks: &Ensemble, row: &mut Row<'_>) -> Option<ResourceForecast> {
    row.track.unstepped = false;
    if !row.track.is_ready() {
        return None;
    }
    if let Some(basis) = networks.basis() {
        let correction = row.track.adaptation.correct(Note::new(basis, &row.features, &row.outputs));
        row.outputs[0] += correction.median;
        row.outputs[1] = larger(row.outputs[1] + correction.spread, 0.0);
    }
    let said = in_load(&row.features, row.outputs);
    row.track.scores.say(said.peak.p50 * 100.0);
    Some(said)
}

/// Turns outputs into fractions of the base quota.
fn in_load(features: &Features, outputs: [f32; OUTPUTS]) -> ResourceForecast {
    let Features { value, scale, .. } = features;
    let fraction = |points: f32| larger(points * 0.01, 0.0);
    let p50 = value + scale * outputs[0];
    let p90 = p50 + scale * outputs[1];
    let p50 = round(fraction(p50));
    ResourceForecast {
        current: round(fraction(*value)),
        path: std::array::from_fn(|minute| round(fraction(value + scale * outputs[2 + minute]))),
        peak: Quantiles { p50, p90: larger(round(fraction(p90)), p50) },
    }
}
