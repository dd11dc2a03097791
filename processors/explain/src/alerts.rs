//! Alerts beside decisions: those of a node around one of its decisions, and the one that a fingerprint names.
//!
//! ```text
//! records of `alerts` ─┬─> Search (one fingerprint) ─> Alarm: its node, and when it fired ─> Evidence::of_alert
//!                      └─> Evidence (one node) ─> around(a decision's event time) ─> AlertView
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tidegate_broker::RawRecord;
use tidegate_schemas::records::Alert;
use tidegate_schemas::trace::TraceContext;
use tidegate_schemas::{Decoder, SchemaError, SchemaIds, Topic};

use crate::error::ExplainError;
use crate::held::Held;

/// An alert that held within so long of a decision, before or after, in ms of event time, is told beside it.
pub const AROUND_MS: i64 = 3_600_000;

/// How an alert stood at the event time of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum AlertState {
    /// Its condition did not hold yet.
    Later,
    /// Its condition held, and not for long enough.
    Pending,
    /// It fired.
    Firing,
    /// It was over.
    Resolved,
}

/// An alert beside a decision. Times are Unix ms of event time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertView {
    /// Names it, here and in Alertmanager.
    pub fingerprint: String,
    /// The rule.
    pub rule: String,
    /// How it stood at the decision.
    pub state: AlertState,
    /// When its condition began to hold.
    pub starts_at: i64,
    /// Since when it fires, or fired.
    pub fired_at: i64,
    /// When it ended; `None`: it fires on, as far as is known.
    pub ends_at: Option<i64>,
    /// What it says.
    pub summary: String,
    /// The trace of the report behind it; `None` where that began none.
    pub trace_id: Option<String>,
}

impl AlertView {
    fn of(held: &Held<Alert>, at: i64) -> Self {
        let Alert { fingerprint, rule, starts_at, fired_at, ends_at, annotations, .. } = held.record.clone();
        let state = match ends_at {
            Some(ended) if ended <= at => AlertState::Resolved,
            _ if fired_at <= at => AlertState::Firing,
            _ if starts_at <= at => AlertState::Pending,
            _ => AlertState::Later,
        };
        let summary = annotations.get("summary").cloned().unwrap_or_default();
        let trace_id = TraceContext::in_headers(&held.raw.headers).map(|trace| trace.trace_id());
        Self { fingerprint, rule, state, starts_at, fired_at, ends_at, summary, trace_id }
    }
}

/// The alert that a fingerprint names, in the newest state that is known of it.
#[derive(Debug, Clone)]
pub struct Alarm(pub(crate) Held<Alert>);

impl Alarm {
    /// The node that it is about.
    #[must_use]
    pub fn node_id(&self) -> &str {
        &self.0.record.node_id
    }

    /// Event time of the evaluation since which it fires.
    #[must_use]
    pub fn fired_at(&self) -> i64 {
        self.0.record.fired_at
    }

    /// It beside a decision of this event time.
    pub(crate) fn view(&self, at: i64) -> AlertView {
        AlertView::of(&self.0, at)
    }
}

/// Looks for the alert of one fingerprint.
#[derive(Debug)]
pub struct Search {
    fingerprint: String,
    decoder: Decoder,
    found: Option<Held<Alert>>,
    others: u64,
}

impl Search {
    /// Nothing found yet; a fingerprint as Alertmanager's API and `amtool` show it.
    #[must_use]
    pub fn of(fingerprint: &str, ids: Arc<dyn SchemaIds>) -> Self {
        Self { fingerprint: fingerprint.to_ascii_lowercase(), decoder: Decoder::new(ids), found: None, others: 0 }
    }

    /// Takes a record of any topic, in whatever order; what is no alert is passed over.
    ///
    /// # Errors
    /// A retryable one while the source of schema ids is away.
    pub fn take(&mut self, raw: &RawRecord) -> Result<(), SchemaError> {
        let Some(alert) = decode(&mut self.decoder, raw)? else { return Ok(()) };
        if alert.fingerprint != self.fingerprint {
            self.others += 1;
        } else if self.found.as_ref().is_none_or(|known| newness(&known.record) <= newness(&alert)) {
            self.found = Some(Held { raw: raw.clone(), record: alert });
        }
        Ok(())
    }

    /// Whether a record of it was found.
    #[must_use]
    pub fn is_found(&self) -> bool {
        self.found.is_some()
    }

    /// What was found.
    ///
    /// # Errors
    /// [`ExplainError::UnknownAlert`], and [`ExplainError::AlertOfNoNode`] where it is about several nodes: no single decision led to it.
    pub fn end(self) -> Result<Alarm, ExplainError> {
        let Self { fingerprint, found, others, .. } = self;
        let Some(held) = found else { return Err(ExplainError::UnknownAlert { fingerprint, others }) };
        if held.record.node_id.is_empty() {
            let Alert { rule, labels, fired_at, .. } = held.record;
            let labels = labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ");
            return Err(ExplainError::AlertOfNoNode { rule, labels, fired_at });
        }
        Ok(Alarm(held))
    }
}

/// The alert of a record; `None` for what is none.
pub(crate) fn decode(decoder: &mut Decoder, raw: &RawRecord) -> Result<Option<Alert>, SchemaError> {
    let Some(value) = raw.value.as_deref().filter(|_| raw.topic.ends_with(Topic::Alerts.short_name())) else {
        return Ok(None);
    };
    match decoder.decode(value) {
        Ok(alert) => Ok(Some(alert)),
        Err(e) if e.is_retryable() => Err(e),
        Err(_) => Ok(None),
    }
}

/// What is newer of one alert is larger.
fn newness(alert: &Alert) -> (i64, bool) {
    (alert.fired_at, alert.ends_at.is_some())
}

/// The alerts of a node around a decision of event time `at`, each once, in the order in which they fired.
pub(crate) fn around(alerts: &[Held<Alert>], at: i64) -> Vec<AlertView> {
    let mut newest: BTreeMap<(i64, &str), &Held<Alert>> = BTreeMap::new();
    for held in alerts {
        let name = (held.record.fired_at, held.record.fingerprint.as_str());
        let known = newest.entry(name).or_insert(held);
        if newness(&known.record) < newness(&held.record) {
            *known = held;
        }
    }
    let (from, to) = (at.saturating_sub(AROUND_MS), at.saturating_add(AROUND_MS));
    let is_near = |alert: &Alert| alert.starts_at <= to && alert.ends_at.is_none_or(|ended| ended >= from);
    newest.into_values().filter(|held| is_near(&held.record)).map(|held| AlertView::of(held, at)).collect()
}
