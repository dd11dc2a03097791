//! What becomes of a record that an edge sent: a record of the load topic or of the spans, or a dead letter. Pure.
//!
//! ```text
//! Record ─ its schema id says: report or span ─ decode ─ validate as the topic does ─> value with the topic's own id
//!                                                 └────────────┴─> Rejection
//! ```

use std::sync::Arc;

use bytes::Bytes;
use tidegate_broker::Rejection;
use tidegate_schemas::catalogue::VERSIONS;
use tidegate_schemas::records::{LoadReport, Span};
use tidegate_schemas::trace::{HeadSampler, TraceContext};
use tidegate_schemas::{CatalogueIds, Decoder, Encoder, RecordKind, SchemaError, SchemaIds, Topic, framing};

use crate::proto::Record;

/// The topic that a record is for, by its schema; what nobody knows is a report that cannot be read.
#[must_use]
pub(crate) fn topic_of(value: &[u8]) -> Topic {
    let of = |id| VERSIONS.iter().any(|version| version.kind == RecordKind::Span && version.id == id);
    let is_span = framing::split(value).is_ok_and(|(id, _)| of(id));
    if is_span { Topic::Spans } else { Topic::Load }
}

/// A record that may go to its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Where it goes.
    pub topic: Topic,
    /// Its value there.
    pub value: Bytes,
    /// A report's place in a trace; a span is its own.
    pub place: Option<Place>,
}

/// A place in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The gateway's own.
    pub own: TraceContext,
    /// The edge's, where it began the trace.
    pub parent: Option<TraceContext>,
}

/// Judges records.
#[derive(Debug, Clone)]
pub struct Judge {
    decoder: Decoder,
    reports: Writer,
    spans: Writer,
    head: HeadSampler,
}

/// Writes values for one topic.
#[derive(Debug, Clone)]
struct Writer {
    encoder: Encoder,
    newest: u32,
    /// Whether values of the newest schema may go as they are: the topic's ids are the catalogue's.
    same_ids: bool,
}

impl Writer {
    fn new(topic: Topic, kind: RecordKind, ids: &dyn SchemaIds) -> Result<Self, SchemaError> {
        let newest = kind.current().id;
        Ok(Self { encoder: Encoder::new(topic, kind, ids)?, newest, same_ids: ids.id_for(topic, kind)? == newest })
    }

    /// The value as the topic wants it.
    fn value<T: tidegate_schemas::records::Record>(&self, came: &Bytes, record: &T) -> Result<Bytes, SchemaError> {
        if self.same_ids && framing::split(came).is_ok_and(|(id, _)| id == self.newest) {
            return Ok(came.clone());
        }
        let mut value = Vec::new();
        self.encoder.encode(record, &mut value)?;
        Ok(value.into())
    }
}

impl Judge {
    /// One for topics whose ids come from `ids`; `head` begins the traces that no edge has begun.
    ///
    /// # Errors
    /// As [`SchemaIds::id_for`].
    pub fn new(ids: &dyn SchemaIds, head: HeadSampler) -> Result<Self, SchemaError> {
        let reports = Writer::new(Topic::Load, RecordKind::LoadReport, ids)?;
        let spans = Writer::new(Topic::Spans, RecordKind::Span, ids)?;
        Ok(Self { decoder: Decoder::new(Arc::new(CatalogueIds)), reports, spans, head })
    }

    /// Judges a record that is here at `now_ms` (Unix ms).
    ///
    /// # Errors
    /// Why it is set aside.
    pub fn judge(&mut self, record: &Record, now_ms: i64) -> Result<Accepted, Rejection> {
        match topic_of(&record.value) {
            Topic::Spans => self.span(record),
            _ => self.report(record, now_ms),
        }
    }

    fn report(&mut self, record: &Record, now_ms: i64) -> Result<Accepted, Rejection> {
        let report: LoadReport = self.decoder.decode(&record.value).map_err(of_schema)?;
        report
            .validate_in_log(Some(&record.key), Some(now_ms))
            .map_err(|e| Rejection { class: e.class(), message: e.to_string() })?;
        let value = self.reports.value(&record.value, &report).map_err(of_schema)?;
        let parent = TraceContext::parse(record.traceparent.as_bytes(), None);
        let begin = || self.head.begin(&report.node_id, report.sequence);
        let own = parent.as_ref().map_or_else(begin, |parent| parent.child("gateway"));
        Ok(Accepted { topic: Topic::Load, value, place: Some(Place { own, parent }) })
    }

    fn span(&mut self, record: &Record) -> Result<Accepted, Rejection> {
        let span: Span = self.decoder.decode(&record.value).map_err(of_schema)?;
        if span.trace_id.as_bytes() != &record.key[..] {
            let message = format!("the key is not the trace id {:?}", span.trace_id);
            return Err(Rejection { class: "key-mismatch", message });
        }
        let value = self.spans.value(&record.value, &span).map_err(of_schema)?;
        Ok(Accepted { topic: Topic::Spans, value, place: None })
    }
}

fn of_schema(e: SchemaError) -> Rejection {
    Rejection { class: e.class(), message: e.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_schemas::WriterSchema;

    const NOW: i64 = 1_000_000;

    /// A registry that counts from 100.
    #[derive(Debug)]
    struct Hundreds;

    impl SchemaIds for Hundreds {
        fn id_for(&self, _: Topic, kind: RecordKind) -> Result<u32, SchemaError> {
            Ok(kind.current().id + 100)
        }
        fn writer_schema(&self, id: u32) -> Result<WriterSchema, SchemaError> {
            CatalogueIds.writer_schema(id - 100)
        }
    }

    fn record(report: &LoadReport) -> Record {
        let mut value = Vec::new();
        let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds).unwrap();
        encoder.encode(report, &mut value).unwrap();
        Record { key: report.node_id.clone().into(), value: value.into(), traceparent: String::new() }
    }

    fn class(record: &Record) -> &'static str {
        Judge::new(&CatalogueIds, HeadSampler::new(1, 1.0)).unwrap().judge(record, NOW).unwrap_err().class
    }

    #[test]
    fn a_good_report_goes_as_it_came_with_a_trace() {
        let mut record = record(&LoadReport::new("a", NOW, 10_000, 1000.0));
        let mut judge = Judge::new(&CatalogueIds, HeadSampler::new(1, 1.0)).unwrap();
        let accepted = judge.judge(&record, NOW).unwrap();
        assert_eq!(accepted.value, record.value);
        let begun = Place { own: TraceContext::root(1, "a", NOW), parent: None };
        assert_eq!((accepted.topic, accepted.place), (Topic::Load, Some(begun)));
        let edges = TraceContext::root(2, "a", NOW).unsampled();
        record.traceparent = edges.traceparent();
        let carried = Place { own: edges.child("gateway"), parent: Some(edges) };
        assert_eq!(judge.judge(&record, NOW).unwrap().place, Some(carried));
    }

    #[test]
    fn a_span_goes_to_the_spans_and_is_known_by_its_schema() {
        let span = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c",
            "spanId":"eee19b7ec3c1b174","name":"GET"}]}]}]}"#;
        let request = tidegate_otlp::Encoding::Json.request(span).unwrap();
        let span = tidegate_otlp::records_of(request).spans.remove(0);
        let mut value = Vec::new();
        Encoder::new(Topic::Spans, RecordKind::Span, &CatalogueIds).unwrap().encode(&span, &mut value).unwrap();
        let record = Record { key: span.trace_id.clone().into(), value: value.into(), traceparent: String::new() };
        let accepted = Judge::new(&CatalogueIds, HeadSampler::new(1, 1.0)).unwrap().judge(&record, NOW).unwrap();
        assert_eq!((accepted.topic, accepted.value, accepted.place), (Topic::Spans, record.value.clone(), None));
        assert_eq!(class(&Record { key: "other".into(), ..record.clone() }), "key-mismatch");
        let accepted = Judge::new(&Hundreds, HeadSampler::new(1, 1.0)).unwrap().judge(&record, NOW).unwrap();
        assert_eq!(accepted.value[..5], [0, 0, 0, 0, 112]);
    }

    #[test]
    fn a_topic_of_a_registry_gets_the_registrys_id() {
        let report = LoadReport::new("a", NOW, 10_000, 1000.0);
        let accepted = Judge::new(&Hundreds, HeadSampler::new(1, 1.0)).unwrap().judge(&record(&report), NOW).unwrap();
        assert_eq!(accepted.value[..5], [0, 0, 0, 0, 101]);
        assert_eq!(Decoder::new(Arc::new(Hundreds)).decode::<LoadReport>(&accepted.value).unwrap(), report);
    }

    #[test]
    fn what_the_load_topic_would_set_aside_is_set_aside_here() {
        let good = LoadReport::new("a", NOW, 10_000, 1000.0);
        let other_key = Record { key: "b".into(), ..record(&good) };
        assert_eq!(class(&other_key), "key-mismatch");
        assert_eq!(class(&record(&LoadReport { base_quota: 0.0, ..good.clone() })), "bad-base-quota");
        assert_eq!(class(&record(&LoadReport { timestamp: NOW + 60_001, ..good.clone() })), "clock-ahead");
        assert_eq!(class(&Record { value: "text".into(), ..record(&good) }), "framing");
        let mut newer = record(&good).value.to_vec();
        newer[4] = 200;
        assert_eq!(class(&Record { value: newer.into(), ..record(&good) }), "unknown-schema-id");
        let cut = record(&good).value.slice(..9);
        assert_eq!(class(&Record { value: cut, ..record(&good) }), "undecodable");
    }
}
