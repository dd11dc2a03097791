//! Spans of the services beside the agent, by OTLP over HTTP and gRPC, and the agent's own: straight to the topic or over the gateway.

use std::sync::Arc;

use tidegate_broker::{Registry, Stop};
use tidegate_gateway::otlp;
use tidegate_producers::admission::RequestCounts;
use tidegate_producers::spans::{SpanIntake, SpanMetrics, SpanReceiver};
use tidegate_traces::Connected;

use crate::config::Settings;
use crate::{http, otlp_http, own_spans};

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

/// Has the agent's own spans taken, as long as the answer lives.
pub(super) fn own(settings: &Settings, centre: &Centre, registry: &Registry, stop: &Stop) -> anyhow::Result<Connected> {
    match centre {
        Centre::Gateway(link) => {
            let uncounted = SpanMetrics::register(&Registry::new())?;
            own_spans::to(Arc::new(link.spans(uncounted, None)?), registry)
        }
        Centre::Kafka { .. } => {
            let kafka = settings.kafka()?;
            own_spans::to_kafka(&kafka, &settings.schema_ids(&kafka, stop), registry)
        }
    }
}
