//! A [`Plan`] at an event time: selectors find samples, the rest combines what was found.

use super::plan::{Plan, Selector};
use super::{aggregate, binary, over_time};
use crate::labels::Key;
use crate::nodes::Nodes;

/// Numbers with their labels, in the order of the labels, each set of labels once.
pub(crate) type Found = Vec<(Key, f64)>;

/// What a part of an expression yields.
pub(super) enum Yield {
    Scalar(f64),
    Vector(Found),
}

/// What an expression is evaluated of: some of the nodes, by number in order.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'s> {
    pub(crate) nodes: &'s Nodes,
    pub(crate) members: &'s [u32],
}

/// Evaluates the expression of an alert.
pub(crate) fn evaluate(plan: &Plan, scene: Scene<'_>, at: i64) -> Found {
    match value(plan, scene, at) {
        Yield::Vector(found) => found,
        Yield::Scalar(_) => Vec::new(),
    }
}

fn value(plan: &Plan, scene: Scene<'_>, at: i64) -> Yield {
    let of = |plan: &Plan| value(plan, scene, at);
    match plan {
        Plan::Number(number) => Yield::Scalar(*number),
        Plan::Time => Yield::Scalar(at as f64 / 1000.0),
        Plan::Select(selector) => Yield::Vector(newest(selector, scene, at, |(_, value)| value)),
        Plan::Timestamp(selector) => {
            let is_last = |(taken, _): (i64, f64)| taken as f64 / 1000.0;
            Yield::Vector(newest(selector, scene, at, is_last))
        }
        Plan::OverTime(how, selector, range) => {
            let to = at - selector.offset_ms;
            let found = select(selector, scene, |node, series| {
                let (samples, _) = scene.nodes.samples(node, series)?;
                over_time::over(*how, samples.within(to - range, to), (to - range, to))
            });
            Yield::Vector(found)
        }
        Plan::Negate(inner) => map(of(inner), |x| -x),
        Plan::Absolute(inner) => map(of(inner), f64::abs),
        Plan::Arithmetic(how, sides) => binary::arithmetic(*how, of(&sides[0]), of(&sides[1])),
        Plan::Compare { by, as_number, sides } => binary::compare(*by, *as_number, of(&sides[0]), of(&sides[1])),
        Plan::Set(how, sides) => binary::set(*how, of(&sides[0]), of(&sides[1])),
        Plan::Aggregate(how, kept, inner) => match of(inner) {
            Yield::Vector(found) => Yield::Vector(aggregate::aggregate(*how, *kept, found, scene.nodes)),
            scalar @ Yield::Scalar(_) => scalar,
        },
    }
}

/// Something of the newest sample of each series selected.
fn newest(selector: &Selector, scene: Scene<'_>, at: i64, what: impl Fn((i64, f64)) -> f64) -> Found {
    let at = at - selector.offset_ms;
    select(selector, scene, |node, series| {
        let (samples, lookback) = scene.nodes.samples(node, series)?;
        samples.newest(at, lookback).map(&what)
    })
}

fn select(
    selector: &Selector,
    scene: Scene<'_>,
    value: impl Fn(&crate::nodes::Node, crate::series::Series) -> Option<f64>,
) -> Found {
    let mut found = Vec::new();
    let nodes = scene.members.iter().filter_map(|number| Some((*number, scene.nodes.get(*number)?)));
    for (number, node) in nodes.filter(|(_, node)| node.passes(selector.filter)) {
        for series in &selector.series {
            if let Some(value) = value(node, *series) {
                let own = series.label().map(|_| *series);
                found.push((Key { node: number, pool: node.pool, own }, value));
            }
        }
    }
    found
}

fn map(of: Yield, change: impl Fn(f64) -> f64) -> Yield {
    match of {
        Yield::Scalar(x) => Yield::Scalar(change(x)),
        Yield::Vector(mut found) => {
            found.iter_mut().for_each(|(_, x)| *x = change(*x));
            Yield::Vector(found)
        }
    }
}
