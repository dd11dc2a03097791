//! Enforcement at the edge, on the built binary: requests over HTTP and by a Go client on go-control-plane's stubs, through the loss
//! of a gateway and of the agent; requests counted by spans; a control group.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

mod counts;
mod envoy;
mod groups;
mod http;
mod loss;
mod site;
