//! Head sampling: where a trace begins it is decided whether its spans are recorded, and every hop keeps to that.
//!
//! ```text
//! report ─> trace id ─ its lower half below the share, or its node is to be traced whole? ─> flags of the traceparent
//! ```
//!
//! The decision is a function of the trace id (OpenTelemetry's TraceIdRatioBased), so that the same report is decided alike everywhere.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};

use super::TraceContext;

/// Begins the traces of a run.
#[derive(Debug, Clone)]
pub struct HeadSampler {
    seed: u64,
    /// Of 2^63.
    below: u64,
    whole: Arc<RwLock<HashSet<Box<str>>>>,
}

impl HeadSampler {
    /// One that has `share` (0 to 1) of all traces recorded. `seed` tells runs apart: the same report has another trace in each.
    #[must_use]
    pub fn new(seed: u64, share: f64) -> Self {
        // A float that is out of range, or none, becomes the nearest bound.
        let below = (share.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
        Self { seed, below, whole: Arc::default() }
    }

    /// The same run, of which nothing is recorded but what is to be traced whole.
    #[must_use]
    pub fn silent(&self) -> Self {
        Self { below: 0, ..self.clone() }
    }

    /// Begins the trace of the report of `node_id` with `sequence`.
    #[must_use]
    pub fn begin(&self, node_id: &str, sequence: i64) -> TraceContext {
        let root = TraceContext::root(self.seed, node_id, sequence);
        let low = u128::from_be_bytes(root.trace_id.to_bytes()) as u64;
        if low >> 1 < self.below || self.is_whole(node_id) { root } else { root.unsampled() }
    }

    /// All traces of a node are recorded, or again the share.
    pub fn trace_whole(&self, node_id: &str, whole: bool) {
        if self.is_whole(node_id) == whole {
            return;
        }
        let mut nodes = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        if whole {
            nodes.insert(node_id.into());
        } else {
            nodes.remove(node_id);
        }
    }

    fn is_whole(&self, node_id: &str) -> bool {
        self.whole.read().unwrap_or_else(PoisonError::into_inner).contains(node_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_share_is_kept_and_a_node_can_be_traced_whole() {
        let sampler = HeadSampler::new(7, 0.01);
        let sampled = |node: &str| (0..100_000).filter(|n| sampler.begin(node, *n).is_sampled()).count();
        // Of a binomial distribution with mean 1,000: within six deviations.
        assert!((810..1190).contains(&sampled("a")), "{}", sampled("a"));
        sampler.clone().trace_whole("a", true);
        assert_eq!(sampled("a"), 100_000);
        assert!(sampled("b") < 1190);
        sampler.trace_whole("a", false);
        assert!(sampled("a") < 1190);
    }

    proptest! {
        #[test]
        fn all_and_none_are_exact_and_a_larger_share_keeps_what_a_smaller_one_has(
            seed: u64, node in "[a-z]{1,5}", sequence: i64, share in 0.0..1.0f64,
        ) {
            let begin = |share| HeadSampler::new(seed, share).begin(&node, sequence);
            prop_assert!(begin(1.0).is_sampled() && begin(7.0).is_sampled());
            prop_assert!(!begin(0.0).is_sampled() && !begin(f64::NAN).is_sampled());
            prop_assert!(!begin(share / 2.0).is_sampled() || begin(share).is_sampled());
            prop_assert_eq!(begin(share).trace_id(), TraceContext::root(seed, &node, sequence).trace_id());
        }
    }
}
