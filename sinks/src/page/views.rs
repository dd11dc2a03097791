//! The JSON that the page and `/api` hand out. Fleet and history are columns (one array a field), which keeps a fleet of
//! 1,000 nodes at some 30 KB.
//!
//! Loads, forecasts and quotas are fractions of the base quota, times are event times in milliseconds since the epoch;
//! `null`: not known.

use serde::Serialize;
use tidegate_schemas::records::Control;

use super::decisions::Decision;
use super::joined::{AlertView, DecisionView};
use super::node::Node;
use super::raise::{Raise, THRESHOLD};
use super::state::PageState;

/// The fleet at a glance.
#[derive(Debug, Serialize)]
pub struct FleetView<'a> {
    t: Option<i64>,
    ids: Vec<&'a str>,
    load: Vec<f32>,
    /// Forecast peak of the next 5 minutes (p50).
    peak: Vec<f32>,
    /// Quota by the latest command.
    quota: Vec<f32>,
    /// A letter a node: W(ARMING), R(EADY), D(EMOTED), S(ilent), `-` no forecast yet.
    state: String,
    /// A letter a node: a(head), c(onfirmed), m(issed), l(ate), `-` not raised.
    raise: String,
    /// A letter a node: c(ontrol in force), `-` none.
    control: String,
    counts: Counts,
    raises: Raises,
    /// Whether there are more nodes than the page shows.
    crowded: bool,
}

/// How many nodes are what.
#[derive(Debug, Default, Serialize)]
struct Counts {
    nodes: usize,
    hot: usize,
    ahead: usize,
    warming: usize,
    ready: usize,
    demoted: usize,
    silent: usize,
    /// Under an operator's control.
    controlled: usize,
    /// With an alert that fires.
    alerting: usize,
}

/// How raises ended since the start.
#[derive(Debug, Serialize)]
struct Raises {
    confirmed: u64,
    missed: u64,
    late: u64,
    mean_lead_ms: Option<i64>,
}

/// One node and its last 2 hours.
#[derive(Debug, Serialize)]
pub struct NodeView<'a> {
    id: &'a str,
    pool: &'a str,
    t: i64,
    base_quota: f64,
    load: f32,
    /// Letter as in the fleet view.
    state: char,
    model: &'a str,
    raise: RaiseView,
    /// By the latest command.
    decision: Option<&'a Decision>,
    /// The node's own latest decisions, newest first.
    decisions: Vec<DecisionView<'a>>,
    /// Its latest alerts, newest first.
    alerts: Vec<AlertView<'a>>,
    /// Controls in force: the node's own, then its pool's.
    controls: Vec<ControlView<'a>>,
    next: Option<Next<'a>>,
    points: Columns,
}

/// An operator's control in force.
#[derive(Debug, Serialize)]
struct ControlView<'a> {
    /// The node's id, or `pool:NAME`.
    target: &'a str,
    /// What it asks for.
    words: Vec<String>,
    by: &'a str,
    why: &'a str,
    from: i64,
    until: Option<i64>,
}

impl<'a> From<&'a Control> for ControlView<'a> {
    fn from(control: &'a Control) -> Self {
        let Control { target, by, why, timestamp, until, .. } = control;
        Self { target, words: control.words(), by, why, from: *timestamp, until: *until }
    }
}

#[derive(Debug, Serialize)]
struct RaiseView {
    state: char,
    at: Option<i64>,
    lead_ms: Option<i64>,
}

/// The next 5 minutes by the latest forecast, for the resource whose peak decides.
#[derive(Debug, Serialize)]
struct Next<'a> {
    t: i64,
    resource: &'a str,
    path: Vec<f32>,
    p50: f32,
    p90: f32,
}

/// The past, oldest first; `t` is the start of each 30 s step.
#[derive(Debug, Default, Serialize)]
struct Columns {
    t: Vec<i64>,
    cpu: Vec<f32>,
    memory: Vec<f32>,
    p50: Vec<f32>,
    p90: Vec<f32>,
    quota: Vec<f32>,
}

/// The latest decisions, newest first.
#[derive(Debug, Serialize)]
pub struct DecisionsView<'a> {
    decisions: Vec<DecisionView<'a>>,
}

/// Three decimals are what a page can show; NaN becomes `null`.
fn short(value: f32) -> f32 {
    (value * 1000.0).round() / 1000.0
}

impl PageState {
    /// The fleet at a glance, nodes in the order of their names.
    #[must_use]
    pub fn fleet(&self) -> FleetView<'_> {
        let tally = self.tally;
        let mut view = FleetView {
            t: self.event_time,
            ids: Vec::with_capacity(self.nodes.len()),
            load: Vec::with_capacity(self.nodes.len()),
            peak: Vec::with_capacity(self.nodes.len()),
            quota: Vec::with_capacity(self.nodes.len()),
            state: String::with_capacity(self.nodes.len()),
            raise: String::with_capacity(self.nodes.len()),
            control: String::with_capacity(self.nodes.len()),
            counts: Counts { nodes: self.nodes.len(), ..Counts::default() },
            raises: Raises {
                confirmed: tally.confirmed,
                missed: tally.missed,
                late: tally.late,
                mean_lead_ms: tally.mean_lead_ms(),
            },
            crowded: self.crowded,
        };
        for (id, node) in &self.nodes {
            view.push(id, node, self.controls_of(id, node).next().is_some());
        }
        view
    }

    /// One node and its last 2 hours; `None`: not known.
    #[must_use]
    pub fn node(&self, id: &str) -> Option<NodeView<'_>> {
        let (id, node) = self.nodes.get_key_value(id)?;
        let mut points = Columns::default();
        for point in node.history.points() {
            points.t.push(point.start);
            points.cpu.push(short(point.cpu));
            points.memory.push(short(point.memory));
            points.p50.push(short(point.p50));
            points.p90.push(short(point.p90));
            points.quota.push(short(point.quota()));
        }
        Some(NodeView {
            id,
            pool: &node.pool,
            t: node.t,
            base_quota: node.base_quota,
            load: short(node.load() as f32),
            state: node.state_letter(self.event_time),
            model: node.ahead.as_ref().map_or("", |ahead| &ahead.model),
            raise: RaiseView::from(node.raise),
            decision: node.decision.as_ref(),
            decisions: node.listed.newest_first().map(|decision| self.joined(decision)).collect(),
            alerts: self.alerts_of(node),
            controls: self.controls_of(id, node).map(ControlView::from).collect(),
            next: node.ahead.as_ref().map(|ahead| Next {
                t: ahead.t,
                resource: ahead.resource,
                path: ahead.path.iter().map(|load| short(*load)).collect(),
                p50: short(ahead.peak.p50 as f32),
                p90: short(ahead.peak.p90 as f32),
            }),
            points,
        })
    }

    /// The latest `most` decisions, newest first.
    #[must_use]
    pub fn decisions(&self, most: usize) -> DecisionsView<'_> {
        DecisionsView {
            decisions: self.decisions.newest_first().take(most).map(|decision| self.joined(decision)).collect(),
        }
    }

    /// The latest figures of the pipeline.
    #[must_use]
    pub fn stats(&self) -> &super::PageStats {
        &self.stats
    }
}

impl<'a> FleetView<'a> {
    fn push(&mut self, id: &'a str, node: &Node, controlled: bool) {
        let state = node.state_letter(self.t);
        match state {
            'W' => self.counts.warming += 1,
            'R' => self.counts.ready += 1,
            'D' => self.counts.demoted += 1,
            'S' => self.counts.silent += 1,
            _ => {}
        }
        self.counts.hot += usize::from(node.load() > THRESHOLD);
        self.counts.alerting += usize::from(node.alerts.any_fires());
        self.counts.ahead += usize::from(matches!(node.raise, Raise::Ahead { .. }));
        self.ids.push(id);
        self.load.push(short(node.load() as f32));
        self.peak.push(node.ahead.as_ref().map_or(f32::NAN, |ahead| short(ahead.peak.p50 as f32)));
        self.quota.push(node.decision.as_ref().map_or(f32::NAN, |decision| short(decision.scale as f32)));
        self.state.push(state);
        self.raise.push(node.raise.letter());
        self.control.push(if controlled { 'c' } else { '-' });
        self.counts.controlled += usize::from(controlled);
    }
}

impl From<Raise> for RaiseView {
    fn from(raise: Raise) -> Self {
        let (at, lead_ms) = match raise {
            Raise::None => (None, None),
            Raise::Ahead { at } | Raise::Missed { at } | Raise::Late { at } => (Some(at), None),
            Raise::Confirmed { at, lead_ms } => (Some(at), Some(lead_ms)),
        };
        Self { state: raise.letter(), at, lead_ms }
    }
}
