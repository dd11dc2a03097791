//! Which partitions are paused, so that exactly those go on.
//!
//! ```text
//! output away, state missing ─> pause(these) ─┬─> resume(those of them that may go on)
//!                                             └─> given up by the group: resumed before they go
//! ```
//!
//! The client library keeps a partition paused when the group takes it away and gives it back, so that a partition that goes
//! while it is paused would stand still for ever when it comes back. And resuming one that is not paused makes it read again
//! from where it last began.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};

use super::partitions_of;

/// The paused partitions of one consumer.
#[derive(Debug, Default)]
pub(crate) struct Pausing {
    paused: Mutex<BTreeSet<i32>>,
}

impl Pausing {
    /// Takes nothing of these partitions until they are resumed.
    pub(crate) fn pause<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        topic: &str,
        partitions: impl IntoIterator<Item = i32>,
    ) {
        let partitions: BTreeSet<i32> = partitions.into_iter().collect();
        if let Err(e) = consumer.pause(&partitions_of(topic, partitions.iter().copied())) {
            tracing::warn!("{topic}: pausing {partitions:?}: {e}");
        }
        self.lock().extend(partitions);
    }

    /// Takes the paused ones among these partitions again.
    pub(crate) fn resume<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        topic: &str,
        which: impl Fn(i32) -> bool,
    ) {
        let mut paused = self.lock();
        let partitions: BTreeSet<i32> = paused.iter().copied().filter(|partition| which(*partition)).collect();
        if partitions.is_empty() {
            return;
        }
        match consumer.resume(&partitions_of(topic, partitions.iter().copied())) {
            Ok(()) => paused.retain(|partition| !partitions.contains(partition)),
            Err(e) => tracing::warn!("{topic}: taking {partitions:?} again: {e}"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<i32>> {
        self.paused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
