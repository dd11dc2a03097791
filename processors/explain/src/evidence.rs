//! Records of any topics, sorted by what they are; only those of one node are kept, its alerts among them, and the controls.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_broker::RawRecord;
use tidegate_schemas::records::{Alert, Cause, Control, Forecast, LoadReport, QuotaCommand, Record};
use tidegate_schemas::{Decoder, SchemaError, SchemaIds, Topic};

use crate::alerts::{self, Alarm};
use crate::case::Wanted;
use crate::held::{Held, chosen};

/// The oldest record that is known of a partition of the load topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Oldest {
    pub(crate) offset: i64,
    pub(crate) event_time: Option<i64>,
}

/// What is known of one node.
#[derive(Debug)]
pub struct Evidence {
    pub(crate) node_id: String,
    decoder: Decoder,
    /// In the order of their partitions.
    pub(crate) reports: Vec<Held<LoadReport>>,
    pub(crate) forecasts: Vec<Held<Forecast>>,
    pub(crate) commands: Vec<Held<QuotaCommand>>,
    pub(crate) controls: Vec<Held<Option<Control>>>,
    pub(crate) alerts: Vec<Held<Alert>>,
    /// The alert that was asked about.
    pub(crate) alarm: Option<Alarm>,
    pub(crate) oldest: BTreeMap<(String, i32), Oldest>,
}

impl Evidence {
    /// Nothing yet.
    #[must_use]
    pub fn of(node_id: &str, ids: Arc<dyn SchemaIds>) -> Self {
        Self {
            node_id: node_id.to_owned(),
            decoder: Decoder::new(ids),
            reports: Vec::new(),
            forecasts: Vec::new(),
            commands: Vec::new(),
            controls: Vec::new(),
            alerts: Vec::new(),
            alarm: None,
            oldest: BTreeMap::new(),
        }
    }

    /// Nothing yet, of the node that an alert is about.
    #[must_use]
    pub fn of_alert(alarm: Alarm, ids: Arc<dyn SchemaIds>) -> Self {
        Self { alarm: Some(alarm.clone()), ..Self::of(alarm.node_id(), ids) }
    }

    /// Takes a record of any topic, in whatever order the topics come; one of another node, or that is none of ours, is
    /// passed over.
    ///
    /// # Errors
    /// A retryable one while the source of schema ids is away.
    pub fn take(&mut self, raw: RawRecord) -> Result<(), SchemaError> {
        self.note_oldest(&raw)?;
        let is_own = raw.key.as_deref() == Some(self.node_id.as_bytes());
        if is_own {
            if let Some(record) = self.decode(&raw)? {
                self.reports.push(Held { raw, record });
                return Ok(());
            }
            if let Some(record) = self.decode(&raw)? {
                self.forecasts.push(Held { raw, record });
                return Ok(());
            }
            if let Some(record) = self.decode(&raw)? {
                self.commands.push(Held { raw, record });
                return Ok(());
            }
        }
        if let Some(record) = alerts::decode(&mut self.decoder, &raw)? {
            if record.node_id == self.node_id {
                self.alerts.push(Held { raw, record });
            }
            return Ok(());
        }
        let is_tombstone = raw.value.is_none() && raw.topic.ends_with(Topic::Controls.short_name());
        let control = self.decode::<Control>(&raw)?;
        if is_tombstone || control.is_some() {
            self.controls.push(Held { raw, record: control });
        }
        Ok(())
    }

    /// Event time of a record of the load topic, of whatever node; `None` for one that is no report. It is not kept.
    ///
    /// # Errors
    /// As [`Evidence::take`].
    pub fn report_time(&mut self, raw: &RawRecord) -> Result<Option<i64>, SchemaError> {
        Ok(self.decode::<LoadReport>(raw)?.map(|report| report.timestamp))
    }

    /// Whether a record of the controls topic is here.
    #[must_use]
    pub fn has_controls(&self) -> bool {
        !self.controls.is_empty()
    }

    /// Whether nothing is known of the node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.forecasts.is_empty() && self.commands.is_empty()
    }

    /// The node's pool, by its newest report; `None` without one.
    #[must_use]
    pub fn pool(&self) -> Option<&str> {
        let newest = self.reports.iter().max_by_key(|held| held.record.sequence);
        newest.map(|held| held.record.pool.as_str())
    }

    /// Whether the wanted command is here.
    #[must_use]
    pub fn has_command(&self, wanted: Wanted) -> bool {
        self.command(wanted).is_some()
    }

    /// Whether the wanted command is here, and the one before it.
    #[must_use]
    pub fn has_command_and_before(&self, wanted: Wanted) -> bool {
        let sequence = self.command(wanted).map(|held| held.record.sequence);
        sequence.is_some_and(|sequence| self.commands.iter().any(|held| held.record.sequence < sequence))
    }

    /// The report that led to the wanted command, or that it would have answered, and where its forecast may be found:
    /// its position, event time and sequence, and the partition of the command.
    #[must_use]
    pub fn cause(&self, wanted: Wanted) -> Option<(Cause, i64, i64, Option<i32>)> {
        if let Some(Held { raw, record }) = self.command(wanted) {
            return Some((record.cause.clone(), record.timestamp, record.sequence, Some(raw.partition)));
        }
        let Held { raw, record } = chosen(self.reports.iter(), wanted, |report| (report.timestamp, report.sequence))?;
        let cause = Cause { topic: raw.topic.clone(), partition: raw.partition, offset: raw.offset };
        Some((cause, record.timestamp, record.sequence, None))
    }

    /// Whether the forecast with this sequence is here.
    #[must_use]
    pub fn has_forecast(&self, sequence: i64) -> bool {
        self.forecasts.iter().any(|held| held.record.sequence == sequence)
    }

    /// Whether a report from before this event time is here.
    #[must_use]
    pub fn has_report_before(&self, since: i64) -> bool {
        self.reports.iter().any(|held| held.record.timestamp < since)
    }

    /// Event time of the oldest report that is known of a partition of the load topic, of whatever node.
    #[must_use]
    pub fn oldest(&self, topic: &str, partition: i32) -> Option<i64> {
        self.oldest.get(&(topic.to_owned(), partition))?.event_time
    }

    /// The wanted command; the last one is the last whose report may be here: recordings of two topics do not end together.
    fn command(&self, wanted: Wanted) -> Option<&Held<QuotaCommand>> {
        let name = |command: &QuotaCommand| (command.timestamp, command.sequence);
        let newest = self.reports.iter().map(|held| held.record.sequence).max();
        let is_later = |held: &&Held<QuotaCommand>| newest.is_some_and(|newest| held.record.sequence > newest);
        let answered = |held: &&Held<QuotaCommand>| wanted != Wanted::Last || !is_later(held);
        let found = chosen(self.commands.iter().filter(answered), wanted, name);
        found.or_else(|| chosen(self.commands.iter(), wanted, name))
    }

    fn note_oldest(&mut self, raw: &RawRecord) -> Result<(), SchemaError> {
        let place = (raw.topic.clone(), raw.partition);
        let known = self.oldest.get(&place).map_or(i64::MAX, |oldest| oldest.offset);
        if raw.offset < known {
            let event_time = self.report_time(raw)?;
            self.oldest.insert(place, Oldest { offset: raw.offset, event_time });
        }
        Ok(())
    }

    /// `None` for what is no such record.
    fn decode<T: Record>(&mut self, raw: &RawRecord) -> Result<Option<T>, SchemaError> {
        let Some(value) = &raw.value else { return Ok(None) };
        match self.decoder.decode(value) {
            Ok(record) => Ok(Some(record)),
            Err(e) if e.is_retryable() => Err(e),
            Err(_) => Ok(None),
        }
    }
}
