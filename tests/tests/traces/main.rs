//! Traces: spans that OpenTelemetry's own SDK sends to the agent stand on the topic, and leave it for a receiver that nobody here
//! wrote as they came: ids, times, attributes, events, links, status.
//!
//! ```text
//! send.py (SDK, gzip) ─> edge --otlp-listen, --otlp-grpc-listen ─ (gateway) ─> topic spans ─> run export ─> oteltap (HTTP), Collector (gRPC)
//!      └── what it sent, one object a line ─────────────────────────┬────────────────────────────────────────────┘
//!                                                               compared
//! ```

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

mod authority;
mod grpc;
mod http;
mod odd;
mod own;
mod site;
mod spans;
