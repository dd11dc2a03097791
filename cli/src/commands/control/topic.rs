//! The controls topic as `tidegate control` uses it: read whole, and written to.

use std::sync::Arc;

use tidegate_broker::{Deliveries, From, KafkaSettings, Outgoing, Publisher, Stop, Tail};
use tidegate_schemas::controls::Controls;
use tidegate_schemas::records::{Control, Record};
use tidegate_schemas::{Decoder, Encoder, SchemaIds, Topic};

use super::moments::Moments;
use super::show::check_policy;
use crate::args::Common;
use crate::commands::{self, BROKER_PATIENCE};
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::shutdown;

/// The topic on its broker.
pub(super) struct ControlTopic {
    kafka: KafkaSettings,
    ids: Arc<dyn SchemaIds>,
    name: String,
    stop: Stop,
}

impl ControlTopic {
    /// Reaches the broker.
    pub(super) fn open(common: &Common) -> anyhow::Result<Self> {
        let settings = Settings::load(common)?;
        let kafka = settings.kafka()?;
        let stop = shutdown::on_signals()?;
        commands::reach(&kafka)?;
        let (ids, name) = (settings.schema_ids(&kafka, &stop), kafka.topic(Topic::Controls));
        Ok(Self { kafka, ids, name, stop })
    }

    /// All that was said; what counts for nothing in the stages counts for nothing here.
    pub(super) fn read(&self) -> anyhow::Result<Controls> {
        let mut controls = Controls::default();
        let mut decoder = Decoder::new(Arc::clone(&self.ids));
        let mut tail = Tail::topic(&self.kafka, &self.name, From::Beginning)?;
        while let Some(record) = tail.next_before_end(BROKER_PATIENCE)? {
            let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
            let Some(value) = record.value.as_deref() else {
                controls.forget(&key);
                continue;
            };
            let decoded = match decoder.decode::<Control>(value) {
                Err(e) if e.is_retryable() => return Err(e.into()),
                decoded => decoded.map_err(|e| e.to_string()),
            };
            let checked = decoded.and_then(|control| match control.validate_in_log(&key) {
                Ok(()) => check_policy(&control).map(|()| control),
                Err(e) => Err(e.to_string()),
            });
            match checked {
                Ok(control) => controls.take(control),
                Err(e) => {
                    tracing::warn!("{}/{}/{} counts for nothing: {e}", self.name, record.partition, record.offset)
                }
            }
        }
        Ok(controls)
    }

    /// Makes ready to publish, so that little time passes between a look at the fleet's time and the control's arrival.
    pub(super) fn sender(&self) -> anyhow::Result<Sender<'_>> {
        let encoder = Encoder::new(Topic::Controls, Control::KIND, &*self.ids)?;
        let deliveries = Arc::new(Deliveries::default());
        let publisher = Publisher::new(&self.kafka, Arc::<Deliveries>::clone(&deliveries))?;
        Ok(Sender { topic: self, encoder, publisher, deliveries })
    }

    /// Event times of targets; `stamps`: a control is to begin by them, so that a first one is waited for.
    pub(super) fn moments(&self, targets: &[&str], stamps: bool) -> anyhow::Result<Moments> {
        if stamps {
            Moments::wait(&self.kafka, &self.ids, targets, &self.stop)
        } else {
            Moments::look(&self.kafka, &self.ids, targets)
        }
    }

    /// Event times of targets, where they were heard of lately.
    pub(super) fn recent_moments(&self, targets: &[&str]) -> anyhow::Result<Moments> {
        Moments::recent(&self.kafka, &self.ids, targets)
    }
}

/// Publishes controls.
pub(super) struct Sender<'a> {
    topic: &'a ControlTopic,
    encoder: Encoder,
    publisher: Publisher,
    deliveries: Arc<Deliveries>,
}

impl Sender<'_> {
    /// Publishes controls, each keyed by its target, and waits until the broker has them.
    pub(super) fn publish(&self, controls: &[&Control]) -> anyhow::Result<()> {
        let ControlTopic { name, stop, .. } = self.topic;
        let mut value = Vec::new();
        for control in controls {
            self.encoder.encode(*control, &mut value)?;
            let key = Some(control.target.as_bytes());
            self.publisher.send(&Outgoing { topic: name, key, payload: Some(&value), ..Outgoing::default() })?;
        }
        let taken = commands::drain(&self.publisher, || stop.is_set())?;
        match self.deliveries.first_failure() {
            Some(why) => Err(failure(exit::UNAVAILABLE, format!("the control was not taken: {why}"))),
            None if !taken => Err(failure(exit::UNAVAILABLE, "stopped before the broker had the control")),
            None => Ok(()),
        }
    }
}
