//! The way between edges and the centre for edges that have no Kafka: gRPC over HTTP/2, both its ends.
//!
//! ```text
//! edge: link ══ ReportBatch, ReportAck, QuotaUpdate (proto, batch) ══ server: load, dead-letters <─> Kafka <─> quotas
//! ```
//!
//! `server` is what `tidegate gateway` runs, `link` what `tidegate edge --gateway` runs; both know the broker crate or the
//! edge's parts, and none of the stages and sinks. `batch` and `judge` are pure, `body` reads what comes over HTTP. `rls` and `otlp` stand apart: Envoy's rate limit
//! service beside an edge agent, and OTLP over gRPC in and out, here because this crate alone knows gRPC.

pub mod batch;
pub mod body;
mod clock;
mod error;
mod guard;
mod judge;
pub mod link;
pub mod metrics;
pub mod otlp;
pub mod proto;
pub mod rls;
pub mod server;

pub use error::GatewayError;
pub use judge::{Accepted, Judge, Place};
pub use link::Link;
pub use server::{Gateway, GatewaySettings, Limits, Security, TlsFiles};
