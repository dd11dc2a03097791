//! The measures of a run: decisions in, the report out. Definitions are in `docs/backtest.md`.
//!
//! ```text
//! Decided ─► Node (waits 5 minutes) ─┬─► Errors (forecasts against outcomes)
//!                                    ├─► PolicySums (quotas against samples)
//!                                    └─► Linear (learns from what has passed)
//! ```
//!
//! Nothing leaks: with `from_ms` the linear regression learns from rows whose 5 minutes ended before it, with a fitted one it
//! learns nothing, and else it forecasts each row by what had passed before.

mod errors;
mod node;
mod policy;
mod trace;

use std::collections::{BTreeMap, HashMap};

use tidegate_forecast::Resource;
use tidegate_forecast::baseline::Linear;
use tidegate_quota::Counted;
use tidegate_schemas::records::ForecastsByState;

pub use trace::{Trace, TracePoint};

use crate::report::{
    ByForecaster, ByResource, ForecastErrors, LinearReport, NodeReport, PolicyReport, Report, rounded,
};
use crate::runner::{Decided, Dropped};
use errors::Errors;
use node::{FORECASTERS, Node};
use policy::PolicySums;

/// What to measure.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Measure decisions from this event time on (Unix ms); earlier ones only warm up.
    pub from_ms: Option<i64>,
    /// The load that quotas are held against.
    pub resource: Counted,
    /// A linear regression that was fitted elsewhere; it learns nothing more.
    pub linear: Option<Linear>,
    /// Keep what a page draws, about 40 bytes a decision, with the quotas of this policy; one that is not the first is
    /// drawn against the first.
    pub traces: Option<usize>,
}

/// The measures of a run.
#[derive(Debug)]
pub struct Measures {
    options: Options,
    names: Vec<String>,
    nodes: HashMap<String, Node>,
    linear: Linear,
    intervals: BTreeMap<i64, u64>,
    span: Option<(i64, i64)>,
    model: String,
}

impl Measures {
    /// Measures of policies with these names, in the order of the runner's quota stages.
    #[must_use]
    pub fn new(mut options: Options, policies: Vec<String>) -> Self {
        let mut linear = options.linear.take().unwrap_or_default();
        let fitted = linear.rows(Resource::Cpu) + linear.rows(Resource::Memory) > 0;
        if fitted {
            linear.freeze();
            options.linear = Some(Linear::new());
        }
        Self {
            options,
            names: policies,
            nodes: HashMap::new(),
            linear,
            intervals: BTreeMap::new(),
            span: None,
            model: String::new(),
        }
    }

    /// Takes a decision in, in the order of the runner.
    pub fn take(&mut self, decided: &Decided) {
        let report = &decided.received.record;
        let at = report.timestamp;
        if self.options.from_ms.is_none_or(|from| at >= from) {
            if self.options.from_ms.is_some() && self.span.is_none() {
                self.linear.freeze();
            }
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
            *self.intervals.entry(report.interval_ms).or_default() += 1;
        }
        if self.model != decided.forecast.model {
            self.model.clone_from(&decided.forecast.model);
        }
        if !self.nodes.contains_key(&report.node_id) {
            self.nodes.insert(report.node_id.clone(), Node::new(at, self.names.len()));
        }
        if let Some(node) = self.nodes.get_mut(&report.node_id) {
            node.take(decided, &self.options, &mut self.linear);
        }
    }

    /// Judges the decisions whose 5 minutes reach beyond the end of the file, as far as it goes.
    pub fn finish(&mut self) {
        let mut nodes: Vec<_> = self.nodes.iter_mut().collect();
        nodes.sort_by(|a, b| a.0.cmp(b.0));
        for (_, node) in nodes {
            node.finish(&self.options, &mut self.linear);
        }
    }

    /// What each policy did, in their order.
    #[must_use]
    pub fn policies(&self) -> Vec<PolicyReport> {
        (0..self.names.len()).map(|policy| self.fleet_policy(policy)).collect()
    }

    /// What constant quotas of this multiple of the base quota would have done: share of samples above it in %, and mean
    /// unused capacity in points.
    #[must_use]
    pub fn constant(&self, scale: f64) -> Option<(f64, f64)> {
        let (mut samples, mut above, mut unused) = (0_u64, 0_u64, 0.0);
        for (load, _) in self.nodes.values().flat_map(|node| &node.demands) {
            let load = f64::from(*load);
            samples += 1;
            above += u64::from(load > scale + 1e-6);
            unused += (scale - load).max(0.0);
        }
        let mean = |sum: f64| rounded(100.0 * sum / samples as f64);
        (samples > 0).then(|| (mean(above as f64), mean(unused)))
    }

    /// The traces, by node; empty where none were kept.
    #[must_use]
    pub fn traces(&mut self) -> Vec<Trace> {
        let traced = self.nodes.iter_mut().filter(|(_, node)| !node.trace.is_empty());
        let mut traces: Vec<Trace> =
            traced.map(|(id, node)| Trace { node_id: id.clone(), points: std::mem::take(&mut node.trace) }).collect();
        traces.sort_by(|a, b| a.node_id.cmp(&b.node_id));
        traces
    }

    /// The report under one of the policies, with what the runner and the reading of the file have dropped.
    #[must_use]
    pub fn report(&self, policy: usize, dropped: Dropped) -> Report {
        let mut ids: Vec<&String> = self.nodes.keys().collect();
        ids.sort();
        let nodes: Vec<(&String, &Node)> = ids
            .into_iter()
            .filter_map(|id| self.nodes.get_key_value(id))
            .filter(|(_, node)| node.reports > 0)
            .collect();
        let mut states = ForecastsByState::default();
        let mut errors: [[Errors; FORECASTERS]; 2] = Default::default();
        let mut all_states: [Errors; 2] = Default::default();
        for (_, node) in &nodes {
            states += node.states;
            merge(&mut errors, &node.errors);
            for (all, of_node) in all_states.iter_mut().zip(&node.all_states) {
                all.merge(of_node);
            }
        }
        let [cpu, memory] = all_states.map(|errors| errors.report());
        let by = |forecaster: usize| by_resource(&errors, forecaster);
        let interval = self.intervals.iter().max_by_key(|(interval, count)| (**count, -**interval));
        Report {
            nodes: nodes.len(),
            reports: nodes.iter().map(|(_, node)| node.reports).sum(),
            interval_ms: interval.map_or(0, |(interval, _)| *interval),
            states,
            forecast: by(0),
            baselines: ByForecaster { persistence: by(1), max_last_5m: by(2), ewma: by(3), linear: by(4) },
            policy: self.fleet_policy(policy),
            forecast_all_states: ByResource { cpu, memory },
            model: self.model.clone(),
            resource: self.options.resource.to_string(),
            from_ms: self.span.map(|(from, _)| from),
            to_ms: self.span.map(|(_, to)| to),
            intervals_ms: self.intervals.clone(),
            linear: self.linear_report(),
            dropped,
            by_node: self.by_node(&nodes, policy),
        }
    }

    fn linear_report(&self) -> LinearReport {
        let learned_from = match (&self.options.linear, self.options.from_ms) {
            (Some(_), _) => "fit file",
            (None, Some(_)) => "before from",
            (None, None) => "what came before each forecast",
        };
        LinearReport {
            cpu_rows: self.linear.rows(Resource::Cpu),
            memory_rows: self.linear.rows(Resource::Memory),
            learned_from: learned_from.to_owned(),
        }
    }

    /// What the policy did on the whole fleet.
    fn fleet_policy(&self, policy: usize) -> PolicyReport {
        let mut sums = PolicySums::default();
        let mut ids: Vec<&String> = self.nodes.keys().collect();
        ids.sort();
        for node in ids.iter().filter_map(|id| self.nodes.get(*id)) {
            sums.merge(&node.policies[policy]);
        }
        let served = sums.mean_scale().map(|scale| ids.iter().map(|id| constant_served(&self.nodes[*id], scale)).sum());
        sums.report(&self.names[policy], served)
    }

    fn by_node(&self, nodes: &[(&String, &Node)], policy: usize) -> Vec<NodeReport> {
        let mut reports: Vec<NodeReport> = nodes
            .iter()
            .map(|(id, node)| {
                let sums = &node.policies[policy];
                let served = sums.mean_scale().map(|scale| constant_served(node, scale));
                NodeReport {
                    node_id: (*id).clone(),
                    reports: node.reports,
                    states: node.states,
                    forecast: by_resource(&node.errors, 0),
                    policy: sums.report(&self.names[policy], served),
                }
            })
            .collect();
        let violations = |node: &NodeReport| node.policy.horizon_violations_percent.unwrap_or(-1.0);
        reports.sort_by(|a, b| violations(b).total_cmp(&violations(a)));
        reports
    }
}

fn merge(into: &mut [[Errors; FORECASTERS]; 2], from: &[[Errors; FORECASTERS]; 2]) {
    for (into, from) in into.iter_mut().flatten().zip(from.iter().flatten()) {
        into.merge(from);
    }
}

fn by_resource(errors: &[[Errors; FORECASTERS]; 2], forecaster: usize) -> ByResource {
    let of = |resource: Resource| -> ForecastErrors { errors[resource as usize][forecaster].report() };
    ByResource { cpu: of(Resource::Cpu), memory: of(Resource::Memory) }
}

/// What a constant quota would have served, resource units.
fn constant_served(node: &Node, scale: f64) -> f64 {
    node.demands.iter().map(|(load, base)| f64::from(*load).min(scale) * f64::from(*base)).sum()
}
