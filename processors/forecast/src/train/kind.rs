//! How the networks of a resource differ in what they are taught: a mean gains most from members that err differently
//! (Krogh and Vedelsby 1995).
//!
//! The first is taught as if it were alone; each one after it is taught one thing otherwise.

use crate::ensemble::MOST_MEMBERS;

/// What a network is taught.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Kind {
    /// Weight of the path's absolute error in the loss.
    pub(crate) path: f32,
    /// Weight of the pinball loss of the peak's median; that of its 0.9 quantile is 1.
    pub(crate) median: f32,
    /// Whether it is told how high the load is, beside how it moves.
    pub(crate) knows_level: bool,
}

const ALONE: Kind = Kind { path: 0.3, median: 1.0, knows_level: true };

const KINDS: [Kind; MOST_MEMBERS] = [
    ALONE,
    // Nearly all for the peak. Not all: the path that it answers counts in the mean.
    Kind { path: 0.03, ..ALONE },
    Kind { knows_level: false, ..ALONE },
    Kind { median: 2.0, ..ALONE },
];

/// The kind of a resource's network.
pub(crate) fn kind(member: usize) -> Kind {
    KINDS[member % KINDS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{INPUTS, LEVEL};
    use crate::load::{Sample, Series};
    use crate::train::{TrainOptions, train};

    #[test]
    fn no_two_members_are_taught_the_same_and_the_first_is_taught_as_if_alone() {
        assert_eq!(kind(0), ALONE);
        for (member, kind) in KINDS.iter().enumerate() {
            assert!(!KINDS[..member].contains(kind), "{member}");
        }
    }

    #[test]
    fn only_the_third_is_not_told_the_level() {
        let sample = |minute: i64| {
            let cpu = Some(0.3 + 0.2 * (minute as f32 / 9.0).sin() + 1e-5 * minute as f32);
            Sample { timestamp_ms: minute * 60_000, interval_ms: 60_000, cpu, memory: None }
        };
        let samples = (0..2_000).map(sample).collect();
        let data = Series { node_id: "a".into(), source: "test.csv".into(), samples };
        let options =
            TrainOptions { members: 4, steps: 1, batch: 4, hidden: 8, simulated_nodes: 4, ..TrainOptions::default() };
        let (artifact, _) = train(&[data], &options, &mut |_| true).unwrap();
        let rate = |member: usize| {
            let rates = artifact.tensors().get(&format!("cpu.{member}.input_rate"), [1, INPUTS]).unwrap();
            rates[LEVEL]
        };
        assert_eq!([0, 1, 2, 3].map(|member| rate(member) > 0.0), [true, true, false, true]);
        assert!(rate(2).abs() < f32::EPSILON);
    }
}
