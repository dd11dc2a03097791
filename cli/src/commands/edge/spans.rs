//! Spans of the services beside the agent: OTLP over HTTP, straight to the topic.

use std::sync::Arc;

use prometheus::Registry;
use tidegate_broker::{KafkaSettings, Stop};
use tidegate_producers::spans::{SpanMetrics, SpanReceiver};
use tidegate_schemas::SchemaIds;

use crate::config::Settings;
use crate::otlp_http;

/// Serves where an address is given for it.
pub(super) fn serve(
    settings: &Settings,
    kafka: &KafkaSettings,
    ids: &Arc<dyn SchemaIds>,
    registry: &Registry,
    stop: &Stop,
) -> anyhow::Result<()> {
    let Some(address) = &settings.edge.otlp_listen else { return Ok(()) };
    let receiver = SpanReceiver::new(kafka, &**ids, SpanMetrics::register(registry)?)?;
    let at = otlp_http::serve(address, receiver, stop)?;
    tracing::info!("spans by OTLP at http://{at}/v1/traces");
    Ok(())
}
