//! Exactly-once: the outputs of a stage and the offsets of their inputs become visible together, or not at all.
//!
//! ```text
//! begin ─> outputs … ─> all acknowledged? ─> offsets of the inputs ─> commit ─> Idle
//!                            │ no, refused, or the group gave our partitions away
//!                            └─> abort ─> GoBack: to the committed offsets, state built anew
//!                                   └─ not known how it ended ─> Broken: another producer, then the same
//! ```
//!
//! One producer a stage and process. Offsets are sent with the group's generation, so that a member that the group gave up
//! cannot commit; the id is the process's own, so that a producer made anew ends what its predecessor left open.

mod commit;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus::IntCounterVec;
use rdkafka::consumer::BaseConsumer;
use rdkafka::producer::Producer;

use crate::error::BrokerError;
use crate::group::GroupContext;
use crate::logging::QuietLog;
use crate::publisher::Publisher;
use crate::settings::{ASK, KafkaSettings};
use crate::stop::Stop;
use commit::{Failed, commit, until_it_is_known};

/// Least time for an abort where the commit has used all that was given.
const ABORT: Duration = Duration::from_secs(2);
const LOST: &str = "the group went on without us";

/// Where the transaction of a stage stands.
#[derive(Debug)]
enum State {
    Idle,
    Open(Instant),
    /// Aborted: what was read since the last commit is to be read again.
    GoBack,
    /// The producer is of no use any more.
    Broken(BrokerError),
}

/// The transactions of one stage.
#[derive(Debug)]
pub(crate) struct Transactions {
    state: Mutex<State>,
    /// Transactions by how they ended.
    ended: IntCounterVec,
}

/// An id that no other process has: whoever comes later must not take us for its predecessor.
pub(crate) fn transactional_id(settings: &KafkaSettings, stage: &str) -> String {
    use std::sync::OnceLock;
    static PROCESS: OnceLock<String> = OnceLock::new();
    let process = PROCESS.get_or_init(|| {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        format!("{}-{nanos:x}", std::process::id())
    });
    format!("{}-{process}", settings.group(stage))
}

impl Transactions {
    /// Makes the producer known to its coordinator, which ends what a producer of the same id left open. A coordinator that
    /// is away is waited for.
    ///
    /// # Errors
    /// A refusal; an unreachable coordinator where a stop came meanwhile.
    pub(crate) fn introduce(publisher: &Publisher, ended: &IntCounterVec, stop: &Stop) -> Result<Self, BrokerError> {
        let log = QuietLog::default();
        loop {
            let introduced = publisher.producer().init_transactions(ASK / 5);
            match introduced.map_err(|e| BrokerError::kafka("asking for transactions", e)) {
                Ok(()) => return Ok(Self { state: Mutex::new(State::Idle), ended: ended.clone() }),
                Err(e) if e.is_retryable() && !stop.is_set() => {
                    if log.is_new("coordinator") {
                        tracing::debug!("{e}");
                    }
                }
                Err(e) => return Err(e),
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a transaction where none is; `false` where nothing may be sent, because we must go back first.
    pub(crate) fn begin(&self, publisher: &Publisher) -> bool {
        let mut state = self.state();
        match *state {
            State::Open(_) => true,
            State::GoBack | State::Broken(_) => false,
            State::Idle => {
                let begun = publisher.producer().begin_transaction();
                *state = match begun {
                    Ok(()) => State::Open(Instant::now()),
                    Err(e) => State::Broken(BrokerError::Transaction(format!("it did not begin: {e}"))),
                };
                matches!(*state, State::Open(_))
            }
        }
    }

    /// When the open transaction was begun.
    pub(crate) fn open_since(&self) -> Option<Instant> {
        match *self.state() {
            State::Open(since) => Some(since),
            _ => None,
        }
    }

    /// Whether what was read since the last commit must be read again; asked once.
    ///
    /// # Errors
    /// Why the producer is of no use any more, if it is.
    pub(crate) fn must_go_back(&self) -> Result<bool, BrokerError> {
        let mut state = self.state();
        if matches!(*state, State::Idle | State::Open(_)) {
            return Ok(false);
        }
        match std::mem::replace(&mut *state, State::Idle) {
            State::Broken(why) => Err(why),
            _ => Ok(true),
        }
    }

    /// Ends the open transaction, if there is one: commits all that was taken, or aborts. Gives what was committed.
    pub(crate) fn end(
        &self,
        context: &GroupContext,
        consumer: &BaseConsumer<GroupContext>,
        patience: Duration,
    ) -> Vec<(i32, i64)> {
        if self.open_since().is_none() {
            return Vec::new();
        }
        let until = Instant::now() + patience;
        match commit(context, consumer, until) {
            Ok(done) => {
                self.becomes(State::Idle, "committed");
                return done;
            }
            Err(Failed::Abort(why)) => self.abort(context, &why, until.max(Instant::now() + ABORT)),
            Err(Failed::Unknown(why)) => self.becomes(State::Broken(BrokerError::Transaction(why)), "unknown"),
            Err(Failed::Refused(e)) => self.becomes(State::Broken(e), "refused"),
        }
        Vec::new()
    }

    /// The group gave our partitions to others: the open transaction, if there is one, is taken back, and nothing of ours is
    /// to be read again.
    pub(crate) fn lost(&self, context: &GroupContext) {
        if self.open_since().is_none() {
            return;
        }
        self.abort(context, LOST, Instant::now() + ABORT);
        let mut state = self.state();
        if matches!(*state, State::GoBack) {
            *state = State::Idle;
        }
    }

    fn abort(&self, context: &GroupContext, why: &str, until: Instant) {
        if context.log.is_new("transaction aborted") {
            tracing::warn!("{}: a transaction is taken back, its input is read again: {why}", context.topic);
        }
        let producer = context.publisher.producer();
        let aborted = until_it_is_known(until, |left| producer.abort_transaction(left));
        // Deliveries that failed with this transaction fail nothing else.
        drop(context.ledger.take_failure());
        match aborted {
            Ok(()) => self.becomes(State::GoBack, "aborted"),
            Err(e) => {
                let why = format!("{why}; taking it back: {e}");
                self.becomes(State::Broken(BrokerError::Transaction(why)), "unknown");
            }
        }
    }

    fn becomes(&self, state: State, ended: &str) {
        self.ended.with_label_values(&[ended]).inc();
        *self.state() = state;
    }
}
