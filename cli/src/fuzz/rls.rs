//! Requests of Envoy's rate limit service.

use std::time::Duration;

use tidegate_fuzz::Target;
use tidegate_gateway::rls;
use tidegate_producers::admission::{Admission, AdmissionMetrics, Gate, RequestCounts};

/// Bytes of a `RateLimitRequest`; one that is taken is asked for, and its answer is made.
pub(super) const REQUESTS: Target = Target {
    name: "rls_requests",
    usual: 20_000,
    corpus: || {
        // domain "edge"; a descriptor with the entry service=shop, one with 3 hits of its own, one that gives 2 back; 5 hits
        let plain = b"\x0a\x04edge\x12\x11\x0a\x0f\x0a\x07service\x12\x04shop\x18\x05";
        let own = b"\x0a\x04edge\x12\x04\x1a\x02\x08\x03\x12\x06\x1a\x02\x08\x02\x20\x01";
        vec![plain.to_vec(), own.to_vec()]
    },
    decoder: || {
        let registry = tidegate_broker::Registry::new();
        let counts = RequestCounts::register(&registry).unwrap_or_else(|e| unreachable!("{e}"));
        let metrics = AdmissionMetrics::register(&registry).unwrap_or_else(|e| unreachable!("{e}"));
        let gate = Gate::new(Admission::new(1.0, Duration::from_secs(1)), Some(counts), metrics);
        gate.set_quota(1e6);
        Box::new(move |bytes| rls::respond(&gate, bytes).is_some())
    },
};

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_rls_requests() {
        super::REQUESTS.run();
    }
}
