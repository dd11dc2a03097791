//! Log lines and errors of the client library, passed to `tracing`; one line an outage, not thousands.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::statistics::Statistics;

use crate::error::is_refusal;

/// The same kind of line is said once in this time.
const REPEAT_AFTER: Duration = Duration::from_secs(30);

/// Remembers what was said lately.
#[derive(Debug, Default)]
pub(crate) struct QuietLog {
    said: Mutex<HashMap<String, Instant>>,
}

impl QuietLog {
    /// Whether this kind of line was not said lately; it counts as said now.
    pub(crate) fn is_new(&self, kind: &str) -> bool {
        let Ok(mut said) = self.said.lock() else { return true };
        let now = Instant::now();
        said.retain(|_, at| now.duration_since(*at) < REPEAT_AFTER);
        said.insert(kind.to_owned(), now).is_none()
    }

    pub(crate) fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        // FAIL tells the state of connections and GETPID of a starting coordinator, at every attempt; CONFWARN that a setting
        // is for the other kind of client.
        if matches!(facility, "FAIL" | "CONFWARN" | "GETPID") || !self.is_new(facility) {
            tracing::debug!(facility, "{message}");
            return;
        }
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(facility, "{message}");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(facility, "{message}"),
            _ => tracing::debug!(facility, "{message}"),
        }
    }

    pub(crate) fn error(&self, error: &KafkaError, reason: &str) {
        // The end of a partition, and that an offset is gone, is news for its reader, not a fault.
        let for_reader = [RDKafkaErrorCode::PartitionEOF, RDKafkaErrorCode::AutoOffsetReset];
        if error.rdkafka_error_code().is_some_and(|code| for_reader.contains(&code)) {
            return;
        }
        let kind = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| format!("{code:?}"));
        if self.is_new(&kind) {
            tracing::warn!("Kafka client: {error}: {reason} (said once in {} s)", REPEAT_AFTER.as_secs());
        }
    }
}

/// A context that logs, and remembers whether it was refused.
#[derive(Debug, Default)]
pub(crate) struct QuietContext {
    log: QuietLog,
    refusal: Mutex<Option<String>>,
}

impl QuietContext {
    /// Why a broker refused us, if one did, in the library's words.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.refusal.lock().ok()?.clone()
    }
}

impl ClientContext for QuietContext {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log.log(level, facility, message);
    }

    fn stats(&self, _: Statistics) {}

    fn error(&self, error: KafkaError, reason: &str) {
        self.log.error(&error, reason);
        if let (true, Ok(mut refusal)) = (is_refusal(&error), self.refusal.lock()) {
            *refusal = Some(reason.to_owned());
        }
    }
}

impl ConsumerContext for QuietContext {}

impl rdkafka::producer::ProducerContext for QuietContext {
    type DeliveryOpaque = ();

    fn delivery(&self, _: &rdkafka::producer::DeliveryResult<'_>, (): ()) {}
}
