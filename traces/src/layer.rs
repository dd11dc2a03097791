//! The layer of the log that makes spans, and what becomes of them.
//!
//! ```text
//! tracing spans of our target, warnings within them ─> OpenTelemetryLayer ─> BatchSpanProcessor (own thread) ─> Export
//! connect(takes) ─> from here on spans are made ─> Connected dropped: what waits is sent, and no more are made
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use prometheus::{IntCounterVec, Opts};
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::TARGET;
use crate::export::{Export, Outlet, TakeSpans};
use crate::ids::GivenIds;

/// How long a span waits for others to go with.
const DELAY: Duration = Duration::from_millis(500);
/// Spans that may wait; more are left out.
const MOST_WAITING: usize = 2048;
/// Spans that go together.
const TOGETHER: usize = 512;

static OUTLET: Mutex<Option<Outlet>> = Mutex::new(None);
static IS_CONNECTED: AtomicBool = AtomicBool::new(false);
static PROVIDER: LazyLock<SdkTracerProvider> = LazyLock::new(provider);

fn provider() -> SdkTracerProvider {
    let config = BatchConfigBuilder::default()
        .with_scheduled_delay(DELAY)
        .with_max_queue_size(MOST_WAITING)
        .with_max_export_batch_size(TOGETHER)
        .build();
    let processor = BatchSpanProcessor::builder(Export::new(&OUTLET)).with_batch_config(config).build();
    SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_id_generator(GivenIds::default())
        // It was decided at the head of the trace.
        .with_sampler(Sampler::AlwaysOn)
        .build()
}

/// Whether spans are taken.
pub(crate) fn is_connected() -> bool {
    IS_CONNECTED.load(Ordering::Relaxed)
}

/// The layer, for the process' log. It costs nothing until [`connect`].
pub fn layer<S>() -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let wanted = |about: &Metadata<'_>| {
        if about.is_span() { about.target() == TARGET } else { *about.level() <= Level::WARN }
    };
    tracing_opentelemetry::layer()
        .with_tracer(PROVIDER.tracer("tidegate"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_target(false)
        .with_filter(filter_fn(wanted))
}

/// As long as this lives, spans are made and taken.
#[derive(Debug)]
#[must_use]
pub struct Connected(());

/// What counts our spans, for whoever registers it.
///
/// # Errors
/// None that is known.
pub fn counter() -> Result<IntCounterVec, prometheus::Error> {
    let help = "Spans of tidegate's own, by what became of them: taken, or lost because they were not.";
    let spans = IntCounterVec::new(Opts::new("tidegate_own_spans_total", help), &["result"])?;
    for result in ["taken", "lost"] {
        spans.with_label_values(&[result]);
    }
    Ok(spans)
}

/// Has spans made and given to `takes`, one at a time in a process; they are counted in `spans` ([`counter`]).
pub fn connect(takes: TakeSpans, spans: IntCounterVec) -> Connected {
    *OUTLET.lock().unwrap_or_else(PoisonError::into_inner) = Some(Outlet::new(takes, spans));
    IS_CONNECTED.store(true, Ordering::Relaxed);
    Connected(())
}

impl Drop for Connected {
    fn drop(&mut self) {
        IS_CONNECTED.store(false, Ordering::Relaxed);
        if let Err(e) = PROVIDER.force_flush() {
            tracing::debug!("the last spans were not sent: {e}");
        }
        *OUTLET.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
