//! The coordinates in which a node's corrections are learned: about as large as each other, and hardly related.
//!
//! ```text
//! [7 outputs, 60 standardised inputs] ─clip to ±6─► · basis (67 × 67) ─► steps of 1/16, ±127 ─► with a constant: 68 coordinates
//! ```
//!
//! Training finds the basis: principal directions of what the networks see on the nodes that they learned from, each divided by its
//! deviation and a little more, so that one length of step suits all of them (LeCun et al. 1998, "Efficient BackProp"). Whole steps make a
//! note of it small, and it is the same bits before and after a checkpoint.

use crate::error::ForecastError;
use crate::features::INPUTS;
use crate::load::Resource;
use crate::network::OUTPUTS;
use crate::tensors::Tensors;

/// What they are computed from, and as many as there are of them.
pub(crate) const SEEN: usize = OUTPUTS + INPUTS;
/// With a constant.
pub(crate) const COORDINATES: usize = SEEN + 1;
pub(super) const STEPS_PER_UNIT: f32 = 16.0;
/// Values further out count as this.
const FARTHEST: f32 = 6.0;

/// How to come from inputs and outputs to coordinates; one for each resource of a model.
#[derive(Debug, Clone)]
pub(crate) struct Basis {
    mean: [f32; INPUTS],
    rate: [f32; INPUTS],
    /// By row of what is seen; in steps. The last column is the constant's, and zero.
    directions: Box<[[f32; COORDINATES]; SEEN]>,
}

/// What is seen, before it is turned: outputs, then inputs standardised by these.
pub(crate) fn raw(
    mean: &[f32; INPUTS],
    rate: &[f32; INPUTS],
    inputs: &[f32; INPUTS],
    outputs: &[f32; OUTPUTS],
) -> [f32; SEEN] {
    let mut seen = [0.0; SEEN];
    seen[..OUTPUTS].copy_from_slice(outputs);
    for (input, seen) in seen[OUTPUTS..].iter_mut().enumerate() {
        *seen = (inputs[input] - mean[input]) * rate[input];
    }
    seen.map(|x| x.clamp(-FARTHEST, FARTHEST))
}

impl Basis {
    /// Name and shape of its tensor.
    fn tensor(resource: Resource) -> (String, [usize; 2]) {
        (format!("{}.basis", resource.name()), [SEEN, SEEN])
    }

    /// Puts directions into a model's tensors.
    pub(crate) fn store(resource: Resource, directions: &[[f32; SEEN]; SEEN], tensors: &mut Tensors) {
        let (name, shape) = Self::tensor(resource);
        let row = |seen| directions.iter().map(move |direction: &[f32; SEEN]| direction[seen]);
        tensors.insert(&name, shape, (0..SEEN).flat_map(row).collect());
    }

    /// Reads it; `None` in models from before nodes corrected their forecasts. Inputs are standardised as for the network of this name.
    pub(crate) fn from_tensors(
        tensors: &Tensors,
        resource: Resource,
        network: &str,
    ) -> Result<Option<Self>, ForecastError> {
        let (name, shape) = Self::tensor(resource);
        if !tensors.has(&name) {
            return Ok(None);
        }
        let (mean, rate) = Self::standard(tensors, network)?;
        let mut directions = Box::new([[0.0; COORDINATES]; SEEN]);
        for (row, values) in directions.iter_mut().zip(tensors.get(&name, shape)?.chunks_exact(SEEN)) {
            for (to, value) in row.iter_mut().zip(values) {
                *to = value * STEPS_PER_UNIT;
            }
        }
        Ok(Some(Self { mean, rate, directions }))
    }

    /// Mean and 1 / deviation of the inputs of a network.
    pub(crate) fn standard(tensors: &Tensors, network: &str) -> Result<([f32; INPUTS], [f32; INPUTS]), ForecastError> {
        let read = |name: &str| {
            let mut values = [0.0; INPUTS];
            values.copy_from_slice(tensors.get(&format!("{network}.{name}"), [1, INPUTS])?);
            Ok(values)
        };
        Ok((read("input_mean")?, read("input_rate")?))
    }

    /// In steps; the last one is the constant 1.
    pub(super) fn coordinates(&self, inputs: &[f32; INPUTS], outputs: &[f32; OUTPUTS]) -> [i8; COORDINATES] {
        let mut sums = [0.0_f32; COORDINATES];
        for (seen, row) in raw(&self.mean, &self.rate, inputs, outputs).iter().zip(self.directions.iter()) {
            for (sum, direction) in sums.iter_mut().zip(row) {
                *sum += seen * direction;
            }
        }
        // A cast from float saturates.
        let mut at = sums.map(|sum| sum.round() as i8);
        at[SEEN] = STEPS_PER_UNIT as i8;
        at
    }
}
