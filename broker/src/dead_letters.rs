//! Dead letters: the original bytes, key and headers, with headers that say why and from where.

use rdkafka::message::{BorrowedMessage, Headers, Message};
use tidegate_schemas::Topic;

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
    headers: Vec<(String, Option<Vec<u8>>)>,
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
        let partition = letter.source.partition.to_string();
        let offset = letter.source.offset.to_string();
        let timestamp = letter.kafka_timestamp.map(|t| t.to_string());
        let mut headers: Vec<(&str, Option<&[u8]>)> =
            letter.headers.iter().map(|(key, value)| (key.as_str(), value.as_deref())).collect();
        headers.extend([
            ("error.class", Some(letter.rejection.class.as_bytes())),
            ("error.message", Some(letter.rejection.message.as_bytes())),
            ("error.stage", Some(self.stage.as_bytes())),
            ("source.topic", Some(letter.source.topic.as_bytes())),
            ("source.partition", Some(partition.as_bytes())),
            ("source.offset", Some(offset.as_bytes())),
        ]);
        if let Some(timestamp) = &timestamp {
            headers.push(("source.timestamp", Some(timestamp.as_bytes())));
        }
        let record = Outgoing {
            topic: &self.topic,
            partition: Some(letter.source.partition.rem_euclid(self.partitions.max(1))),
            key: letter.key.as_deref(),
            payload: letter.value.as_deref(),
            timestamp: None,
            headers: &headers,
        };
        publisher.send_with(&record, ticket, wait)
    }
}
