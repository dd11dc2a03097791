//! [`Checkpoint`]: what the forecast stage kept of one node.

use serde::{Deserialize, Serialize};

/// What was kept of one node; fields, units and defaults in `avro/checkpoint.avsc`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Checkpoint {
    pub node_id: String,
    pub offset: i64,
    pub by: i64,
    pub sequence: i64,
    pub heard: i64,
    pub marks: Vec<i64>,
    pub model: String,
    #[serde(with = "super::opaque")]
    pub state: Vec<u8>,
}

super::record!(Checkpoint);
