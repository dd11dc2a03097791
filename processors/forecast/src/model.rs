//! Forecasting: reports of distinct nodes in, predictions out, the nodes' states moved on.
//!
//! Each row is first taken into its node's state; then, resource by resource and in blocks of 16, the
//! features go through the network, and its outputs become load again: with value v and scale s of the features (points),
//! p50 = v + s·o1, p90 = p50 + s·softplus(o2 − 1), path = v + s·o3…7. While a state is warming up the baseline answers.

use crate::artifact::Artifact;
use crate::baseline::last_peak;
use crate::error::ForecastError;
use crate::features::Features;
use crate::load::{Prediction, Quantiles, Resource, ResourceForecast, Sample, Status, round};
use crate::network::{BLOCK, Block, Network, OUTPUTS};
use crate::numeric::{larger, softplus};
use crate::residuals::Residuals;
use crate::state::NodeState;

/// The model that the product ships.
static SHIPPED: &[u8] = include_bytes!("../models/tide.tidemodel");

/// A trained model in its inference form; shared by all nodes.
#[derive(Debug, Clone)]
pub struct Model {
    name: String,
    networks: [Option<Network>; 2],
    residuals: [Option<Residuals>; 2],
}

impl Model {
    /// Builds the inference form of an artifact.
    ///
    /// # Errors
    /// [`ForecastError::Damaged`] if its tensors do not have the shapes that its card promises.
    pub fn from_artifact(artifact: &Artifact) -> Result<Self, ForecastError> {
        let network = |resource: Resource| {
            let hidden = artifact.card().hidden.get(&resource);
            hidden.map(|hidden| Network::from_tensors(artifact.tensors(), resource.name(), *hidden)).transpose()
        };
        if let Some((resource, _)) = artifact.card().residuals.iter().find(|(_, residuals)| !residuals.is_whole()) {
            return Err(ForecastError::damaged(format!("its residuals of {} are not a distribution", resource.name())));
        }
        let checksum = artifact.checksum();
        Ok(Self {
            name: format!("{} {}", artifact.card().name, &checksum[..8]),
            networks: [network(Resource::Cpu)?, network(Resource::Memory)?],
            residuals: Resource::ALL.map(|resource| artifact.card().residuals.get(&resource).cloned()),
        })
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
        let hidden = [0, 1].map(|index: usize| self.networks[index].as_ref().map_or(0, |network| network.hidden));
        for (state, sample) in rows.iter_mut() {
            state.observe(sample, hidden);
        }
        let mut predictions: Vec<Prediction> = rows.iter().map(|(state, _)| self.before_network(state)).collect();
        let mut block = Block::default();
        for resource in Resource::ALL {
            let Some(network) = &self.networks[resource as usize] else {
                continue;
            };
            for (rows, predictions) in rows.chunks_mut(BLOCK).zip(predictions.chunks_mut(BLOCK)) {
                forecast_block(network, resource, rows, predictions, &mut block);
            }
        }
        predictions
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

    /// Ready if some resource is, and no measured resource that the model knows is still warming up.
    fn status(&self, state: &NodeState) -> Status {
        let known = Resource::ALL.into_iter().filter(|resource| self.networks[*resource as usize].is_some());
        let ready: Vec<bool> = known.filter_map(|resource| state.is_ready(resource)).collect();
        if !ready.is_empty() && ready.iter().all(|ready| *ready) { Status::Ready } else { Status::Warming }
    }
}

fn forecast_block(
    network: &Network,
    resource: Resource,
    rows: &mut [(&mut NodeState, Sample)],
    predictions: &mut [Prediction],
    block: &mut Block,
) {
    block.clear();
    let mut shapes: [Option<Features>; BLOCK] = [None; BLOCK];
    for ((state, _), features) in rows.iter_mut().zip(&mut shapes) {
        if let Some(track) = state.track(resource) {
            let row = track.features();
            network.push(block, &row.inputs, track.cells().0);
            *features = Some(row);
        }
    }
    network.step(block);
    let mut at = 0;
    for (((state, _), prediction), features) in rows.iter_mut().zip(predictions).zip(&shapes) {
        let (Some(track), Some(features)) = (state.track(resource), features) else {
            continue;
        };
        block.copy_cells(at, network.hidden, track.cells().1);
        if track.is_ready() {
            let forecast = in_load(features, block.outputs(at));
            match resource {
                Resource::Cpu => prediction.cpu = forecast,
                Resource::Memory => prediction.memory = forecast,
            }
        }
        at += 1;
    }
}

/// Turns outputs of the network into fractions of the base quota.
fn in_load(features: &Features, outputs: [f32; OUTPUTS]) -> ResourceForecast {
    let Features { value, scale, .. } = features;
    let fraction = |points: f32| larger(points * 0.01, 0.0);
    let p50 = value + scale * outputs[0];
    let p90 = p50 + scale * softplus(outputs[1] - 1.0);
    let p50 = round(fraction(p50));
    ResourceForecast {
        current: round(fraction(*value)),
        path: std::array::from_fn(|minute| round(fraction(value + scale * outputs[2 + minute]))),
        peak: Quantiles { p50, p90: larger(round(fraction(p90)), p50) },
    }
}
