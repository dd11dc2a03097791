//! Setting records aside: the original bytes, key and headers, with headers that say why and from where.

use rdkafka::message::{BorrowedMessage, Headers, Message};
use tidegate_schemas::Topic;
use tidegate_schemas::dead_letters::{Header, SetAside, borrowed};

use crate::error::BrokerError;
use crate::publisher::{Outgoing, Publisher};
use crate::settings::{ASK, KafkaSettings};
use crate::stage::{Rejection, Source};

/// A record to set aside.
#[derive(Debug)]
pub(crate) struct DeadLetter {
    pub(crate) source: Source,
    pub(crate) rejection: Rejection,
    kafka_timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<Header>,
}

impl DeadLetter {
    pub(crate) fn of(message: &BorrowedMessage<'_>, source: Source, rejection: Rejection) -> Self {
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers.iter().map(|h| (h.key.to_owned(), h.value.map(<[u8]>::to_vec))).collect()
        });
        Self {
            source,
            rejection,
            kafka_timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers,
        }
    }
}

/// Sends dead letters.
#[derive(Debug)]
pub(crate) struct DeadLetterBox {
    topic: String,
    partitions: i32,
    stage: &'static str,
}

impl DeadLetterBox {
    pub(crate) fn new(settings: &KafkaSettings, stage: &'static str) -> Result<Self, BrokerError> {
        let topic = settings.topic(Topic::DeadLetters);
        let partitions = settings.partition_count(&topic, ASK)?;
        Ok(Self { topic, partitions, stage })
    }

    pub(crate) fn send(
        &self,
        letter: &DeadLetter,
        publisher: &Publisher,
        ticket: usize,
        wait: impl FnMut(),
    ) -> Result<(), BrokerError> {
        let Source { topic, partition, offset } = &letter.source;
        let why = SetAside {
            class: letter.rejection.class.to_owned(),
            message: letter.rejection.message.clone(),
            stage: self.stage.to_owned(),
            topic: topic.to_string(),
            partition: *partition,
            offset: *offset,
            timestamp: letter.kafka_timestamp,
        };
        let headers = why.headers(&letter.headers);
        let record = Outgoing {
            topic: &self.topic,
            partition: Some(partition.rem_euclid(self.partitions.max(1))),
            key: letter.key.as_deref(),
            payload: letter.value.as_deref(),
            timestamp: None,
            headers: &borrowed(&headers),
        };
        publisher.send_with(&record, ticket, wait)
    }
}
