//! OTLP and the records of the topic `spans`: the same values in both shapes, there and back. No I/O.
//!
//! ```text
//! body (protobuf, JSON) ─> decode ─> ExportTraceServiceRequest ─> intake ─┬─> Span records
//!                                                                         └─> spans that are none, counted
//! Span records ─> export ─> ExportTraceServiceRequest ─> body ─> a backend's answer ─> Answer
//! body of metrics ─> ExportMetricsServiceRequest, of which `tidegate-samples` makes load
//! ```
//!
//! Source: the OpenTelemetry Protocol specification 1.x (`opentelemetry.proto.trace.v1`, OTLP/HTTP).

mod answer;
mod attributes;
mod body;
mod error;
mod export;
mod intake;
mod outline;

pub use answer::{Answer, answer};
pub use body::{Encoding, plain};
pub use error::OtlpError;
pub use export::request_of;
pub use intake::{Intake, records_of};
pub use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
pub use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
