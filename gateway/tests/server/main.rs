//! The gateway's server against an embedded broker, by the generated client.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

mod office;
mod otlp;
mod otlp_grpc;
mod remote_write;
mod security;
mod service;
mod site;
