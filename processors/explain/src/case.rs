//! One decision taken out of the evidence: the command, its forecast, the command before it, and the stretch of load.

use std::collections::BTreeMap;

use tidegate_forecast::REACH_MS;
use tidegate_schemas::records::{Alert, Control, Forecast, LoadReport, QuotaCommand};

use crate::alerts::Alarm;
use crate::error::ExplainError;
use crate::evidence::{Evidence, Oldest};
use crate::held::Held;

/// How far back a decision depends on reports, in words.
#[must_use]
pub fn reach() -> String {
    let minutes = (REACH_MS + 59_999) / 60_000;
    format!("{} h {} min", minutes / 60, minutes % 60)
}

/// Which of a node's decisions is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The last one.
    Last,
    /// The one in force at an event time (Unix ms): the last at or before it.
    At(i64),
    /// The one that answered the report with this sequence.
    Sequence(i64),
}

/// One decision with what it depends on.
#[derive(Debug)]
pub struct Case {
    /// Reports of the stretch in the order of their log; the last one led to the decision.
    pub(crate) stretch: Vec<Held<LoadReport>>,
    /// Why the stretch may not be whole.
    pub(crate) missing: Option<String>,
    /// As they stand on their topics; `None` where they are not there.
    pub(crate) command: Option<Held<QuotaCommand>>,
    pub(crate) forecast: Option<Held<Forecast>>,
    /// The command before it, from which the decision went on.
    pub(crate) before: Option<QuotaCommand>,
    /// In the order of their topic.
    pub(crate) controls: Vec<Held<Option<Control>>>,
    pub(crate) alerts: Vec<Held<Alert>>,
    /// The alert that was asked about.
    pub(crate) alarm: Option<Alarm>,
}

impl Case {
    /// Takes the wanted decision out of the evidence.
    ///
    /// # Errors
    /// Where the node is unknown, has no such decision, or the report that led to it is gone.
    pub fn of(evidence: Evidence, wanted: Wanted) -> Result<Self, ExplainError> {
        if evidence.is_empty() {
            return Err(ExplainError::UnknownNode(evidence.node_id));
        }
        let sequence = choose(&evidence, wanted)?;
        let Evidence { mut reports, forecasts, commands, mut controls, alerts, alarm, oldest, .. } = evidence;
        controls.sort_by_key(|held| held.raw.offset);
        let before = commands.iter().filter(|held| held.record.sequence < sequence);
        let before = before.max_by_key(|held| held.record.sequence).map(|held| held.record.clone());
        let command = commands.into_iter().find(|held| held.record.sequence == sequence);
        let forecast = forecasts.into_iter().find(|held| held.record.sequence == sequence);
        let cause = command.as_ref().map(|held| held.record.cause.clone());
        let cause = cause.or_else(|| forecast.as_ref().map(|held| held.record.cause.clone()));
        let (topic, partition, offset) = match &cause {
            Some(cause) => (cause.topic.clone(), cause.partition, cause.offset),
            // Without command and forecast, the first report of that sequence is what they would have answered.
            None => reports.iter().find(|held| held.record.sequence == sequence).map_or_else(
                || (String::new(), 0, -1),
                |held| (held.raw.topic.clone(), held.raw.partition, held.raw.offset),
            ),
        };
        reports.retain(|held| held.raw.topic == topic && held.raw.partition == partition && held.raw.offset <= offset);
        reports.sort_by_key(|held| held.raw.offset);
        reports.dedup_by_key(|held| held.raw.offset);
        let Some(last) = reports.last().filter(|held| held.raw.offset == offset) else {
            return Err(ExplainError::ReportGone { topic, partition, offset, reach: reach() });
        };
        let since = last.record.timestamp.saturating_sub(REACH_MS);
        let kept = reports.iter().position(|held| held.record.timestamp >= since).unwrap_or(0);
        let missing = if kept > 0 { None } else { missing(&oldest, &topic, partition, since) };
        Ok(Self { stretch: reports.split_off(kept), missing, command, forecast, before, controls, alerts, alarm })
    }
}

/// Whether reports of the stretch may be missing at its begin; `None`: they are all there, or never were.
fn missing(oldest: &BTreeMap<(String, i32), Oldest>, topic: &str, partition: i32, since: i64) -> Option<String> {
    let oldest = oldest.get(&(topic.to_owned(), partition))?;
    let reaches_back = oldest.event_time.is_some_and(|at| at < since);
    (oldest.offset > 0 && !reaches_back).then(|| {
        format!(
            "{topic}/{partition} begins here with offset {}, inside the {} that the decision depends on; reports \
             before it may be missing",
            oldest.offset,
            reach()
        )
    })
}

/// The sequence of the wanted decision: that of a command, or of a report where no command of the node is there at all.
fn choose(evidence: &Evidence, wanted: Wanted) -> Result<i64, ExplainError> {
    let commands = evidence.commands.iter().map(|held| (held.record.sequence, held.record.timestamp));
    let reports = evidence.reports.iter().map(|held| (held.record.sequence, held.record.timestamp));
    let all: BTreeMap<i64, i64> = if evidence.commands.is_empty() { reports.collect() } else { commands.collect() };
    let node = evidence.node_id.clone();
    let there = || match (all.first_key_value(), all.last_key_value()) {
        (Some((first, from_ms)), Some((last, to_ms))) => {
            format!("there are sequences {first} to {last}, of event times {from_ms} to {to_ms}")
        }
        _ => "there is none at all".to_owned(),
    };
    // Where there are commands, a report that has none is no answer.
    let found = evidence.cause(wanted).filter(|_| evidence.commands.is_empty() || evidence.has_command(wanted));
    match (found, wanted) {
        (Some((_, _, sequence, _)), _) => Ok(sequence),
        (None, Wanted::At(at_ms)) => Err(ExplainError::NothingBefore { node, at_ms, there: there() }),
        (None, Wanted::Sequence(sequence)) => Err(ExplainError::NoSuchSequence { node, sequence, there: there() }),
        (None, Wanted::Last) => Err(ExplainError::UnknownNode(node)),
    }
}
