//! What a stage or a sink runs with, and how it joins its consumer group: the same for both.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tidegate_schemas::Topic;
use tidegate_schemas::codec::SchemaIds;
use tidegate_schemas::records::Record;

use crate::client_metrics::Client;
use crate::dead_letters::DeadLetterBox;
use crate::error::BrokerError;
use crate::group::{GroupContext, SharedLedger};
use crate::guarantee::{Guarantee, Processing};
use crate::intake::Intake;
use crate::limits;
use crate::logging::QuietLog;
use crate::metrics::Metrics;
use crate::publisher::Publisher;
use crate::settings::{ASK, KafkaSettings, STATISTICS_MS};
use crate::status::WorkStatus;
use crate::stop::Stop;
use crate::transaction::{Transactions, transactional_id};

/// What a stage or a sink runs with.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// How to reach Kafka.
    pub settings: &'a KafkaSettings,
    /// Where schema ids come from.
    pub ids: Arc<dyn SchemaIds>,
    /// What a stage promises; a sink delivers at least once.
    pub processing: Processing,
    /// Records in one batch at most, from 1.
    pub max_batch: usize,
    /// Its metrics.
    pub metrics: &'a Metrics,
    /// Its counters.
    pub status: &'a WorkStatus,
    /// The word to finish.
    pub stop: &'a Stop,
}

/// A member of a consumer group with all that it needs to commit and to set records aside.
pub(crate) struct Member<T> {
    pub(crate) intake: Intake<T>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) ledger: Arc<SharedLedger>,
    pub(crate) dead_letters: DeadLetterBox,
}

impl<T> fmt::Debug for Member<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("publisher", &self.publisher).finish_non_exhaustive()
    }
}

impl Job<'_> {
    /// Joins the group of `name` as a reader of `topic`; publishes batches of at most `limit` bytes.
    ///
    /// # Errors
    /// An unreachable broker, a missing topic, settings that the client library refuses.
    pub(crate) fn join<T: Record>(
        &self,
        name: &'static str,
        topic: Topic,
        depends_on_past: bool,
        processing: Processing,
        limit: Option<usize>,
    ) -> Result<Member<T>, BrokerError> {
        let topic = self.settings.topic(topic);
        self.settings.partition_count(&topic, ASK)?;
        let dead_letters = DeadLetterBox::new(self.settings, name)?;
        let ledger = Arc::new(SharedLedger::default());
        let config = match processing.guarantee {
            Guarantee::AtLeastOnce => self.settings.producer(),
            Guarantee::ExactlyOnce => self.settings.transactional_producer(&transactional_id(self.settings, name)),
        };
        let mut config = limits::within(config, limit);
        if config.get("statistics.interval.ms").is_none() {
            config.set("statistics.interval.ms", STATISTICS_MS);
        }
        let watch = self.metrics.client.watch(Client::Producer);
        let publisher = Arc::new(Publisher::of(&config, Arc::<SharedLedger>::clone(&ledger), Some(watch))?);
        let transactions = processing
            .is_exactly_once()
            .then(|| Transactions::introduce(&publisher, &self.metrics.transactions, self.stop))
            .transpose()?;
        let context = GroupContext {
            topic,
            ledger: Arc::clone(&ledger),
            publisher: Arc::clone(&publisher),
            transactions,
            stop: self.stop.clone(),
            leaving: AtomicBool::new(false),
            depends_on_past,
            pausing: Default::default(),
            events: Default::default(),
            lag: Default::default(),
            ends: Default::default(),
            hanging: Default::default(),
            watch: self.metrics.client.watch(Client::Consumer),
            log: QuietLog::default(),
        };
        let intake = Intake::join(self.settings, &self.settings.group(name), context, Arc::clone(&self.ids))?;
        Ok(Member { intake, publisher, ledger, dead_letters })
    }
}
