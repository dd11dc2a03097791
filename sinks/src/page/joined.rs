//! Decisions, alerts and traces, each with the way to the other two.
//!
//! An alert belongs to the decision by which its node had its quota when it fired: the last one listed by then.

use serde::Serialize;

use super::alerts::NodeAlert;
use super::decisions::Decision;
use super::node::Node;
use super::state::PageState;
use super::traces::{Asker, Place, TraceView};

/// A decision with what belongs to it.
#[derive(Debug, Serialize)]
pub(super) struct DecisionView<'a> {
    #[serde(flatten)]
    decision: &'a Decision,
    /// Spans of its trace that can be drawn.
    spans: usize,
    /// Rules of the alerts that fired under it.
    alerts: Vec<&'a str>,
}

/// An alert with what belongs to it.
#[derive(Debug, Serialize)]
pub(super) struct AlertView<'a> {
    fingerprint: &'a str,
    rule: &'a str,
    summary: &'a str,
    starts_at: i64,
    fired_at: i64,
    /// `null`: it fires.
    ends_at: Option<i64>,
    trace: Option<&'a str>,
    /// Spans of its trace that can be drawn.
    spans: usize,
    /// Event time of the decision under which it fired.
    decision: Option<i64>,
}

/// The decision under which an alert of the node fired, as far as it is kept.
fn decision_of<'a>(node: &'a Node, alert: &NodeAlert) -> Option<&'a Decision> {
    node.listed.newest_first().find(|decision| decision.t <= alert.fired_at)
}

impl PageState {
    /// A decision beside what belongs to it.
    pub(super) fn joined<'a>(&'a self, decision: &'a Decision) -> DecisionView<'a> {
        let under = |node: &'a Node| {
            let is_under = |alert: &&NodeAlert| decision_of(node, alert).is_some_and(|of| of.t == decision.t);
            node.alerts.newest_first().filter(is_under).map(|alert| alert.rule.as_str()).collect()
        };
        let alerts = self.nodes.get(&decision.node).map(under).unwrap_or_default();
        DecisionView { decision, spans: self.traces.spans(decision.trace.as_deref()), alerts }
    }

    /// The alerts of a node, newest first.
    pub(super) fn alerts_of<'a>(&'a self, node: &'a Node) -> Vec<AlertView<'a>> {
        let view = |alert: &'a NodeAlert| AlertView {
            fingerprint: &alert.fingerprint,
            rule: &alert.rule,
            summary: &alert.summary,
            starts_at: alert.starts_at,
            fired_at: alert.fired_at,
            ends_at: alert.ends_at,
            trace: alert.trace.as_deref(),
            spans: self.traces.spans(alert.trace.as_deref()),
            decision: decision_of(node, alert).map(|decision| decision.t),
        };
        node.alerts.newest_first().map(view).collect()
    }

    /// A trace, and where it leads; `None`: no span of it is here.
    #[must_use]
    pub fn trace(&self, id: &str) -> Option<TraceView<'_>> {
        let mut view = self.traces.view(id)?;
        let is_it = |trace: Option<&String>| trace.is_some_and(|trace| trace.eq_ignore_ascii_case(id));
        for (name, node) in &self.nodes {
            let mut decisions = node.listed.newest_first().chain(&node.decision);
            if let Some(Decision { t, .. }) = decisions.find(|decision| is_it(decision.trace.as_ref())) {
                view.decision = Some(Place { node: name, name: "", t: *t });
            }
            let alerts = node.alerts.newest_first().filter(|alert| is_it(alert.trace.as_ref()));
            view.alerts.extend(alerts.map(|alert| Place { node: name, name: &alert.rule, t: alert.fired_at }));
        }
        if let Some(Asker { node, rule, t }) = self.traces.asker(id).filter(|_| view.leads_nowhere()) {
            match rule {
                Some(rule) => view.alerts.push(Place { node, name: rule, t: *t }),
                None => view.decision = Some(Place { node, name: "", t: *t }),
            }
        }
        Some(view)
    }
}

#[cfg(test)]
mod tests;
