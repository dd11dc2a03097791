//! The alerts of the topic, each in its newest state, and which are due to which target. No I/O, no clock.

use std::collections::{BTreeSet, HashMap};

use tidegate_schemas::records::{Alert, AlertStatus};

/// A resolved alert is of interest to nobody after so long, in ms of the wall clock since its record.
const RESOLVED_MS: i64 = 15 * 60_000;

/// An alert with what its record told beside it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) alert: Alert,
    pub(super) trace_id: Option<String>,
    kafka_ms: i64,
}

#[derive(Debug)]
pub(super) struct Known {
    alerts: HashMap<String, Entry>,
    due: Vec<BTreeSet<String>>,
}

impl Known {
    pub(super) fn new(targets: usize) -> Self {
        Self { alerts: HashMap::new(), due: vec![BTreeSet::new(); targets] }
    }

    /// Takes a record of the topic; the same may come again, and an older one never after a newer.
    pub(super) fn take(&mut self, alert: Alert, trace_id: Option<String>, kafka_ms: i64) {
        if alert.fingerprint.is_empty() || alert.labels.is_empty() {
            return;
        }
        let fingerprint = alert.fingerprint.clone();
        let entry = Entry { alert, trace_id, kafka_ms };
        let known = self.alerts.insert(fingerprint.clone(), entry);
        let same = known.is_some_and(|known| self.alerts.get(&fingerprint).is_some_and(|new| known.alert == new.alert));
        if !same {
            self.due.iter_mut().for_each(|due| due.extend([fingerprint.clone()]));
        }
    }

    /// All alerts that fire are to be sent again.
    pub(super) fn all_due(&mut self) {
        let fires = |(_, entry): &(&String, &Entry)| entry.alert.status == AlertStatus::Firing;
        for due in &mut self.due {
            due.extend(self.alerts.iter().filter(fires).map(|(fingerprint, _)| fingerprint.clone()));
        }
    }

    /// Forgets what was resolved long ago.
    pub(super) fn forget(&mut self, wall_ms: i64) {
        let is_old = |entry: &Entry| {
            entry.alert.status == AlertStatus::Resolved && wall_ms.saturating_sub(entry.kafka_ms) > RESOLVED_MS
        };
        if !self.alerts.values().any(is_old) {
            return;
        }
        self.alerts.retain(|_, entry| !is_old(entry));
        let alerts = &self.alerts;
        self.due.iter_mut().for_each(|due| due.retain(|fingerprint| alerts.contains_key(fingerprint)));
    }

    /// What is due to a target.
    pub(super) fn due(&self, target: usize) -> Vec<String> {
        self.due[target].iter().cloned().collect()
    }

    /// A target has these.
    pub(super) fn done(&mut self, target: usize, fingerprints: &[String]) {
        for fingerprint in fingerprints {
            self.due[target].remove(fingerprint);
            let nobody_waits = self.due.iter().all(|due| !due.contains(fingerprint));
            let resolved = |entry: &Entry| entry.alert.status == AlertStatus::Resolved;
            if nobody_waits && self.alerts.get(fingerprint).is_some_and(resolved) {
                self.alerts.remove(fingerprint);
            }
        }
    }

    pub(super) fn get(&self, fingerprint: &str) -> Option<&Entry> {
        self.alerts.get(fingerprint)
    }

    /// Alerts that fire.
    pub(super) fn firing(&self) -> usize {
        self.alerts.values().filter(|entry| entry.alert.status == AlertStatus::Firing).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(fingerprint: &str, status: AlertStatus) -> Alert {
        let labels = [("alertname".to_owned(), "A".to_owned())].into();
        Alert { fingerprint: fingerprint.into(), status, labels, ..Alert::default() }
    }

    #[test]
    fn what_fires_is_due_until_it_was_taken_and_again_when_asked_for() {
        let mut known = Known::new(2);
        known.take(alert("a", AlertStatus::Firing), None, 0);
        known.take(alert("a", AlertStatus::Firing), None, 1);
        known.done(0, &["a".to_owned()]);
        assert_eq!((known.due(0), known.due(1)), (vec![], vec!["a".to_owned()]));
        known.take(alert("a", AlertStatus::Firing), None, 2);
        assert!(known.due(0).is_empty(), "the same again is nothing new");
        known.all_due();
        assert_eq!(known.due(0), ["a"]);
        assert_eq!(known.firing(), 1);
    }

    #[test]
    fn what_is_resolved_is_told_to_each_once_and_then_forgotten() {
        let mut known = Known::new(2);
        known.take(alert("a", AlertStatus::Firing), None, 0);
        known.take(alert("a", AlertStatus::Resolved), None, 0);
        known.done(0, &["a".to_owned()]);
        known.all_due();
        assert_eq!((known.due(0).len(), known.due(1).len(), known.firing()), (0, 1, 0));
        assert!(known.get("a").is_some(), "one has not heard of it");
        known.done(1, &["a".to_owned()]);
        assert!(known.get("a").is_none());
    }

    #[test]
    fn what_was_resolved_long_ago_is_nobodys_business() {
        let mut known = Known::new(1);
        known.take(alert("a", AlertStatus::Resolved), None, 0);
        known.take(alert("b", AlertStatus::Firing), None, 0);
        known.forget(RESOLVED_MS);
        assert_eq!(known.due(0).len(), 2);
        known.forget(RESOLVED_MS + 1);
        assert_eq!(known.due(0), ["b"]);
    }
}
