//! Requests asked for, as a load: their rate since the last report over the rate of the base quota. Pure.
//!
//! Denied requests count: they are demand that the quota did not meet, and what a larger quota is for.

use std::time::Duration;

/// The meter between two reports.
#[derive(Debug, Clone)]
pub struct Demand {
    base_rate: f64,
    asked: u64,
    at: Duration,
}

impl Demand {
    /// A meter that begins now; the base quota stands for `base_rate` requests/s.
    #[must_use]
    pub fn new(base_rate: f64, now: Duration) -> Self {
        Self { base_rate, asked: 0, at: now }
    }

    /// The load since the last call, given all that was ever asked for; `None` where no time has passed.
    pub fn load(&mut self, asked: u64, now: Duration) -> Option<f64> {
        let span = now.saturating_sub(self.at).as_secs_f64();
        let requests = asked.saturating_sub(self.asked) as f64;
        (self.asked, self.at) = (asked, now);
        let load = requests / span / self.base_rate;
        load.is_finite().then_some(load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn demand_is_the_rate_since_the_last_report() {
        let mut demand = Demand::new(100.0, Duration::from_secs(5));
        assert_eq!(demand.load(500, Duration::from_secs(15)), Some(0.5));
        assert_eq!(demand.load(3_500, Duration::from_secs(25)), Some(3.0), "beyond the base quota");
        assert_eq!(demand.load(3_500, Duration::from_secs(35)), Some(0.0));
        assert_eq!(demand.load(9_999, Duration::from_secs(35)), None, "no time");
    }
}
