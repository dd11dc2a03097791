//! Follows the quotas topic on a thread of its own.
//!
//! ```text
//! Sought ─ until the brokers answer ─> Found ─ to the end as it was ─> newest kept command ─┐
//!                                        └─── from there on ─────────> live commands ───────┴─> keeper
//! ```
//!
//! Of what stood on the topic only the newest command counts: the ones before it are history, and nobody is to act on them.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidegate_broker::{From, KafkaSettings, Stop, Tail};
use tidegate_producers::edge::Heard;
use tidegate_schemas::records::QuotaCommand;
use tidegate_schemas::trace::TraceContext;
use tidegate_schemas::{Decoder, SchemaIds, Topic};
use tidegate_traces::Origin;

use super::keeper::Keeper;

/// Between two tries to reach the brokers.
const PAUSE: Duration = Duration::from_secs(1);
/// A partition that is away must not keep back what the others hold.
const HISTORY_PATIENCE: Duration = Duration::from_secs(5);
/// How long the end waits for a thread that may be asking brokers that do not answer.
const END_PATIENCE: Duration = Duration::from_millis(500);

/// Where commands are read.
pub(super) enum Quotas {
    /// The topic was found.
    Found(Box<Tail>),
    /// It is to be found; until then the agent goes on alone.
    Sought(Box<KafkaSettings>),
}

/// Who is told of commands.
pub(super) struct Hears {
    pub(super) keeper: Arc<Keeper>,
    pub(super) origin: Origin,
    /// The topic of commands.
    pub(super) topic: String,
}

impl Hears {
    /// A command came. What is older than this agent is no step of its trace.
    pub(super) fn apply(&self, command: QuotaCommand, heard: Heard, trace: Option<&TraceContext>) {
        let live = trace.filter(|_| matches!(heard, Heard::Live));
        let _hop = self.origin.hears(&self.topic, &command.node_id, live);
        self.keeper.apply(command, heard);
    }
}

/// The thread.
pub(super) struct Following(JoinHandle<()>);

impl Following {
    /// Waits for it, a little: it has nothing to lose.
    pub(super) fn finish(self) {
        let until = Instant::now() + END_PATIENCE;
        while !self.0.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.0.is_finished() {
            // A panic in it was logged.
            self.0.join().unwrap_or_default();
        }
    }
}

/// Starts the thread.
pub(super) fn follow(
    quotas: Quotas,
    hears: Hears,
    node_id: &str,
    ids: Arc<dyn SchemaIds>,
    stop: &Stop,
) -> anyhow::Result<Following> {
    let mut reader = Reader { key: node_id.as_bytes().to_vec(), decoder: Decoder::new(ids), stop: stop.clone() };
    let thread = std::thread::Builder::new().name("quotas".into()).spawn(move || {
        let tail = match quotas {
            Quotas::Found(tail) => Some(*tail),
            Quotas::Sought(kafka) => seek(&kafka, &reader.stop),
        };
        let Some(mut tail) = tail else { return };
        if let Err(e) = reader.history(&mut tail, &hears).and_then(|()| reader.live(&mut tail, &hears)) {
            tracing::error!("quotas are no longer read: {e}");
            reader.stop.stop();
        }
    })?;
    Ok(Following(thread))
}

/// Tries until the topic is found; each new reason is said once. `None`: we were asked to stop.
fn seek(kafka: &KafkaSettings, stop: &Stop) -> Option<Tail> {
    let mut said = String::new();
    while !stop.is_set() {
        match Tail::topic(kafka, &kafka.topic(Topic::Quotas), From::Beginning) {
            Ok(tail) => {
                if !said.is_empty() {
                    tracing::info!("the centre's quotas are read again");
                }
                return Some(tail);
            }
            Err(e) => {
                let why = e.to_string();
                if why != said {
                    tracing::warn!("{why}; going on from the cache, and trying again");
                    said = why;
                }
            }
        }
        let until = Instant::now() + PAUSE;
        while Instant::now() < until && !stop.is_set() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    None
}

/// A command with its place in a trace.
type Traced = (QuotaCommand, Option<TraceContext>);

struct Reader {
    key: Vec<u8>,
    decoder: Decoder,
    stop: Stop,
}

impl Reader {
    /// Reads what stands on the topic, and hands over the newest command of this node.
    fn history(&mut self, tail: &mut Tail, hears: &Hears) -> Result<(), tidegate_broker::BrokerError> {
        let until = Instant::now() + HISTORY_PATIENCE;
        let mut newest: Option<QuotaCommand> = None;
        while !tail.caught_up() && Instant::now() < until && !self.stop.is_set() {
            if let Some((command, _)) = self.next(tail)?
                && command.quota.is_finite()
                && newest.as_ref().is_none_or(|newest| command.sequence > newest.sequence)
            {
                newest = Some(command);
            }
        }
        if let Some(command) = newest {
            hears.apply(command, Heard::Kept, None);
        }
        Ok(())
    }

    fn live(&mut self, tail: &mut Tail, hears: &Hears) -> Result<(), tidegate_broker::BrokerError> {
        while !self.stop.is_set() {
            let heard = if tail.caught_up() { Heard::Live } else { Heard::Kept };
            if let Some((command, trace)) = self.next(tail)? {
                hears.apply(command, heard, trace.as_ref());
            }
        }
        Ok(())
    }

    /// The next command of this node with its place in a trace; `None` where there is none within a moment.
    fn next(&mut self, tail: &mut Tail) -> Result<Option<Traced>, tidegate_broker::BrokerError> {
        let Some(record) = tail.next(Duration::from_millis(100))? else { return Ok(None) };
        if record.key.as_ref() != Some(&self.key) {
            return Ok(None);
        }
        match self.decoder.decode::<QuotaCommand>(record.value.as_deref().unwrap_or_default()) {
            Ok(command) => Ok(Some((command, record.trace()))),
            Err(e) => {
                tracing::warn!("{}/{}/{}: {e}", record.topic, record.partition, record.offset);
                Ok(None)
            }
        }
    }
}
