//! OTLP over gRPC: what the agent serves (`tidegate edge --otlp-grpc-listen`), what the gateway's services are made of, and the
//! export's client (`tidegate run export --otlp-protocol grpc`).
//!
//! ```text
//! SDK ══ Export ══ proto (its services, as generated) ─ message: bytes, within a limit ─> receive (tidegate-producers)
//!                                                       status: a refusal as gRPC says it <───────┘
//! export ─> client ══ Export ══ backend ─> an answer (tidegate-otlp)
//! ```
//!
//! Messages come and leave as bytes (`codec`): they are decoded where those of HTTP are, behind the same limits. Here because this
//! crate alone knows gRPC.

mod client;
pub(crate) mod codec;
pub(crate) mod message;
pub(crate) mod proto;
mod server;
pub(crate) mod status;

pub use client::GrpcBackend;
pub use server::serve;
pub use status::meaning;
