//! Reports and recorded records as Kafka records: the only place of this crate that knows Kafka.
//!
//! ```text
//! LoadReport ─> Encoder ─> value; key = node_id; header traceparent (a new trace) ─┐
//! Recording ──> key, value and headers as they are ────────────────────────────────┴─> Outlet (Publisher)
//! ```

use std::sync::Arc;

use tidegate_broker::{BrokerError, Outgoing, Publisher};
use tidegate_schemas::recording::Recording;
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::TRACEPARENT;
use tidegate_schemas::{Encoder, RecordKind, SchemaIds, Topic};
use tidegate_traces::Origin;

use crate::error::ProducerError;
use crate::sink::{RecordSink, ReportSink};

/// What takes Kafka records: the broker crate's [`Publisher`], or a caller's own way of sending.
pub trait Outlet {
    /// Sends one record; waits while the queue is full.
    ///
    /// # Errors
    /// As the publisher's.
    fn send(&self, record: &Outgoing<'_>) -> Result<(), BrokerError>;
}

impl Outlet for Publisher {
    fn send(&self, record: &Outgoing<'_>) -> Result<(), BrokerError> {
        Self::send(self, record)
    }
}

impl<O: Outlet + ?Sized> Outlet for Arc<O> {
    fn send(&self, record: &Outgoing<'_>) -> Result<(), BrokerError> {
        (**self).send(record)
    }
}

impl<O: Outlet + ?Sized> Outlet for &O {
    fn send(&self, record: &Outgoing<'_>) -> Result<(), BrokerError> {
        (**self).send(record)
    }
}

/// Publishes load reports to one topic: key = node id, a new trace for each, Kafka timestamp = the client's clock.
#[derive(Debug)]
pub struct ReportPublisher<O> {
    outlet: O,
    topic: String,
    encoder: Encoder,
    origin: Origin,
    value: Vec<u8>,
}

impl<O: Outlet> ReportPublisher<O> {
    /// A publisher to `topic` (full name), with traces that `origin` begins.
    ///
    /// # Errors
    /// [`ProducerError::Schema`] where `ids` has no id; retryable while the source of ids is away.
    pub fn new(outlet: O, topic: String, ids: &dyn SchemaIds, origin: Origin) -> Result<Self, ProducerError> {
        let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, ids)
            .map_err(|source| ProducerError::Schema { context: format!("topic {topic}"), source })?;
        Ok(Self { outlet, topic, encoder, origin, value: Vec::new() })
    }
}

impl<O: Outlet> ReportSink for ReportPublisher<O> {
    fn send(&mut self, report: &LoadReport) -> Result<(), ProducerError> {
        let unencodable = |source| ProducerError::Schema { context: format!("node {}", report.node_id), source };
        self.encoder.encode(report, &mut self.value).map_err(unencodable)?;
        let traceparent = self.origin.begin(&self.topic, report).traceparent();
        let record = Outgoing {
            topic: &self.topic,
            partition: None,
            key: Some(report.node_id.as_bytes()),
            payload: Some(&self.value),
            timestamp: None,
            headers: &[(TRACEPARENT, Some(traceparent.as_bytes()))],
        };
        self.outlet.send(&record).map_err(|e| ProducerError::Publish(Box::new(e)))
    }
}

/// What of a recorded record is kept beside its key, value and headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordOptions {
    /// Topic to write to; `None`: the recorded one.
    pub topic: Option<String>,
    /// Keep the recorded partition, rather than the one of the key.
    pub keep_partitions: bool,
    /// Keep the recorded Kafka timestamp, rather than the client's clock.
    pub keep_timestamps: bool,
}

/// Publishes recorded records with the same keys, values and headers, null ones included.
#[derive(Debug)]
pub struct RecordPublisher<O> {
    outlet: O,
    options: RecordOptions,
}

impl<O: Outlet> RecordPublisher<O> {
    /// A publisher with these options.
    pub fn new(outlet: O, options: RecordOptions) -> Self {
        Self { outlet, options }
    }
}

impl<O: Outlet> RecordSink for RecordPublisher<O> {
    fn send_record(&mut self, record: &Recording) -> Result<(), ProducerError> {
        let headers: Vec<_> = record.headers.iter().map(|h| (h.key.as_str(), h.value.as_deref())).collect();
        let topic = self.options.topic.as_deref().unwrap_or(&record.topic);
        let outgoing = Outgoing {
            topic,
            partition: self.options.keep_partitions.then_some(record.partition),
            key: record.key.as_deref(),
            payload: record.value.as_deref(),
            timestamp: record.timestamp.filter(|_| self.options.keep_timestamps),
            headers: &headers,
        };
        self.outlet.send(&outgoing).map_err(|e| ProducerError::Publish(Box::new(e)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use tidegate_schemas::recording::RecordHeader;
    use tidegate_schemas::trace::{HeadSampler, TraceContext};
    use tidegate_schemas::{CatalogueIds, Decoder};

    /// Keeps what was sent, as recordings.
    #[derive(Debug, Default)]
    struct Kept(RefCell<Vec<Recording>>);

    impl Outlet for Kept {
        fn send(&self, record: &Outgoing<'_>) -> Result<(), BrokerError> {
            let header = |(key, value): &(&str, Option<&[u8]>)| RecordHeader {
                key: (*key).to_owned(),
                value: value.map(<[u8]>::to_vec),
            };
            self.0.borrow_mut().push(Recording {
                topic: record.topic.to_owned(),
                partition: record.partition.unwrap_or(-1),
                offset: 0,
                timestamp: record.timestamp,
                key: record.key.map(<[u8]>::to_vec),
                headers: record.headers.iter().map(header).collect(),
                value: record.payload.map(<[u8]>::to_vec),
            });
            Ok(())
        }
    }

    #[test]
    fn a_refusal_is_passed_on_with_its_own_words() {
        struct Refuses;
        impl Outlet for Refuses {
            fn send(&self, record: &Outgoing<'_>) -> Result<(), BrokerError> {
                Err(BrokerError::TooLarge { topic: record.topic.to_owned(), bytes: 1 })
            }
        }
        let error =
            RecordPublisher::new(Refuses, RecordOptions { topic: Some("to".into()), ..RecordOptions::default() })
                .send_record(&Recording::default())
                .unwrap_err();
        assert_eq!(error.to_string(), BrokerError::TooLarge { topic: "to".into(), bytes: 1 }.to_string());
        assert!(!error.is_retryable());
    }

    #[test]
    fn a_report_is_keyed_by_its_node_and_begins_a_trace() {
        let kept = Kept::default();
        let mut publisher =
            ReportPublisher::new(&kept, "t.load".into(), &CatalogueIds, Origin::new("a", HeadSampler::new(3, 1.0)))
                .unwrap();
        let mut report = LoadReport::new("a", 1_000, 10_000, 1000.0);
        report.cpu = Some(0.5);
        publisher.send(&report).unwrap();
        let sent = kept.0.borrow();
        assert_eq!((sent[0].topic.as_str(), sent[0].key.as_deref()), ("t.load", Some(&b"a"[..])));
        assert_eq!((sent[0].partition, sent[0].timestamp), (-1, None));
        let header = sent[0].headers.iter().find(|h| h.key == TRACEPARENT).unwrap();
        let trace = TraceContext::parse(header.value.as_deref().unwrap(), None);
        assert_eq!(trace, Some(TraceContext::root(3, "a", 1_000)));
        let back: LoadReport = Decoder::new(Arc::new(CatalogueIds)).decode(sent[0].value.as_deref().unwrap()).unwrap();
        assert_eq!(back, report);
    }

    #[test]
    fn a_record_goes_out_as_it_was_recorded_with_only_what_is_asked_changed() {
        let record = Recording {
            topic: "from".into(),
            partition: 7,
            offset: 9,
            timestamp: Some(5),
            key: None,
            headers: vec![
                RecordHeader { key: "twice".into(), value: None },
                RecordHeader { key: "twice".into(), value: Some(vec![0xff]) },
            ],
            value: None,
        };
        let sent = |options| {
            let kept = Kept::default();
            RecordPublisher::new(&kept, options).send_record(&record).unwrap();
            kept.0.into_inner().remove(0)
        };
        let plain = sent(RecordOptions::default());
        assert_eq!(plain, Recording { partition: -1, offset: 0, timestamp: None, ..record.clone() });
        let kept = sent(RecordOptions { topic: Some("to".into()), keep_partitions: true, keep_timestamps: true });
        assert_eq!(kept, Recording { topic: "to".into(), offset: 0, ..record.clone() });
    }
}
