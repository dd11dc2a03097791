//! A token bucket whose rate may change at any time. Pure: the time is an argument.
//!
//! ```text
//! set_rate ─> governor's limiter, begun anew at the level that the bucket has
//! take(n) ──> limiter ─> Verdict
//! ```
//!
//! `governor` keeps a bucket as the time at which it is full again, and its rate for life. So a change makes another limiter,
//! and the level is carried over, never raised: over any span, what is let through is at most what the rates gave in it and
//! what the bucket held at its beginning. All numbers are rounded so that this holds to the last request.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::NotKeyed;
use governor::{Quota, RateLimiter};

use super::level::{Given, Level};

/// The longest time between two requests: a smaller rate lets nothing through.
const LONGEST_PERIOD_NS: f64 = 1e15;
/// Requests that a bucket holds at most; with the longest period their time still fits in 64 bits of nanoseconds.
const MOST: u32 = 10_000_000;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    /// Whether it is let through.
    pub admitted: bool,
    /// Requests that would be let through at once now.
    pub remaining: u32,
    /// When it is worth asking again; zero where it is let through, `None`: not at this rate, however long one waits.
    pub wait: Option<Duration>,
    /// When the bucket will be full; `None`: never, the rate is 0.
    pub full_in: Option<Duration>,
    /// Requests that a full bucket holds.
    pub burst: u32,
    /// Requests/s.
    pub rate: f64,
}

/// A token bucket. It begins empty, so that a process that is started again and again gives nothing away.
#[derive(Debug)]
pub struct Bucket {
    window: Duration,
    rate: f64,
    /// `None`: the rate is 0.
    flow: Option<Flow>,
}

/// A bucket while its rate lasts.
#[derive(Debug)]
struct Flow {
    limiter: RateLimiter<NotKeyed, Level, Given, NoOpMiddleware<Nanos>>,
    level: Level,
    began_ns: u64,
    period_ns: u64,
    burst: NonZeroU32,
}

impl Bucket {
    /// A bucket of rate 0 that will hold what its rate gives in `window`, one request at least.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { window, rate: 0.0, flow: None }
    }

    /// From now on so many requests/s. A rate that is no finite number above 0 lets nothing through.
    pub fn set_rate(&mut self, rate: f64, now: Duration) {
        let rate = if rate.is_finite() && rate > 0.0 { rate } else { 0.0 };
        if rate.to_bits() == self.rate.to_bits() {
            return;
        }
        let now_ns = nanos(now);
        // What the bucket holds, as time at the old rate.
        let held = self.flow.as_ref().map(|flow| (flow.credit(now_ns), flow.period_ns));
        self.rate = rate;
        self.flow = period(rate).map(|period_ns| {
            let burst = burst(self.window, rate, period_ns);
            let full = u128::from(period_ns) * u128::from(burst.get());
            let credit = held.map_or(0, |(credit, old)| u128::from(credit) * u128::from(period_ns) / u128::from(old));
            let missing = full - credit.min(full);
            Flow::begin(period_ns, burst, u64::try_from(missing).unwrap_or(u64::MAX), now_ns)
        });
    }

    /// Takes `cost` requests, all of them or none; 0 asks whether one would be let through and takes nothing.
    pub fn take(&mut self, cost: u32, now: Duration) -> Verdict {
        let now_ns = nanos(now);
        let Some(flow) = &self.flow else {
            return Verdict { admitted: false, remaining: 0, wait: None, full_in: None, burst: 0, rate: 0.0 };
        };
        let wait_ns = flow.take(cost, now_ns);
        Verdict {
            admitted: wait_ns == Some(0),
            remaining: flow.remaining(now_ns),
            wait: wait_ns.map(Duration::from_nanos),
            full_in: Some(Duration::from_nanos(flow.missing(now_ns))),
            burst: flow.burst.get(),
            rate: self.rate,
        }
    }

    /// Gives back `count` requests that were taken and not made; a bucket never holds more than when it is full.
    pub fn give_back(&mut self, count: u32, now: Duration) {
        if let Some(flow) = &self.flow {
            let back = flow.period_ns.saturating_mul(u64::from(count));
            let full_at = flow.level.get().saturating_sub(back).max(flow.since(nanos(now)));
            flow.level.set(full_at);
        }
    }
}

impl Flow {
    fn begin(period_ns: u64, burst: NonZeroU32, missing_ns: u64, now_ns: u64) -> Self {
        let level = Level::new(missing_ns);
        let quota = Quota::with_period(Duration::from_nanos(period_ns.max(1)))
            .map_or_else(|| Quota::per_second(NonZeroU32::MIN), |quota| quota.allow_burst(burst));
        let limiter = RateLimiter::new(quota, level.clone(), Given::at(now_ns));
        Self { limiter, level, began_ns: now_ns, period_ns, burst }
    }

    /// `Some(0)`: taken; else how long until it can be.
    fn take(&self, cost: u32, now_ns: u64) -> Option<u64> {
        self.limiter.clock().set(now_ns);
        let Some(cost) = NonZeroU32::new(cost) else {
            let held = self.credit(now_ns);
            return Some(self.period_ns.saturating_sub(held));
        };
        // Asked here, because governor multiplies before it compares.
        if cost > self.burst {
            return None;
        }
        match self.limiter.check_n(cost) {
            Ok(Ok(())) => Some(0),
            Ok(Err(not_until)) => Some(nanos(not_until.wait_time_from(Nanos::from(now_ns))).max(1)),
            Err(_) => None,
        }
    }

    /// Time since the limiter began.
    fn since(&self, now_ns: u64) -> u64 {
        now_ns.saturating_sub(self.began_ns)
    }

    /// Time until the bucket is full.
    fn missing(&self, now_ns: u64) -> u64 {
        self.level.get().saturating_sub(self.since(now_ns))
    }

    /// What the bucket holds, as the time in which its rate gives that.
    fn credit(&self, now_ns: u64) -> u64 {
        (self.period_ns * u64::from(self.burst.get())).saturating_sub(self.missing(now_ns))
    }

    fn remaining(&self, now_ns: u64) -> u32 {
        u32::try_from(self.credit(now_ns) / self.period_ns).unwrap_or(u32::MAX)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Time between two requests, rounded up; `None`: nothing is let through.
fn period(rate: f64) -> Option<u64> {
    let period = (1e9 / rate).ceil().max(1.0);
    (period <= LONGEST_PERIOD_NS).then_some(period as u64)
}

/// What the rate gives in the window. The tolerance is for whole numbers that floats have not.
fn burst(window: Duration, rate: f64, period_ns: u64) -> NonZeroU32 {
    let requests = (rate * window.as_secs_f64() + 1e-6) as u32;
    // With a long period a second request may be years of time; the product stays below 2^64 ns all the same.
    let most = u32::try_from(u64::MAX / 4 / period_ns).unwrap_or(u32::MAX);
    NonZeroU32::new(requests.min(MOST).min(most)).unwrap_or(NonZeroU32::MIN)
}

#[cfg(test)]
#[path = "bucket_tests.rs"]
mod tests;
