//! What becomes of a record that an edge sent: a record of the load topic, or a dead letter. Pure.
//!
//! ```text
//! Record ─ decode (the catalogue's ids) ─ validate as the load topic does ─> value with the topic's own id
//!                     └─────────────────────────┴─> Rejection
//! ```

use std::sync::Arc;

use bytes::Bytes;
use tidegate_broker::Rejection;
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::TraceContext;
use tidegate_schemas::{CatalogueIds, Decoder, Encoder, RecordKind, SchemaError, SchemaIds, Topic, framing};

use crate::proto::Record;

/// A record that may go to the load topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its value there.
    pub value: Bytes,
    /// Its place in a trace: the edge's, or a new one.
    pub traceparent: String,
}

/// Judges records.
#[derive(Debug, Clone)]
pub struct Judge {
    decoder: Decoder,
    encoder: Encoder,
    /// Whether values of the newest schema may go as they are: the topic's ids are the catalogue's.
    same_ids: bool,
    trace_seed: u64,
}

impl Judge {
    /// One for a topic whose ids come from `ids`. `trace_seed` tells runs apart.
    ///
    /// # Errors
    /// As [`SchemaIds::id_for`].
    pub fn new(ids: &dyn SchemaIds, trace_seed: u64) -> Result<Self, SchemaError> {
        let kind = RecordKind::LoadReport;
        let same_ids = ids.id_for(Topic::Load, kind)? == kind.current().id;
        let encoder = Encoder::new(Topic::Load, kind, ids)?;
        Ok(Self { decoder: Decoder::new(Arc::new(CatalogueIds)), encoder, same_ids, trace_seed })
    }

    /// Judges a record that is here at `now_ms` (Unix ms).
    ///
    /// # Errors
    /// Why it is set aside.
    pub fn judge(&mut self, record: &Record, now_ms: i64) -> Result<Accepted, Rejection> {
        let of_schema = |e: SchemaError| Rejection { class: e.class(), message: e.to_string() };
        let report: LoadReport = self.decoder.decode(&record.value).map_err(of_schema)?;
        report
            .validate_in_log(Some(&record.key), Some(now_ms))
            .map_err(|e| Rejection { class: e.class(), message: e.to_string() })?;
        let is_newest = framing::split(&record.value).is_ok_and(|(id, _)| id == RecordKind::LoadReport.current().id);
        let value = if self.same_ids && is_newest {
            record.value.clone()
        } else {
            let mut value = Vec::new();
            self.encoder.encode(&report, &mut value).map_err(of_schema)?;
            value.into()
        };
        let begun = TraceContext::parse(record.traceparent.as_bytes(), None);
        let trace = begun.unwrap_or_else(|| TraceContext::root(self.trace_seed, &report.node_id, report.sequence));
        Ok(Accepted { value, traceparent: trace.traceparent() })
    }
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
        Judge::new(&CatalogueIds, 1).unwrap().judge(record, NOW).unwrap_err().class
    }

    #[test]
    fn a_good_report_goes_as_it_came_with_a_trace() {
        let mut record = record(&LoadReport::new("a", NOW, 10_000, 1000.0));
        let mut judge = Judge::new(&CatalogueIds, 1).unwrap();
        let accepted = judge.judge(&record, NOW).unwrap();
        assert_eq!(accepted.value, record.value);
        assert_eq!(accepted.traceparent, TraceContext::root(1, "a", NOW).traceparent());
        record.traceparent = TraceContext::root(2, "a", NOW).traceparent();
        assert_eq!(judge.judge(&record, NOW).unwrap().traceparent, record.traceparent);
    }

    #[test]
    fn a_topic_of_a_registry_gets_the_registrys_id() {
        let report = LoadReport::new("a", NOW, 10_000, 1000.0);
        let accepted = Judge::new(&Hundreds, 1).unwrap().judge(&record(&report), NOW).unwrap();
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
