//! What the page draws of a node: forecast band, outcome, load and quota of each decision.

/// One decision with its outcome; fractions of the base quota.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TracePoint {
    /// Event time, Unix ms.
    pub at_ms: i64,
    /// Load then, of the resource that counts.
    pub load: f32,
    /// Forecast median of the peak.
    pub p50: f32,
    /// Forecast 0.9 quantile of the peak.
    pub p90: f32,
    /// The peak that came.
    pub peak: f32,
    /// The quota decided.
    pub quota: f32,
    /// The quota of the policy that it is compared with.
    pub against: Option<f32>,
    /// Whether the node was still warming up.
    pub warming: bool,
}

/// All of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The node.
    pub node_id: String,
    /// Its decisions, in order.
    pub points: Vec<TracePoint>,
}
