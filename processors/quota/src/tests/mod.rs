//! Decisions as a whole: policies through the rails, in words and under properties.

mod decisions;
mod rails;

use crate::{Figures, Inputs};

/// CPU as given with a p90 that is 0.05 higher, memory at 0.1.
fn inputs(peak: f64, current: f64) -> Inputs {
    let figures = |current, p50| Figures { current, p50, p90: p50 + 0.05, measured_at: 1_000 };
    Inputs {
        timestamp: 1_000,
        base_quota: 500.0,
        cpu: figures(current, peak),
        memory: figures(0.1, 0.1),
        from_model: true,
    }
}
