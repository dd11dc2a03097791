//! Aggregates within pools. Numbers are taken in the order of the nodes' names, so that a sum has the same bits whoever reported first.

use super::evaluate::Found;
use super::plan::Aggregation;
use crate::labels::{Kept, NONE};
use crate::nodes::Nodes;

pub(super) fn aggregate(how: Aggregation, kept: Kept, found: Found, nodes: &Nodes) -> Found {
    // A node without a pool stands alone: it is in no group of several nodes.
    let in_a_group = found.into_iter().filter(|(key, _)| kept.node || key.pool != NONE);
    let mut members: Vec<_> = in_a_group.map(|(key, x)| (kept.of(key), (nodes.name(key.node), key.own), x)).collect();
    members.sort_by(|(a, rank_a, _), (b, rank_b, _)| (a, rank_a).cmp(&(b, rank_b)));
    let mut groups = Vec::new();
    for group in members.chunk_by(|(a, ..), (b, ..)| a == b) {
        let numbers = group.iter().map(|(_, _, x)| *x);
        groups.extend(of(how, numbers).map(|x| (group[0].0, x)));
    }
    groups
}

fn of(how: Aggregation, numbers: impl ExactSizeIterator<Item = f64>) -> Option<f64> {
    match how {
        Aggregation::Sum => numbers.reduce(|a, b| a + b),
        Aggregation::Count => Some(numbers.len() as f64),
        Aggregation::Maximum => numbers.reduce(|a, b| if b > a || a.is_nan() { b } else { a }),
        Aggregation::Minimum => numbers.reduce(|a, b| if b < a || a.is_nan() { b } else { a }),
        Aggregation::Average => average(numbers),
    }
}

/// The running mean, as Prometheus takes it.
fn average(numbers: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut count, mut mean) = (0.0, 0.0_f64);
    for x in numbers {
        count += 1.0;
        if count == 1.0 {
            mean = x;
        } else if mean.is_infinite() && (x.is_finite() || (x.is_infinite() && (x > 0.0) == (mean > 0.0))) {
            continue;
        } else {
            mean += x / count - mean / count;
        }
    }
    (count > 0.0).then_some(mean)
}
