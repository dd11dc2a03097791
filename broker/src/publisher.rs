//! Producing: blocks while the client's queue is full, reports deliveries to an [`Acknowledge`].
//!
//! ```text
//! send(record, ticket) ─> client's queue ─> broker
//!                                             │ delivery report, on the client's thread
//!                          Acknowledge <──────┘
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use tidegate_schemas::Topic;

use crate::acknowledge::{Acknowledge, WireBytes};
use crate::client_metrics::ClientWatch;
use crate::error::BrokerError;
use crate::limits;
use crate::logging::QuietLog;
use crate::settings::{KafkaSettings, create};

/// A record to send.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outgoing<'a> {
    /// Destination.
    pub topic: &'a str,
    /// Partition; `None`: by the key, as Java clients do.
    pub partition: Option<i32>,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value; `None`: a tombstone.
    pub payload: Option<&'a [u8]>,
    /// Kafka timestamp in ms since the epoch; `None`: now.
    pub timestamp: Option<i64>,
    /// Headers in order.
    pub headers: &'a [(&'a str, Option<&'a [u8]>)],
}

/// A producer.
pub struct Publisher {
    inner: ThreadedProducer<Context>,
    wire: Arc<WireBytes>,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("in_flight", &self.in_flight()).finish()
    }
}

impl Publisher {
    /// A producer that reports to `acknowledge`. It does not wait for a broker.
    ///
    /// # Errors
    /// [`BrokerError::Settings`] where the client library refuses the settings.
    pub fn new(settings: &KafkaSettings, acknowledge: Arc<dyn Acknowledge>) -> Result<Self, BrokerError> {
        Self::with_statistics(settings, acknowledge, None)
    }

    /// As [`Publisher::new`], for records of others: one that is larger than these topics take is refused when it is sent,
    /// not with all of its batch. Asks the brokers.
    ///
    /// # Errors
    /// As [`Publisher::new`].
    pub fn within_topics(
        settings: &KafkaSettings,
        acknowledge: Arc<dyn Acknowledge>,
        topics: &[Topic],
    ) -> Result<Self, BrokerError> {
        let config = limits::within(settings.producer(), limits::of_topics(settings, topics));
        Self::of(&config, acknowledge, None)
    }

    /// As [`Publisher::within_topics`], for records whose names tell those that stand twice: not idempotent, for an idempotent client
    /// spins while a batch is on its way and others of its partition wait.
    ///
    /// # Errors
    /// As [`Publisher::new`].
    pub fn of_named(
        settings: &KafkaSettings,
        acknowledge: Arc<dyn Acknowledge>,
        topics: &[Topic],
    ) -> Result<Self, BrokerError> {
        let mut config = limits::within(settings.producer(), limits::of_topics(settings, topics));
        config.set("enable.idempotence", "false");
        Self::of(&config, acknowledge, None)
    }

    /// As [`Publisher::new`], counting the bytes it sends every `interval`.
    ///
    /// # Errors
    /// As [`Publisher::new`].
    pub fn with_statistics(
        settings: &KafkaSettings,
        acknowledge: Arc<dyn Acknowledge>,
        interval: Option<Duration>,
    ) -> Result<Self, BrokerError> {
        let mut config = settings.producer();
        if let Some(interval) = interval {
            config.set("statistics.interval.ms", interval.as_millis().to_string());
        }
        Self::of(&config, acknowledge, None)
    }

    /// A producer with settings of [`KafkaSettings`], whose statistics `watch` passes on.
    pub(crate) fn of(
        config: &ClientConfig,
        acknowledge: Arc<dyn Acknowledge>,
        watch: Option<ClientWatch>,
    ) -> Result<Self, BrokerError> {
        let wire = Arc::new(WireBytes::default());
        let context = Context { acknowledge, wire: Arc::clone(&wire), watch, log: QuietLog::default() };
        Ok(Self { inner: create(config, context)?, wire })
    }

    /// The client's own producer, for what only transactions need.
    pub(crate) fn producer(&self) -> &impl Producer<Context> {
        &self.inner
    }

    /// Sends one record that nobody waits for; see [`Publisher::send_with`].
    ///
    /// # Errors
    /// As [`Publisher::send_with`].
    pub fn send(&self, record: &Outgoing<'_>) -> Result<(), BrokerError> {
        self.send_with(record, crate::acknowledge::NO_TICKET, || std::thread::sleep(Duration::from_millis(1)))
    }

    /// Sends one record; `wait` is called again and again while the queue is full.
    ///
    /// # Errors
    /// [`BrokerError::TooLarge`]; otherwise what the client library says, which no waiting mends.
    pub fn send_with(&self, record: &Outgoing<'_>, ticket: usize, wait: impl FnMut()) -> Result<(), BrokerError> {
        self.send_behind(None, record, ticket, wait)
    }

    /// As [`Publisher::send_with`], with the headers of the record behind those of another.
    pub(crate) fn send_behind(
        &self,
        headers: Option<OwnedHeaders>,
        record: &Outgoing<'_>,
        ticket: usize,
        mut wait: impl FnMut(),
    ) -> Result<(), BrokerError> {
        let mut next = self.record(headers, record, ticket);
        loop {
            match self.inner.send(next) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    next = back;
                    wait();
                }
                Err((error, _)) => return Err(undelivered(error, record.topic, record.payload)),
            }
        }
    }

    fn record<'a>(
        &self,
        headers: Option<OwnedHeaders>,
        record: &Outgoing<'a>,
        ticket: usize,
    ) -> BaseRecord<'a, [u8], [u8], usize> {
        let mut next = BaseRecord::with_opaque_to(record.topic, ticket);
        next.partition = record.partition;
        next.key = record.key;
        next.payload = record.payload;
        next.timestamp = record.timestamp;
        next.headers = record.headers.iter().fold(headers, |all, (key, value)| {
            let all = all.unwrap_or_else(|| OwnedHeaders::new_with_capacity(record.headers.len()));
            Some(all.insert(Header { key, value: *value }))
        });
        next
    }

    /// Records sent and not yet acknowledged.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        i64::from(self.inner.in_flight_count())
    }

    /// Bytes sent to brokers so far, protocol included; 0 without statistics.
    #[must_use]
    pub fn wire_bytes(&self) -> i64 {
        self.wire.get()
    }

    /// Waits until every record sent is acknowledged.
    ///
    /// # Errors
    /// [`BrokerError::NotAcknowledged`] after `timeout`.
    pub fn flush(&self, timeout: Duration) -> Result<(), BrokerError> {
        let started = Instant::now();
        match self.inner.flush(timeout) {
            Ok(()) => Ok(()),
            Err(_) if self.in_flight() > 0 => {
                Err(BrokerError::NotAcknowledged { pending: self.in_flight(), seconds: started.elapsed().as_secs() })
            }
            Err(e) => Err(BrokerError::kafka("flushing", e)),
        }
    }
}

pub(crate) struct Context {
    acknowledge: Arc<dyn Acknowledge>,
    wire: Arc<WireBytes>,
    watch: Option<ClientWatch>,
    log: QuietLog,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.wire.set(statistics.tx_bytes);
        if let Some(watch) = &self.watch {
            watch.note(&statistics);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: usize) {
        match result {
            Ok(_) => self.acknowledge.delivered(ticket),
            Err((error, message)) => {
                self.acknowledge.failed(ticket, undelivered(error.clone(), message.topic(), message.payload()))
            }
        }
    }
}

/// Why a record is not on its topic.
fn undelivered(error: KafkaError, topic: &str, payload: Option<&[u8]>) -> BrokerError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
            BrokerError::TooLarge { topic: topic.into(), bytes: payload.map_or(0, <[u8]>::len) }
        }
        Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
            BrokerError::MissingTopic(topic.into())
        }
        _ => BrokerError::kafka(format!("producing to {topic}"), error),
    }
}
