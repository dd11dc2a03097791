//! [`PageState`]: all that the page knows. Pure: records in, views out, bounded memory.
//!
//! Memory: at most [`Limits::nodes`] nodes, each with [`POINTS`](super::POINTS) points of 32 bytes and its
//! last 12 decisions and 8 alerts, and [`Limits::decisions`] decisions of the fleet; a decision is under 2 KiB, in practice 300 bytes.
//! Traces have a bound of their own (`traces.rs`). Nodes beyond the limit are not shown, and the page says so.
//! Controls of at most as many targets as there may be nodes, each under 1 KiB, and at most 32 of a target.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_schemas::controls::Controls;
use tidegate_schemas::records::{Alert, Control, Forecast, LoadReport, QuotaCommand, Span};

use super::decisions::{Beside, Decisions, cut};
use super::history::SPAN_MS;
use super::node::Node;
use super::raise::RaiseTally;
use super::traces::{Asker, NAME_CHARS, Traces};

/// Node ids longer than this (bytes) are not shown.
const ID_BYTES: usize = 200;

/// How much the page keeps.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Nodes shown at most: the first ones seen. A node silent for 2 hours makes room for another.
    pub nodes: usize,
    /// Decisions kept, the latest ones.
    pub decisions: usize,
}

impl Default for Limits {
    /// 2,000 nodes (some 25 MB when all histories are full) and 200 decisions.
    fn default() -> Self {
        Self { nodes: 2000, decisions: 200 }
    }
}

/// How the pipeline does; measured by whoever runs it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PageStats {
    /// Load reports a second.
    pub reports_per_s: f64,
    /// Forecasts a second.
    pub forecasts_per_s: f64,
    /// Quota commands a second.
    pub commands_per_s: f64,
    /// Records that wait to be processed, all stages together.
    pub lag: Option<i64>,
    /// Median time from a report's produce call to its quota command in the edge's hands, milliseconds.
    pub latency_p50_ms: Option<f64>,
    /// The same, 99th percentile.
    pub latency_p99_ms: Option<f64>,
    /// Records set aside since the start.
    pub dead_letters: u64,
    /// Address of the broker, `host:port`; any Kafka client may connect to it.
    pub broker: String,
    /// Event time of the fleet, milliseconds since the epoch.
    pub event_time: Option<i64>,
    /// Event time over wall-clock time; `None`: as fast as it goes.
    pub speed: Option<f64>,
}

/// The page's state.
#[derive(Debug)]
pub struct PageState {
    limits: Limits,
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) decisions: Decisions,
    pub(super) tally: RaiseTally,
    pub(super) stats: PageStats,
    pub(super) controls: Controls,
    pub(super) traces: Traces,
    pub(super) event_time: Option<i64>,
    /// Whether a node found no room since the last [`PageState::make_room`].
    pub(super) crowded: bool,
    turned_away: bool,
}

impl PageState {
    /// An empty page.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            nodes: BTreeMap::new(),
            decisions: Decisions::new(limits.decisions),
            tally: RaiseTally::default(),
            stats: PageStats::default(),
            controls: Controls::default(),
            traces: Traces::default(),
            event_time: None,
            crowded: false,
            turned_away: false,
        }
    }

    /// Takes a report. The first one of a node makes the node known; an invalid one is passed over (whoever reads the
    /// topic also holds it against the log: [`LoadReport::validate_in_log`]).
    pub fn apply_report(&mut self, report: &LoadReport) {
        if report.validate().is_err() {
            return;
        }
        if !self.nodes.contains_key(&report.node_id) {
            if self.nodes.len() >= self.limits.nodes || report.node_id.len() > ID_BYTES {
                self.turned_away = true;
                return;
            }
            self.nodes.insert(report.node_id.clone(), Node::new(report));
        }
        self.event_time = self.event_time.max(Some(report.timestamp));
        if let Some(node) = self.nodes.get_mut(&report.node_id) {
            node.report(report, &mut self.tally);
        }
    }

    /// Takes a forecast; one of a node that never reported is passed over.
    pub fn apply_forecast(&mut self, forecast: &Forecast) {
        if let Some(node) = self.nodes.get_mut(&forecast.node_id) {
            node.forecast(forecast);
        }
    }

    /// Takes a command; one of a node that never reported is passed over.
    pub fn apply_command(&mut self, command: &QuotaCommand, beside: Beside) {
        let Some(node) = self.nodes.get_mut(&command.node_id) else { return };
        if let Some(decision) = node.command(command, beside, &mut self.tally) {
            let asker = Asker { node: decision.node.clone(), rule: None, t: decision.t };
            self.traces.want(decision.trace.as_deref(), asker);
            self.decisions.push(decision);
        }
    }

    /// Takes a record of an alert and its trace; one about no node, or a node that never reported, is passed over.
    pub fn apply_alert(&mut self, alert: &Alert, trace: Option<String>) {
        let Some(node) = self.nodes.get_mut(&alert.node_id) else { return };
        let rule = Some(cut(&alert.rule, NAME_CHARS));
        self.traces.want(trace.as_deref(), Asker { node: alert.node_id.clone(), rule, t: alert.fired_at });
        node.alerts.take(alert, trace);
    }

    /// Takes a span of any trace.
    pub fn apply_span(&mut self, span: &Span) {
        self.traces.take(span);
    }

    /// Takes a record of the controls topic; `None`: a tombstone. An invalid one is passed over, as the stages do.
    pub fn apply_control(&mut self, key: &str, control: Option<Control>) {
        let Some(control) = control else { return self.controls.forget(key) };
        let has_room = self.controls.targets() < self.limits.nodes || self.controls.last(key).is_some();
        if has_room && control.validate_in_log(key).is_ok() {
            self.controls.take(control);
        }
    }

    /// Controls in force for a node at its latest report: its own, then its pool's.
    pub(super) fn controls_of(&self, id: &str, node: &Node) -> impl Iterator<Item = &Control> {
        [self.controls.of_node(id, node.t), self.controls.of_pool(&node.pool, node.t)].into_iter().flatten()
    }

    /// Takes the latest figures of the pipeline.
    pub fn apply_stats(&mut self, stats: PageStats) {
        self.stats = stats;
    }

    /// Forgets nodes silent for 2 hours of event time, if nodes found no room. To be called now and then.
    pub fn make_room(&mut self) {
        self.crowded = std::mem::take(&mut self.turned_away);
        if let (true, Some(now)) = (self.crowded, self.event_time) {
            self.nodes.retain(|_, node| node.t.saturating_add(SPAN_MS) > now);
        }
    }

    /// How raises ended so far.
    #[must_use]
    pub fn tally(&self) -> RaiseTally {
        self.tally
    }
}
