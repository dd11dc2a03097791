//! Delivery reports: what happens when the broker has taken a record, or will not.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::error::BrokerError;

/// A ticket that nobody waits for.
pub const NO_TICKET: usize = 0;

/// Told of every delivery, on the client's own thread: must be quick.
pub trait Acknowledge: Send + Sync + fmt::Debug {
    /// The broker has acknowledged the record sent with `ticket`.
    fn delivered(&self, ticket: usize);
    /// It never will.
    fn failed(&self, ticket: usize, error: BrokerError);
}

/// Counts deliveries; enough for producers that have no input to commit.
#[derive(Debug, Default)]
pub struct Deliveries {
    delivered: AtomicU64,
    failed: AtomicU64,
    first_failure: Mutex<Option<String>>,
}

impl Deliveries {
    /// Records acknowledged.
    #[must_use]
    pub fn delivered_count(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Records that failed for good.
    #[must_use]
    pub fn failed_count(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Why the first failed.
    #[must_use]
    pub fn first_failure(&self) -> Option<String> {
        self.first_failure.lock().ok()?.clone()
    }
}

impl Acknowledge for Deliveries {
    fn delivered(&self, _: usize) {
        self.delivered.fetch_add(1, Ordering::Relaxed);
    }

    fn failed(&self, _: usize, error: BrokerError) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut first) = self.first_failure.lock() {
            first.get_or_insert_with(|| error.to_string());
        }
    }
}

/// Bytes that a client sent, as the client library counts them.
#[derive(Debug, Default)]
pub(crate) struct WireBytes(AtomicI64);

impl WireBytes {
    pub(crate) fn set(&self, bytes: i64) {
        self.0.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}
