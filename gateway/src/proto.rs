//! Messages, service and client of `schemas/proto/tidegate/edge/v1/edge.proto`, as generated.

#![allow(
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated code"
)]

tonic::include_proto!("tidegate.edge.v1");

/// The compiled protos, for the reflection service.
pub(crate) const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/edge.bin"));
