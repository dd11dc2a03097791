//! The shell round admission: it brings the clock, and counts. Everybody who serves requests asks here.

use std::time::Duration;

use super::bucket::Verdict;
use super::counts::RequestCounts;
use super::metrics::AdmissionMetrics;
use super::rate::Admission;
use crate::clock::SystemClock;
use crate::pacing::Clock as _;

/// One edge's gate.
#[derive(Debug)]
pub struct Gate {
    admission: Admission,
    /// Where requests are counted; `None`: they are counted elsewhere, by their spans.
    counts: Option<RequestCounts>,
    metrics: AdmissionMetrics,
    clock: SystemClock,
}

impl Gate {
    /// A gate that lets nothing through before a quota is set.
    #[must_use]
    pub fn new(admission: Admission, counts: Option<RequestCounts>, metrics: AdmissionMetrics) -> Self {
        Self { admission, counts, metrics, clock: SystemClock::start() }
    }

    /// This quota is in force from now on, resource units.
    pub fn set_quota(&self, quota: f64) {
        self.metrics.changed(self.admission.set_quota(quota, self.now()));
    }

    /// Asks for a request of a service that counts as `cost`. A denied one has failed, for who sent it.
    pub fn ask(&self, service: &str, cost: u32) -> Verdict {
        let verdict = self.admission.ask(cost, self.now());
        self.metrics.answered(verdict.admitted);
        if let Some(counts) = &self.counts {
            counts.count(service, 1, u64::from(!verdict.admitted));
        }
        verdict
    }

    /// Gives back what was taken and not used.
    pub fn give_back(&self, count: u32) -> Verdict {
        self.admission.give_back(count, self.now())
    }

    /// All that was asked for so far.
    #[must_use]
    pub fn asked(&self) -> u64 {
        self.admission.asked()
    }

    /// Time since the gate was made.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.clock.now()
    }
}
