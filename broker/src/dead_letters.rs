//! Setting records aside: the original bytes, key and headers, with headers that say why and from where.
//!
//! ```text
//! whole ─ too large ─> the value cut in halves until it fits ─> headers left out ─> key cut
//!   └────────────────────────────┴─────────────────────────────────┴─────────────────┴──> dead-letters
//! ```

use rdkafka::message::{BorrowedMessage, Header, Headers, Message, OwnedHeaders};
use tidegate_schemas::Topic;
use tidegate_schemas::dead_letters::{SetAside, borrowed};

use crate::error::BrokerError;
use crate::publisher::{Outgoing, Publisher};
use crate::settings::{ASK, KafkaSettings};
use crate::stage::{Rejection, Source};
use crate::tail::RawRecord;

/// Of an error's text, in a letter that is too large.
const SHORT_MESSAGE: usize = 200;

/// A record to set aside.
#[derive(Debug)]
pub struct DeadLetter {
    pub(crate) source: Source,
    pub(crate) rejection: Rejection,
    kafka_timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    /// As they are, whatever their names.
    headers: Option<OwnedHeaders>,
}

impl DeadLetter {
    pub(crate) fn of(message: &BorrowedMessage<'_>, source: Source, rejection: Rejection) -> Self {
        Self {
            source,
            rejection,
            kafka_timestamp: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers: message.headers().map(rdkafka::message::BorrowedHeaders::detach),
        }
    }

    /// Of a record that was read again, or that came by another way than Kafka: its source then is where it would have gone.
    #[must_use]
    pub fn of_raw(record: RawRecord, source: Source, rejection: Rejection) -> Self {
        let RawRecord { timestamp, key, value, headers, .. } = record;
        let headers = headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |all, (key, value)| {
            all.insert(Header { key, value: value.as_deref() })
        });
        Self { source, rejection, kafka_timestamp: timestamp, key, value, headers: Some(headers) }
    }
}

/// How much of a record a letter holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    value: usize,
    headers: bool,
    key: usize,
}

impl Share {
    fn whole(letter: &DeadLetter) -> Self {
        let length = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        Self { value: length(&letter.value), headers: true, key: length(&letter.key) }
    }

    /// The next smaller one: what says least is given up first.
    fn less(self) -> Option<Self> {
        match self {
            Self { value: 1.., .. } => Some(Self { value: self.value / 2, ..self }),
            Self { headers: true, .. } => Some(Self { headers: false, ..self }),
            Self { key: 1.., .. } => Some(Self { key: self.key / 2, ..self }),
            _ => None,
        }
    }

    /// What is left out, in words; `None` where it is the whole.
    fn missing(self, letter: &DeadLetter) -> Option<String> {
        let whole = Self::whole(letter);
        let cut = |what, of: usize, to: usize| (to < of).then(|| format!("the {what} of {of} bytes is cut to {to}"));
        let count = letter.headers.as_ref().map_or(0, Headers::count);
        let headers = (!self.headers && count > 0).then(|| format!("its headers ({count}) are left out"));
        let parts = [cut("value", whole.value, self.value), headers, cut("key", whole.key, self.key)];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Sends dead letters.
#[derive(Debug)]
pub struct DeadLetterBox {
    topic: String,
    partitions: i32,
    stage: &'static str,
}

impl DeadLetterBox {
    /// The box of a stage, sink or gateway of that name.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`], [`BrokerError::MissingTopic`].
    pub fn new(settings: &KafkaSettings, stage: &'static str) -> Result<Self, BrokerError> {
        let topic = settings.topic(Topic::DeadLetters);
        let partitions = settings.partition_count(&topic, ASK)?;
        Ok(Self { topic, partitions, stage })
    }

    /// Sends a letter, whole where the topic takes it, otherwise as much of it as it takes.
    ///
    /// # Errors
    /// As [`Publisher::send_with`].
    pub fn send(
        &self,
        letter: &DeadLetter,
        publisher: &Publisher,
        ticket: usize,
        mut wait: impl FnMut(),
    ) -> Result<(), BrokerError> {
        let mut share = Share::whole(letter);
        loop {
            match (self.send_share(letter, share, publisher, ticket, &mut wait), share.less()) {
                (Err(BrokerError::TooLarge { .. }), Some(less)) => share = less,
                (sent, _) => return sent,
            }
        }
    }

    fn send_share(
        &self,
        letter: &DeadLetter,
        share: Share,
        publisher: &Publisher,
        ticket: usize,
        wait: impl FnMut(),
    ) -> Result<(), BrokerError> {
        let Source { topic, partition, offset } = &letter.source;
        let truncated = share.missing(letter);
        let mut message = letter.rejection.message.clone();
        if truncated.is_some() {
            message.truncate(message.floor_char_boundary(SHORT_MESSAGE));
        }
        let why = SetAside {
            class: letter.rejection.class.to_owned(),
            message,
            stage: self.stage.to_owned(),
            topic: topic.to_string(),
            partition: *partition,
            offset: *offset,
            timestamp: letter.kafka_timestamp,
            truncated,
        };
        let headers = why.headers();
        let record = Outgoing {
            topic: &self.topic,
            partition: Some(partition.rem_euclid(self.partitions.max(1))),
            key: letter.key.as_deref().map(|key| &key[..share.key]),
            payload: letter.value.as_deref().map(|value| &value[..share.value]),
            timestamp: None,
            headers: &borrowed(&headers),
        };
        let of_record = letter.headers.clone().filter(|_| share.headers);
        publisher.send_behind(of_record, &record, ticket, wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(key: usize, value: usize, headers: usize) -> DeadLetter {
        let header = |n: usize| (format!("h{n}"), Some(vec![b'x'; 10]));
        let record = RawRecord {
            key: Some(vec![b'k'; key]),
            value: Some(vec![b'v'; value]),
            headers: (0..headers).map(header).collect(),
            ..RawRecord::default()
        };
        let source = Source { topic: "t.load".into(), partition: 0, offset: 7 };
        DeadLetter::of_raw(record, source, Rejection { class: "framing", message: "no".into() })
    }

    #[test]
    fn what_says_least_is_given_up_first_and_it_ends() {
        let letter = letter(5, 100, 2);
        let shares: Vec<Share> = std::iter::successors(Some(Share::whole(&letter)), |share| share.less()).collect();
        assert_eq!(shares[0].missing(&letter), None);
        assert_eq!(shares[1].missing(&letter).as_deref(), Some("the value of 100 bytes is cut to 50"));
        assert_eq!(shares.iter().filter(|share| share.headers).map(|share| share.value).min(), Some(0));
        let last = shares.last().and_then(|share| share.missing(&letter));
        let all = "the value of 100 bytes is cut to 0, its headers (2) are left out, the key of 5 bytes is cut to 0";
        assert_eq!(last.as_deref(), Some(all));
    }

    #[test]
    fn a_tombstone_without_headers_has_nothing_to_give_up_but_its_key() {
        let mut letter = letter(2, 0, 0);
        letter.value = None;
        let last = std::iter::successors(Some(Share::whole(&letter)), |share| share.less()).last().unwrap();
        assert_eq!(last.missing(&letter).as_deref(), Some("the key of 2 bytes is cut to 0"));
    }
}
