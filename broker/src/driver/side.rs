//! The side input of a stage: a small topic that every process reads whole, such as the controls.
//!
//! ```text
//! assigned ─> from the beginning to the end of now ─┐
//! before each batch ─> what has come, no waiting ───┴─> decode ─> stage.check_side ─> stage.side
//!                                                         └─ wrong: logged, counted, passed over
//! ```
//!
//! It commits nothing. A record that is wrong is never fatal, and there is nothing to set aside: it stands on its topic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_schemas::codec::SchemaIds;
use tidegate_schemas::records::Control;
use tidegate_schemas::{Decoder, Topic};

use super::Driver;
use crate::error::BrokerError;
use crate::settings::{ASK, KafkaSettings};
use crate::stage::{Rejection, Stage};
use crate::tail::{From, RawRecord, Tail};

/// Result of a record that was taken, as `tidegate_side_records_total` counts it; the others are classes of rejections.
const TAKEN: &str = "taken";

/// The reader of a side input.
pub(super) struct SideInput {
    topic: String,
    decoder: Decoder,
    /// Reads on where the last reading to the end stopped; none before the first.
    tail: Option<Tail>,
}

impl SideInput {
    /// A reader of `topic`, which must be there.
    pub(super) fn new(topic: Topic, settings: &KafkaSettings, ids: &Arc<dyn SchemaIds>) -> Result<Self, BrokerError> {
        let topic = settings.topic(topic);
        settings.partition_count(&topic, ASK)?;
        Ok(Self { topic, decoder: Decoder::new(Arc::clone(ids)), tail: None })
    }

    /// What a record says, with its key.
    fn decode(&mut self, record: &RawRecord) -> Result<(String, Option<Control>), Rejection> {
        let key = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok());
        let key = key.ok_or_else(|| Rejection { class: "key-mismatch", message: "its key is no text".into() })?;
        let Some(value) = record.value.as_deref() else { return Ok((key.to_owned(), None)) };
        let control = self.decoder.decode(value).map_err(|e| Rejection { class: e.class(), message: e.to_string() })?;
        Ok((key.to_owned(), Some(control)))
    }
}

impl<S: Stage> Driver<'_, S> {
    /// Reads the side input from its beginning to its end of now. What was taken before comes again.
    pub(super) fn read_side(&mut self) -> Result<(), BrokerError> {
        let Some(side) = &mut self.side else { return Ok(()) };
        let mut tail = Tail::topic(&self.settings.unhurried(), &side.topic, From::Beginning)?;
        let (mut read, mut last) = (0_u64, Instant::now());
        while let Some(record) = tail.next_before_end(ASK)? {
            self.side_record(&record);
            read += 1;
            self.sign_of_life(&mut last);
        }
        if let Some(side) = &mut self.side {
            tracing::info!(records = read, "{}: {} read", self.stage.name(), side.topic);
            side.tail = Some(tail);
        }
        self.note_controls();
        Ok(())
    }

    /// Takes what has come on the side input since, without waiting.
    pub(super) fn take_side(&mut self) -> Result<(), BrokerError> {
        loop {
            let Some(tail) = self.side.as_mut().and_then(|side| side.tail.as_mut()) else { return Ok(()) };
            let Some(record) = tail.next(Duration::ZERO)? else { return Ok(()) };
            self.side_record(&record);
        }
    }

    fn side_record(&mut self, record: &RawRecord) {
        let Some(side) = &mut self.side else { return };
        let checked = side.decode(record).and_then(|(key, control)| {
            control.iter().try_for_each(|control| self.stage.check_side(&key, control))?;
            Ok((key, control))
        });
        let result = match checked {
            Ok((key, control)) => {
                self.stage.side(&key, control);
                TAKEN
            }
            // Whoever gives schema ids waits for them; only a stop ends that wait.
            Err(_) if self.intake.context().stop.is_set() => return,
            Err(rejection) => {
                let place = format!("{}/{}/{}", record.topic, record.partition, record.offset);
                tracing::warn!("{place} counts for nothing: {}", rejection.message);
                rejection.class
            }
        };
        self.metrics.side.with_label_values(&[result]).inc();
    }

    /// Shows how many controls are in force.
    pub(super) fn note_controls(&self) {
        if self.side.is_some() {
            let none: [&str; 0] = [];
            self.metrics.controls_in_force.with_label_values(&none).set(self.stage.controls_in_force() as i64);
        }
    }
}
