//! Spans of the services beside the agent: OTLP over HTTP and gRPC, straight to the topic or over the gateway.

use std::sync::Arc;

use prometheus::Registry;
use tidegate_broker::Stop;
use tidegate_gateway::otlp;
use tidegate_producers::admission::RequestCounts;
use tidegate_producers::spans::{SpanIntake, SpanMetrics, SpanReceiver};

use crate::config::Settings;
use crate::{http, otlp_http};

use super::centre::Centre;

/// Serves where addresses are given for it; server spans are counted where `counts` are given.
pub(super) fn serve(
    settings: &Settings,
    centre: &Centre,
    counts: Option<RequestCounts>,
    registry: &Registry,
    stop: &Stop,
) -> anyhow::Result<()> {
    if !settings.edge.takes_spans() {
        return Ok(());
    }
    let metrics = SpanMetrics::register(registry)?;
    let intake: Arc<dyn SpanIntake> = match centre {
        Centre::Gateway(link) => Arc::new(link.spans(metrics, counts)?),
        Centre::Kafka { .. } => {
            let kafka = settings.kafka()?;
            let ids = settings.schema_ids(&kafka, stop);
            Arc::new(SpanReceiver::new(&kafka, &*ids, metrics, counts)?)
        }
    };
    if let Some(address) = &settings.edge.otlp_listen {
        let at = otlp_http::serve(address, Arc::clone(&intake), stop)?;
        tracing::info!("spans by OTLP at http://{at}/v1/traces");
    }
    if let Some(address) = &settings.edge.otlp_grpc_listen {
        let listener = http::bind(address)?;
        let at = listener.local_addr()?;
        otlp::serve(listener, intake, stop)?;
        tracing::info!("spans by OTLP over gRPC at http://{at}");
    }
    Ok(())
}
