//! Fleets that have no agent of ours: a real Prometheus with a real node_exporter writes to the built gateway, and this host
//! becomes a node with reports and quotas; so does a bucket of a data plane that speaks Envoy's RLQS.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

mod cpu;
mod prometheus;
mod rlqs;
