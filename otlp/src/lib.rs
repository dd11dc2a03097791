//! OTLP and the records of the topic `spans`: the same values in both shapes, there and back. No I/O.
//!
//! ```text
//! body (protobuf, JSON) ─> decode ─> ExportTraceServiceRequest ─> intake ─┬─> Span records
//!                                                                         └─> spans that are none, counted
//! Span records ─> export ─> ExportTraceServiceRequest ─> SpanBackend ─ its answer (HTTP: answer, gRPC: grpc) ─> Answer
//! what is not taken ─> Refusal: a status of HTTP, a code of gRPC
//! body of metrics ─> ExportMetricsServiceRequest, of which `tidegate-samples` makes load
//! ```
//!
//! Source: the OpenTelemetry Protocol specification 1.x (`opentelemetry.proto.trace.v1`, OTLP/HTTP, OTLP/gRPC).

mod answer;
mod attributes;
mod backend;
mod body;
mod error;
mod export;
mod grpc;
mod intake;
mod outline;
mod refusal;

pub use answer::{Answer, answer};
pub use backend::SpanBackend;
pub use body::{Encoding, plain};
pub use error::OtlpError;
pub use export::request_of;
pub use grpc::{code_name, grpc_answer, grpc_success};
pub use intake::{Intake, records_of};
pub use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
pub use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
pub use refusal::{Kind, Refusal};

/// Characters of an answer that are repeated to people at most.
const EXCERPT: usize = 200;
