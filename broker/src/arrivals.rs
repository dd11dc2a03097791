//! Waiting for what a consumer has to give, by the monotonic clock.
//!
//! ```text
//! client library: its queue is not empty any more ─> Arrivals ─> the poll thread looks
//! ```
//!
//! The client library waits until times of the wall clock. Where that is set back in such a wait, the wait becomes as much
//! longer: heartbeats stay away, and a stop is not noticed. So its polls never wait here, and it is asked something every
//! second, which makes its own thread look at its timers again.

use std::cell::Cell;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::message::BorrowedMessage;

/// Time between two questions to the client library.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Events served before it is believed that nothing is there: one may stand before a record.
const EVENTS: usize = 4;

/// Whether something came since somebody looked.
#[derive(Debug, Default)]
struct Arrived {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Arrived {
    fn set(&self) {
        *self.flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    fn clear(&self) {
        *self.flag.lock().unwrap_or_else(PoisonError::into_inner) = false;
    }

    /// Waits until something comes, at most so long.
    fn wait(&self, patience: Duration) {
        let flag = self.flag.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout_while(flag, patience, |came| !*came));
    }
}

/// A consumer whose polls wait by the monotonic clock.
pub(crate) struct Arrivals {
    arrived: Arc<Arrived>,
    asked: Cell<Instant>,
}

impl Arrivals {
    /// Hears of all that comes to `consumer`.
    pub(crate) fn of<C: ConsumerContext>(consumer: &mut BaseConsumer<C>) -> Self {
        let arrived = Arc::new(Arrived::default());
        let heard = Arc::clone(&arrived);
        consumer.set_nonempty_callback(move || heard.set());
        Self { arrived, asked: Cell::new(Instant::now()) }
    }

    /// The next record or error; `None` where none came within `patience`, or where `enough` says that it need not be waited
    /// for.
    pub(crate) fn next<'c, C: ConsumerContext>(
        &self,
        consumer: &'c BaseConsumer<C>,
        patience: Duration,
        enough: impl Fn() -> bool,
    ) -> Option<KafkaResult<BorrowedMessage<'c>>> {
        let until = Instant::now() + patience;
        if !patience.is_zero() {
            self.keep_awake(consumer);
        }
        loop {
            self.arrived.clear();
            if let Some(polled) = (0..EVENTS).find_map(|_| consumer.poll(Duration::ZERO)) {
                return Some(polled);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || enough() {
                return None;
            }
            self.arrived.wait(left);
        }
    }

    fn keep_awake<C: ConsumerContext>(&self, consumer: &BaseConsumer<C>) {
        if self.asked.get().elapsed() >= ASK_EVERY {
            self.asked.set(Instant::now());
            if let Err(e) = consumer.assignment() {
                tracing::debug!("asking for the assignment: {e}");
            }
        }
    }
}
