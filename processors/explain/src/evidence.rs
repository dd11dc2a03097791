//! Records of any topics, sorted by what they are; only those of one node are kept, and the controls.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_broker::RawRecord;
use tidegate_schemas::records::{Control, Forecast, LoadReport, QuotaCommand, Record};
use tidegate_schemas::{Decoder, SchemaError, SchemaIds};

/// A record with what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Held<T> {
    pub(crate) raw: RawRecord,
    pub(crate) record: T,
}

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
    pub(crate) controls: Vec<(String, Option<Control>)>,
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
            oldest: BTreeMap::new(),
        }
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
        if raw.value.is_some()
            && let Some(control) = self.decode::<Control>(&raw)?
            && let Some(Ok(key)) = raw.key.map(String::from_utf8)
        {
            self.controls.push((key, Some(control)));
        }
        Ok(())
    }

    /// Whether nothing is known of the node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.forecasts.is_empty() && self.commands.is_empty()
    }

    /// The node's pool, by its newest report; `None` without one.
    #[must_use]
    pub fn pool(&self) -> Option<&str> {
        self.reports.last().map(|held| held.record.pool.as_str())
    }

    /// Says that a partition of the load topic begins with `offset`: what lies before it never was, or is no more.
    pub fn begins(&mut self, topic: &str, partition: i32, offset: i64) {
        let oldest = self.oldest.entry((topic.to_owned(), partition));
        oldest.or_insert(Oldest { offset, event_time: None });
    }

    fn note_oldest(&mut self, raw: &RawRecord) -> Result<(), SchemaError> {
        let place = (raw.topic.clone(), raw.partition);
        let known = self.oldest.get(&place).map_or(i64::MAX, |oldest| oldest.offset);
        if raw.offset < known {
            let event_time = self.decode::<LoadReport>(raw)?.map(|report| report.timestamp);
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
