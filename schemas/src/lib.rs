//! What several parts of tidegate must agree on, and nothing else: the topics, the records on them, their bytes.
//!
//! ```text
//! avro/*.avsc ──> catalogue (schemas, ids, topics) ──> codec (typed record <-> 0x00 | id | datum)
//!                        │                                ▲
//!                        ├──> registry_api (the REST answers that stock deserialisers ask for)
//!                        └──> asyncapi (the topics for those who read them by other means)
//! ```
//!
//! This crate does no I/O: where schema ids come from is the [`codec::SchemaIds`] trait, and the client of an outside
//! registry stands in `tidegate-broker`.

pub mod asyncapi;
pub mod catalogue;
pub mod codec;
pub mod controls;
pub mod dead_letters;
pub mod error;
pub mod framing;
pub mod partition;
pub mod recording;
pub mod records;
mod recursion;
pub mod registry_api;
pub mod trace;
pub mod trace_tree;

pub use catalogue::{RecordKind, Topic};
pub use codec::{CatalogueIds, Decoder, Encoder, SchemaIds, WriterSchema};
pub use error::SchemaError;
