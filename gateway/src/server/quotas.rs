//! Reads the quotas topic, all of it, on a thread of its own; nothing is committed.
//!
//! ```text
//! quotas ─ Tail ─> Ids (the topic's id in the header becomes the catalogue's) ─> Board
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tidegate_broker::{BrokerError, From, KafkaSettings, Stop, Tail};
use tidegate_schemas::{SchemaError, SchemaIds, Topic, framing};

use super::board::Board;
use super::metrics::GatewayMetrics;
use crate::error::GatewayError;

/// How long one look at the topic waits.
const LOOK: Duration = Duration::from_millis(100);

/// Starts the thread. It ends when `stop` is set, or sets it where the topic can no longer be read.
pub(super) fn follow(
    kafka: &KafkaSettings,
    ids: Arc<dyn SchemaIds>,
    board: Arc<Board>,
    metrics: GatewayMetrics,
    stop: &Stop,
) -> Result<JoinHandle<Result<(), BrokerError>>, GatewayError> {
    let mut tail = Tail::topic(&kafka.unhurried(), &kafka.topic(Topic::Quotas), From::Beginning)?;
    let (stop, mut ids) = (stop.clone(), Ids { ids, known: HashMap::new() });
    let reading = move || {
        while !stop.is_set() {
            match tail.next(LOOK) {
                Ok(Some(record)) => {
                    if let Some(key) = record.key {
                        match record.value.map(|value| ids.in_catalogue(value)) {
                            // What no edge can read leaves what they had.
                            Some(None) => {}
                            value => board.post(key.into(), value.flatten()),
                        }
                    }
                }
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
