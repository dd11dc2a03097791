//! Spans of tidegate's own: who takes them in this process.
//!
//! ```text
//! Hop, Batch (tidegate-traces) ─> to_kafka: topic spans ─> tidegate run export, tidegate trace
//!                              └> to: a gateway, over the agent's link
//! ```

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::IntCounterVec;
use tidegate_broker::{KafkaSettings, Registry};
use tidegate_producers::spans::{SpanIntake, SpanMetrics, SpanReceiver};
use tidegate_schemas::SchemaIds;
use tidegate_traces::{Connected, connect, counter};

/// Sends them to the topic, as long as the answer lives. Kafka is asked for once there are any.
pub(crate) fn to_kafka(
    kafka: &KafkaSettings,
    ids: &Arc<dyn SchemaIds>,
    registry: &Registry,
) -> anyhow::Result<Connected> {
    let (kafka, ids, receiver) = (kafka.clone(), Arc::clone(ids), Mutex::new(None::<SpanReceiver>));
    let open = move || {
        let uncounted = SpanMetrics::register(&Registry::new()).map_err(|e| e.to_string())?;
        SpanReceiver::new(&kafka, &*ids, uncounted, None).map_err(|e| e.to_string())
    };
    let takes = move |request| {
        let mut receiver = receiver.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = match &*receiver {
            Some(receiver) => receiver,
            None => receiver.insert(open()?),
        };
        receiver.take(request).map(drop).map_err(|e| e.to_string())
    };
    Ok(connect(Box::new(takes), counted(registry)?))
}

/// Hands them to what takes spans of services here.
pub(crate) fn to(intake: Arc<dyn SpanIntake>, registry: &Registry) -> anyhow::Result<Connected> {
    let takes = move |request| intake.take(request).map(drop).map_err(|e| e.to_string());
    Ok(connect(Box::new(takes), counted(registry)?))
}

/// Their counter, registered.
pub(crate) fn counted(registry: &Registry) -> Result<IntCounterVec, prometheus::Error> {
    let spans = counter()?;
    registry.register(Box::new(spans.clone()))?;
    Ok(spans)
}

/// Tells the traces of this start from those of others.
pub(crate) fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX) ^ u64::from(std::process::id()) << 40
}
