//! All metrics of both ends, for those who describe them: nothing is counted by what is registered here.

use tidegate_broker::Registry;
use tidegate_producers::spans::SpanMetrics;

use crate::link::metrics::{LinkMetrics, StoreMetrics};
use crate::server::http::metrics::HttpMetrics;
use crate::server::metrics::GatewayMetrics;

/// Registers what `tidegate gateway` shows.
///
/// # Errors
/// Where the registry already has them.
pub fn of_server(registry: &Registry) -> Result<(), prometheus::Error> {
    GatewayMetrics::register(registry)?;
    HttpMetrics::register(registry)?;
    SpanMetrics::register(registry)?;
    Ok(())
}

/// Registers what an edge shows of its link.
///
/// # Errors
/// Where the registry already has them.
pub fn of_link(registry: &Registry) -> Result<(), prometheus::Error> {
    LinkMetrics::register(registry)?;
    for what in ["reports", "spans"] {
        StoreMetrics::register(registry, what)?;
    }
    Ok(())
}
