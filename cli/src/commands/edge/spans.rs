//! Spans of the services beside the agent: OTLP over HTTP, straight to the topic.

use prometheus::Registry;
use tidegate_broker::Stop;
use tidegate_producers::admission::RequestCounts;
use tidegate_producers::spans::{SpanMetrics, SpanReceiver};

use crate::config::Settings;
use crate::exit::{self, failure};
use crate::otlp_http;

/// Serves where an address is given for it; server spans are counted where `counts` are given.
pub(super) fn serve(
    settings: &Settings,
    counts: Option<RequestCounts>,
    registry: &Registry,
    stop: &Stop,
) -> anyhow::Result<()> {
    let Some(address) = &settings.edge.otlp_listen else { return Ok(()) };
    if settings.edge.gateway.is_some() {
        let said =
            "an agent behind a gateway takes no spans yet: leave --otlp-listen out, or let it reach Kafka itself";
        return Err(failure(exit::CONFIG, said));
    }
    let kafka = settings.kafka()?;
    let ids = settings.schema_ids(&kafka, stop);
    let receiver = SpanReceiver::new(&kafka, &*ids, SpanMetrics::register(registry)?, counts)?;
    let at = otlp_http::serve(address, receiver, stop)?;
    tracing::info!("spans by OTLP at http://{at}/v1/traces");
    Ok(())
}
