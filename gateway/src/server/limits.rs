//! What one gateway takes: every queue and every buffer of it is bounded by one of these.

use tidegate_samples::Bounds;

use crate::batch::BatchLimits;

/// Limits of a gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one gRPC message, or of one HTTP body as it comes.
    pub message_bytes: usize,
    /// Of one batch: its records, and its bytes uncompressed; the latter also of an HTTP body.
    pub batch: BatchLimits,
    /// Batches of one edge that wait for Kafka; no more are read from it meanwhile.
    pub in_flight: usize,
    /// Connections at a time.
    pub connections: usize,
    /// Nodes that one stream may watch.
    pub nodes: usize,
    /// HTTP requests that are being taken.
    pub requests: usize,
    /// Nodes that are known by samples, and their series.
    pub sampled: Bounds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes: 1 << 20,
            batch: BatchLimits { bytes: 4 << 20, records: 5_000 },
            in_flight: 8,
            connections: 20_000,
            nodes: 5_000,
            requests: 32,
            sampled: Bounds::default(),
        }
    }
}
