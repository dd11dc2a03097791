//! Where checkpoints of a stage go: the partition of the topic `checkpoints` with the number of the input's partition.

use tidegate_schemas::Topic;
use tidegate_schemas::codec::{Encoder, SchemaIds};
use tidegate_schemas::records::{Checkpoint, Record};

use crate::error::BrokerError;
use crate::publisher::{Outgoing, Publisher};
use crate::settings::{ASK, KafkaSettings};

/// The topic, with what encodes its records.
#[derive(Debug)]
pub(crate) struct CheckpointTopic {
    pub(crate) name: String,
    pub(crate) encoder: Encoder,
}

impl CheckpointTopic {
    /// Checkpoints of what comes from the topic `input`: both must have as many partitions.
    pub(crate) fn new(input: &str, settings: &KafkaSettings, ids: &dyn SchemaIds) -> Result<Self, BrokerError> {
        let name = settings.topic(Topic::Checkpoints);
        let (a_count, b_count) = (settings.partition_count(input, ASK)?, settings.partition_count(&name, ASK)?);
        if a_count != b_count {
            return Err(BrokerError::PartitionMismatch { a: input.to_owned(), a_count, b: name, b_count });
        }
        let encoder = Encoder::new(Topic::Checkpoints, Checkpoint::KIND, ids)?;
        Ok(Self { name, encoder })
    }

    /// Sends the checkpoint of a node, or the tombstone of one, like an output of the input with this ticket. Gives the size of
    /// its value.
    pub(crate) fn send(
        &self,
        partition: i32,
        (node_id, checkpoint): (&str, Option<&Checkpoint>),
        publisher: &Publisher,
        ticket: usize,
        wait: impl FnMut(),
    ) -> Result<usize, BrokerError> {
        let mut bytes = Vec::new();
        if let Some(checkpoint) = checkpoint {
            self.encoder.encode(checkpoint, &mut bytes)?;
        }
        let record = Outgoing {
            topic: &self.name,
            partition: Some(partition),
            key: Some(node_id.as_bytes()),
            payload: checkpoint.is_some().then_some(&bytes),
            ..Outgoing::default()
        };
        publisher.send_with(&record, ticket, wait)?;
        Ok(bytes.len())
    }
}
