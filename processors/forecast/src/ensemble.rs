//! The networks of one resource, whose answers are averaged.
//!
//! ```text
//! features ─┬─► member 0 (its own scaling and states) ─► offset, spread, path ─┐
//!           └─► member 1 …                            ─► offset, spread, path ─┴─ mean ─► outputs
//! ```
//!
//! What is averaged is what the outputs mean: the median's offset, the spread softplus(o2 − 1), the path. A mean of spreads is
//! not negative, so the mean quantiles do not cross either. Members differ in what they were taught (`train/kind.rs`) and in what
//! chance gave them (Hansen and Salamon 1990, Lakshminarayanan et al. 2017). Each row is summed member by member, so that the result does
//! not depend on the rows beside it.

use crate::adapt::Basis;
use crate::error::ForecastError;
use crate::features::Features;
use crate::load::Resource;
use crate::network::{Block, Network, OUTPUTS};
use crate::numeric::softplus;
use crate::state::Track;
use crate::tensors::Tensors;

/// Most networks a resource may have.
pub(crate) const MOST_MEMBERS: usize = 4;

/// The prefix of a member's tensors: the resource alone where it has one network.
pub(crate) fn member_name(resource: Resource, member: usize, members: usize) -> String {
    if members == 1 { resource.name().to_owned() } else { format!("{}.{member}", resource.name()) }
}

/// The networks of one resource.
#[derive(Debug, Clone)]
pub(crate) struct Ensemble {
    members: Vec<Network>,
    hidden: usize,
    basis: Option<Basis>,
}

/// One node's resource on its way through the networks.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) track: &'a mut Track,
    pub(crate) features: Features,
    /// In units of the node's scale: p50 and path relative to the current value, and p90 − p50.
    pub(crate) outputs: [f32; OUTPUTS],
}

impl<'a> Row<'a> {
    pub(crate) fn new(track: &'a mut Track) -> Self {
        let features = track.features();
        Self { track, features, outputs: [0.0; OUTPUTS] }
    }
}

impl Ensemble {
    /// Packs the `count` networks of a resource, each of this hidden size.
    pub(crate) fn from_tensors(
        tensors: &Tensors,
        resource: Resource,
        hidden: usize,
        count: usize,
    ) -> Result<Self, ForecastError> {
        if !(1..=MOST_MEMBERS).contains(&count) {
            return Err(ForecastError::damaged(format!("it has {count} networks a resource")));
        }
        let member = |index| Network::from_tensors(tensors, &member_name(resource, index, count), hidden);
        let members = (0..count).map(member).collect::<Result<_, _>>()?;
        let basis = Basis::from_tensors(tensors, resource, &member_name(resource, 0, count))?;
        Ok(Self { members, hidden, basis })
    }

    /// Values that the h of all members have together; their c have as many.
    pub(crate) fn state_size(&self) -> usize {
        self.hidden * self.members.len()
    }

    /// In what a node corrects the answers; `None`: it does not.
    pub(crate) fn basis(&self) -> Option<&Basis> {
        self.basis.as_ref()
    }

    /// Steps every member's states of every row, and leaves the mean of their outputs in the rows.
    pub(crate) fn step(&self, rows: &mut [Row<'_>], block: &mut Block) {
        let share = 1.0 / self.members.len() as f32;
        for (index, network) in self.members.iter().enumerate() {
            block.clear();
            for row in rows.iter_mut() {
                let [older, younger] = self.states(index, row.track.cells().0);
                network.push(block, &row.features.inputs, older, younger);
            }
            network.step(block);
            for (at, row) in rows.iter_mut().enumerate() {
                let [older, younger] = self.states_mut(index, row.track.cells().1);
                block.copy_states(at, older, younger);
                let mut outputs = block.outputs(at);
                outputs[1] = softplus(outputs[1] - 1.0);
                for (mean, output) in row.outputs.iter_mut().zip(outputs) {
                    *mean += share * output;
                }
            }
        }
    }

    /// (h, c) of a member's older and of its younger state: those of all members lie one after the other.
    fn states<'c>(&self, member: usize, cells: &'c [f32]) -> [&'c [f32]; 2] {
        let (older, younger) = cells.split_at(cells.len() / 2);
        let own = 2 * self.hidden * member..2 * self.hidden * (member + 1);
        [&older[own.clone()], &younger[own]]
    }

    fn states_mut<'c>(&self, member: usize, cells: &'c mut [f32]) -> [&'c mut [f32]; 2] {
        let (older, younger) = cells.split_at_mut(cells.len() / 2);
        let own = 2 * self.hidden * member..2 * self.hidden * (member + 1);
        [&mut older[own.clone()], &mut younger[own]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Sample;
    use crate::network::shapes;
    use crate::state::NodeState;
    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const HIDDEN: usize = 8;

    /// Networks named as given, with weights from the seed beside each name.
    fn tensors(networks: &[(&str, u64)]) -> Tensors {
        let mut tensors = Tensors::default();
        for (network, seed) in networks {
            let mut rng = ChaCha8Rng::seed_from_u64(*seed);
            for (name, shape) in shapes(HIDDEN) {
                let values = (0..shape[0] * shape[1]).map(|_| rng.random_range(-0.3f32..0.3)).collect();
                tensors.insert(&format!("{network}.{name}"), shape, values);
            }
        }
        tensors
    }

    /// The outputs for the loads of a node, one a minute.
    fn outputs(tensors: &Tensors, members: usize, loads: &[f32]) -> Vec<[f32; OUTPUTS]> {
        let ensemble = Ensemble::from_tensors(tensors, Resource::Cpu, HIDDEN, members).unwrap();
        let (mut state, mut block) = (NodeState::new(), Block::default());
        let one = |(minute, load): (usize, &f32)| {
            let timestamp_ms = minute as i64 * 60_000;
            let sample = Sample { timestamp_ms, interval_ms: 60_000, cpu: Some(*load), memory: None };
            state.observe(&sample, [ensemble.state_size(), 0]);
            let mut rows = [Row::new(state.track(Resource::Cpu).unwrap())];
            ensemble.step(&mut rows, &mut block);
            rows[0].outputs
        };
        loads.iter().enumerate().map(one).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn members_are_averaged_and_keep_states_of_their_own(
            loads in prop::collection::vec(0f32..1.2, 1..150),
            seeds in any::<[u64; 2]>(),
        ) {
            let [first, second] = seeds.map(|seed| outputs(&tensors(&[("cpu", seed)]), 1, &loads));
            let both = outputs(&tensors(&[("cpu.0", seeds[0]), ("cpu.1", seeds[1])]), 2, &loads);
            for ((mean, a), b) in both.iter().zip(&first).zip(&second) {
                prop_assert!(mean[1] >= 0.0, "quantiles cross");
                for output in 0..OUTPUTS {
                    prop_assert_eq!(mean[output].to_bits(), (0.5 * a[output] + 0.5 * b[output]).to_bits());
                }
            }
        }
    }

    #[test]
    fn a_member_that_is_missing_is_named() {
        let error = Ensemble::from_tensors(&tensors(&[("cpu.0", 1)]), Resource::Cpu, HIDDEN, 2).unwrap_err();
        assert!(error.to_string().contains("cpu.1.input_mean is missing"), "{error}");
        assert!(Ensemble::from_tensors(&Tensors::default(), Resource::Cpu, HIDDEN, 5).is_err());
    }
}
