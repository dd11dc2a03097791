//! The quota in force as a rate of requests. Pure.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::bucket::{Bucket, Verdict};

/// One bucket for all requests of this edge, of any number of threads.
#[derive(Debug)]
pub struct Admission {
    per_unit: f64,
    bucket: Mutex<Bucket>,
    asked: AtomicU64,
}

impl Admission {
    /// An admission where one resource unit of quota stands for `per_unit` requests/s, and the bucket holds what the quota gives
    /// in `window`. Nothing is let through before a quota is set.
    #[must_use]
    pub fn new(per_unit: f64, window: Duration) -> Self {
        Self { per_unit, bucket: Mutex::new(Bucket::new(window)), asked: AtomicU64::new(0) }
    }

    /// This quota is in force, resource units. Gives the rate, requests/s.
    pub fn set_quota(&self, quota: f64, now: Duration) -> f64 {
        let rate = quota * self.per_unit;
        self.lock().set_rate(rate, now);
        rate
    }

    /// Asks for a request that counts as `cost`.
    pub fn ask(&self, cost: u32, now: Duration) -> Verdict {
        self.asked.fetch_add(u64::from(cost), Ordering::Relaxed);
        self.lock().take(cost, now)
    }

    /// Gives back what was taken and not used; it was asked for all the same.
    pub fn give_back(&self, count: u32, now: Duration) -> Verdict {
        let mut bucket = self.lock();
        bucket.give_back(count, now);
        Verdict { admitted: true, wait: Some(Duration::ZERO), ..bucket.take(0, now) }
    }

    /// All that was asked for, let through or not: the demand.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_is_a_rate_and_what_is_denied_was_asked_for_too() {
        let admission = Admission::new(0.05, Duration::from_secs(1));
        assert!(!admission.ask(1, Duration::from_secs(99)).admitted, "no quota yet");
        assert!((admission.set_quota(2_000.0, Duration::ZERO) - 100.0).abs() < 1e-9);
        let at = Duration::from_secs(1);
        let through = (0..150).filter(|_| admission.ask(1, at).admitted).count();
        assert_eq!((through, admission.asked()), (100, 151));
        admission.set_quota(1_000.0, at);
        assert_eq!((0..150).filter(|_| admission.ask(1, 2 * at).admitted).count(), 50);
        assert_eq!(admission.give_back(3, 2 * at).remaining, 3);
        assert_eq!(admission.asked(), 301);
    }
}
