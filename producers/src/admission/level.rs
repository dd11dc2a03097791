//! What the bucket lends to `governor`: the place where it keeps its one number, and a clock that shows what it was given.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use governor::clock::Clock;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};

/// The time since the limiter began at which the bucket is full, ns. The limiter would keep its own to itself; this one is
/// shared with the bucket, which reads it and carries it over.
#[derive(Debug, Clone)]
pub(super) struct Level(Arc<AtomicU64>);

impl Level {
    pub(super) fn new(full_at_ns: u64) -> Self {
        Self(Arc::new(AtomicU64::new(full_at_ns)))
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, full_at_ns: u64) {
        self.0.store(full_at_ns, Ordering::Relaxed);
    }
}

impl StateStore for Level {
    type Key = NotKeyed;

    /// A bucket is only ever changed through `&mut`, so nobody else writes meanwhile.
    fn measure_and_replace<T, F, E>(&self, _key: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (outcome, full_at) = decide(Some(self.get().into()))?;
        self.set(full_at.into());
        Ok(outcome)
    }
}

/// A clock that shows what it was given, ns.
#[derive(Debug)]
pub(super) struct Given(AtomicU64);

impl Given {
    pub(super) fn at(now_ns: u64) -> Self {
        Self(AtomicU64::new(now_ns))
    }

    pub(super) fn set(&self, now_ns: u64) {
        self.0.store(now_ns, Ordering::Relaxed);
    }
}

impl Clock for Given {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        self.0.load(Ordering::Relaxed).into()
    }
}
