//! A node's latest alerts, firing and resolved, as the page shows them.

use tidegate_schemas::records::Alert;

use super::decisions::cut;

/// Alerts kept of a node, those that fired last.
const KEPT: usize = 8;
/// Longer texts are cut here (characters): the page's memory must not depend on what others write.
const TEXT_CHARS: usize = 200;

/// One alert of a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NodeAlert {
    pub(super) fingerprint: String,
    pub(super) rule: String,
    pub(super) summary: String,
    pub(super) starts_at: i64,
    pub(super) fired_at: i64,
    pub(super) ends_at: Option<i64>,
    /// The trace of the report behind it.
    pub(super) trace: Option<String>,
}

impl NodeAlert {
    fn new(alert: &Alert, trace: Option<String>) -> Self {
        let summary = alert.annotations.get("summary").map_or("", String::as_str);
        Self {
            fingerprint: cut(&alert.fingerprint, TEXT_CHARS),
            rule: cut(&alert.rule, TEXT_CHARS),
            summary: cut(summary, TEXT_CHARS),
            starts_at: alert.starts_at,
            fired_at: alert.fired_at,
            ends_at: alert.ends_at,
            trace,
        }
    }
}

/// The alerts of a node in the order in which they fired, the newest state of each.
#[derive(Debug, Default)]
pub(super) struct NodeAlerts(Vec<NodeAlert>);

impl NodeAlerts {
    /// Takes a record; one that is known changes nothing.
    pub(super) fn take(&mut self, alert: &Alert, trace: Option<String>) {
        let new = NodeAlert::new(alert, trace);
        let is_same = |known: &NodeAlert| (known.fired_at, &known.fingerprint) == (new.fired_at, &new.fingerprint);
        match self.0.iter_mut().find(|known| is_same(known)) {
            // The trace by which it fired stays: that of its end leads to another decision.
            Some(known) => known.ends_at = known.ends_at.or(new.ends_at),
            None => self.0.push(new),
        }
        self.0.sort_by(|a, b| (a.fired_at, &a.fingerprint).cmp(&(b.fired_at, &b.fingerprint)));
        let too_many = self.0.len().saturating_sub(KEPT);
        self.0.drain(..too_many);
    }

    /// Newest first.
    pub(super) fn newest_first(&self) -> impl Iterator<Item = &NodeAlert> {
        self.0.iter().rev()
    }

    /// Whether one of them fires.
    pub(super) fn any_fires(&self) -> bool {
        self.0.iter().any(|alert| alert.ends_at.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(fingerprint: &str, fired_at: i64, ends_at: Option<i64>) -> Alert {
        Alert { fingerprint: fingerprint.into(), fired_at, ends_at, ..Alert::default() }
    }

    #[test]
    fn an_alert_stands_once_and_ends() {
        let mut alerts = NodeAlerts::default();
        alerts.take(&alert("a", 1, None), Some("by which it fired".into()));
        alerts.take(&alert("a", 1, None), None);
        assert!(alerts.any_fires());
        alerts.take(&alert("a", 1, Some(5)), Some("by which it ended".into()));
        alerts.take(&alert("a", 1, None), None);
        assert!(!alerts.any_fires(), "what was told before its end does not bring it back");
        let known: Vec<_> = alerts.newest_first().map(|alert| (alert.ends_at, alert.trace.as_deref())).collect();
        assert_eq!(known, [(Some(5), Some("by which it fired"))]);
    }

    #[test]
    fn the_last_few_are_kept() {
        let mut alerts = NodeAlerts::default();
        (0..20).for_each(|at| alerts.take(&alert("a", at, Some(at)), None));
        assert_eq!(
            alerts.newest_first().map(|alert| alert.fired_at).collect::<Vec<_>>(),
            (12..20).rev().collect::<Vec<_>>()
        );
    }
}
