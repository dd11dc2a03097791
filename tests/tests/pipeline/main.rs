//! The built binary on real brokers: what a user would do, checked on the topics by clients that are not tidegate's.
//!
//! Tests that the embedded broker can serve run the same body on both; see [`fixture::on_both_brokers`].

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

mod agents;
mod bad_headers;
mod bad_input;
mod bad_settings;
mod controls;
mod dead_letters;
mod dead_letters_replay;
mod delivery;
mod doctor;
mod edge_alone;
mod edge_gateway;
mod edge_in_python;
mod edge_link_faults;
mod edge_nothing_lost;
mod explain;
mod fixture;
mod python_consumer;
mod recordings;
mod registry;
mod shared_work;
mod too_large;
mod topics;
mod unwelcome;
