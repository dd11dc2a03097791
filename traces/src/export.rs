//! From the SDK's spans to OTLP, for whoever takes them.
//!
//! ```text
//! SpanData ─> by service (the attribute service.name becomes the resource's) ─> ExportTraceServiceRequest ─> TakeSpans
//! ```
//!
//! One process may be several services: each stage is one, as if it ran alone.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use opentelemetry::{Key, KeyValue};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prometheus::IntCounterVec;
use tidegate_otlp::ExportTraceServiceRequest;

/// Takes a request of spans, waiting until they are safe; an error says why they are not.
pub type TakeSpans = Box<dyn Fn(ExportTraceServiceRequest) -> Result<(), String> + Send>;

const SERVICE_NAME: &str = "service.name";

/// Who takes the spans now.
pub(crate) struct Outlet {
    takes: TakeSpans,
    spans: IntCounterVec,
    /// The last failure that was said.
    said: String,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet").finish_non_exhaustive()
    }
}

impl Outlet {
    pub(crate) fn new(takes: TakeSpans, spans: IntCounterVec) -> Self {
        Self { takes, spans, said: String::new() }
    }

    fn take(&mut self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let taken = (self.takes)(request(batch));
        let result = if taken.is_ok() { "taken" } else { "lost" };
        self.spans.with_label_values(&[result]).inc_by(count);
        match taken {
            Ok(()) => self.said.clear(),
            Err(why) => {
                if why != self.said {
                    tracing::warn!("spans of tidegate's own are lost: {why}");
                    self.said.clone_from(&why);
                }
                return Err(OTelSdkError::InternalFailure(why));
            }
        }
        Ok(())
    }
}

/// What the SDK hands its spans to.
#[derive(Debug)]
pub(crate) struct Export(&'static Mutex<Option<Outlet>>);

impl Export {
    pub(crate) fn new(outlet: &'static Mutex<Option<Outlet>>) -> Self {
        Self(outlet)
    }
}

impl SpanExporter for Export {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(outlet) => outlet.take(batch),
            None => Err(OTelSdkError::AlreadyShutdown),
        }
    }
}

/// A request with a resource for each service.
fn request(batch: Vec<SpanData>) -> ExportTraceServiceRequest {
    let mut services: BTreeMap<String, Vec<SpanData>> = BTreeMap::new();
    for mut span in batch {
        let at = span.attributes.iter().position(|attribute| attribute.key.as_str() == SERVICE_NAME);
        let service = at.map(|at| span.attributes.swap_remove(at).value.to_string());
        services.entry(service.unwrap_or_else(|| "tidegate".to_owned())).or_default().push(span);
    }
    let resource_spans = services.into_iter().flat_map(|(service, spans)| {
        group_spans_by_resource_and_scope(spans, &ResourceAttributesWithSchema::from(&resource(service)))
    });
    ExportTraceServiceRequest { resource_spans: resource_spans.collect() }
}

fn resource(service: String) -> Resource {
    let about = [
        KeyValue::new(Key::from_static_str(SERVICE_NAME), service),
        KeyValue::new("service.namespace", "tidegate"),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("process.pid", i64::from(std::process::id())),
    ];
    Resource::builder_empty().with_attributes(about).build()
}
