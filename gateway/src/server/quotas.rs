//! Reads the quotas topic, all of it, on a thread of its own; nothing is committed.
//!
//! ```text
//! quotas ─ Tail ─> Ids (the topic's id in the header becomes the catalogue's) ─> Board
//!             └─> a node is to be traced whole: so are the reports that are made here of it (HeadSampler)
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tidegate_broker::{BrokerError, From, KafkaSettings, RawRecord, Stop, Tail};
use tidegate_schemas::trace::{HeadSampler, TraceContext};
use tidegate_schemas::{SchemaError, SchemaIds, Topic, framing};

use super::board::{Board, Post};
use super::metrics::GatewayMetrics;
use crate::error::GatewayError;

/// How long one look at the topic waits.
const LOOK: Duration = Duration::from_millis(100);

/// Starts the thread. It ends when `stop` is set, or sets it where the topic can no longer be read.
pub(super) fn follow(
    kafka: &KafkaSettings,
    ids: Arc<dyn SchemaIds>,
    board: Arc<Board>,
    head: HeadSampler,
    metrics: GatewayMetrics,
    stop: &Stop,
) -> Result<JoinHandle<Result<(), BrokerError>>, GatewayError> {
    let mut tail = Tail::topic(&kafka.unhurried(), &kafka.topic(Topic::Quotas), From::Beginning)?;
    let (stop, mut ids) = (stop.clone(), Ids { ids, known: HashMap::new() });
    let reading = move || {
        while !stop.is_set() {
            match tail.next(LOOK) {
                Ok(Some(record)) => take(record, &mut ids, &board, &head),
                Ok(None) => {}
                Err(e) => {
                    stop.stop();
                    return Err(e);
                }
            }
            if tail.caught_up() && !board.has_caught_up() {
                board.is_caught_up();
                tracing::info!("the quotas of {} nodes are known", board.len());
            }
            metrics.known_nodes.set(i64::try_from(board.len()).unwrap_or(i64::MAX));
        }
        Ok(())
    };
    let named = std::thread::Builder::new().name("quotas".into());
    named.spawn(reading).map_err(|source| GatewayError::Start { what: "start a thread", source })
}

/// Posts a command, or its tombstone.
fn take(record: RawRecord, ids: &mut Ids, board: &Board, head: &HeadSampler) {
    let trace = record.trace();
    let (Some(key), value) = (record.key, record.value) else { return };
    if let Ok(node_id) = std::str::from_utf8(&key) {
        head.trace_whole(node_id, trace.as_ref().is_some_and(TraceContext::is_whole));
    }
    let post = |value| Post {
        value,
        traceparent: trace.as_ref().map(TraceContext::traceparent).unwrap_or_default(),
        tracestate: trace.as_ref().and_then(TraceContext::tracestate).unwrap_or_default().to_owned(),
    };
    match value.map(|value| ids.in_catalogue(value)) {
        // What no edge can read leaves what they had.
        Some(None) => {}
        value => board.post(key.into(), value.flatten().map(post)),
    }
}

/// An edge knows the ids of the catalogue alone; those of the topic may be a registry's.
#[derive(Debug)]
struct Ids {
    ids: Arc<dyn SchemaIds>,
    known: HashMap<u32, Option<u32>>,
}

impl Ids {
    /// The value under the catalogue's id; `None` where the catalogue has no such schema.
    fn in_catalogue(&mut self, mut value: Vec<u8>) -> Option<Bytes> {
        let id = framing::split(&value).ok()?.0;
        let known = match self.known.get(&id) {
            Some(known) => *known,
            None => {
                let found = self.ids.writer_schema(id).map(|schema| schema.catalogue_id());
                if let Err(SchemaError::UnknownSchemaId { .. }) | Ok(None) = found {
                    tracing::warn!(
                        "quota commands with schema id {id} are not passed on: the catalogue does not know it"
                    );
                }
                let Ok(found) = found else { return None };
                *self.known.entry(id).or_insert(found)
            }
        };
        value.get_mut(1..framing::HEADER_LEN)?.copy_from_slice(&known?.to_be_bytes());
        Some(value.into())
    }
}
