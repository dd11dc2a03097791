//! `tidegate trace`: one trace of the topic `spans`.
//!
//! ```text
//! trace id ─> the topic, from its oldest record to its end of now ─> spans of that key ─┬─> waterfall.rs
//!                                                                                       └─> --json
//! ```

mod object;
mod waterfall;

use std::time::Duration;

use tidegate_broker::{From, Tail};
use tidegate_schemas::records::Span;
use tidegate_schemas::{Decoder, Topic};

use crate::args::Common;
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::shutdown;

/// What the broker may take to give the next record.
const PATIENCE: Duration = Duration::from_secs(30);

/// Show one trace: its spans as a waterfall.
///
/// Reads the topic of spans from its oldest record. A trace id stands in the header `traceparent` of every report, forecast and
/// command, in `explain`, and in the logs of your services.
#[derive(Debug, clap::Args)]
pub(crate) struct Trace {
    /// The trace, 32 hex digits
    trace_id: String,
}

impl Trace {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let id = self.trace_id.to_ascii_lowercase();
        if id.len() != 32 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(failure(exit::USAGE, format!("{:?} is no trace id: it has 32 hex digits", self.trace_id)));
        }
        let settings = Settings::load(common)?;
        let kafka = settings.kafka()?;
        let stop = shutdown::on_signals()?;
        super::reach(&kafka)?;
        let topic = kafka.topic(Topic::Spans);
        let mut decoder = Decoder::new(settings.schema_ids(&kafka, &stop));
        let mut spans: Vec<Span> = Vec::new();
        let mut tail = Tail::topic(&kafka, &topic, From::Beginning)?;
        while !stop.is_set() {
            let Some(record) = tail.next_before_end(PATIENCE)? else { break };
            if record.key.as_deref() != Some(id.as_bytes()) {
                continue;
            }
            match decoder.decode::<Span>(record.value.as_deref().unwrap_or_default()) {
                // A request that was sent again brings its spans again.
                Ok(span) if spans.iter().all(|known| known.span_id != span.span_id) => spans.push(span),
                Ok(_) => {}
                Err(e) => tracing::warn!("{topic}/{}/{}: {e}", record.partition, record.offset),
            }
        }
        if spans.is_empty() {
            let said =
                format!("{topic} has no span of the trace {id}; it may be gone from the topic, or not be sampled");
            return Err(failure(exit::NO_INPUT, said));
        }
        spans.sort_by(|a, b| (a.start_time_unix_nano, &a.span_id).cmp(&(b.start_time_unix_nano, &b.span_id)));
        if common.json { super::say_json(&object::of(&id, &spans)) } else { super::say(waterfall::of(&id, &spans)) }
    }
}
