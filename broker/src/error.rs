//! What can go wrong between us and Kafka, whose fault it is, and whether trying again can help.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tidegate_schemas::SchemaError;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrokerError {
    /// A setting that the client library refuses.
    #[error("a Kafka setting is wrong: {0}")]
    Settings(String),
    /// No broker answered.
    #[error("no Kafka broker answers at {brokers}: {message}")]
    Unreachable {
        /// Addresses tried.
        brokers: String,
        /// What the client library said.
        message: String,
    },
    /// Topics that must exist do not.
    #[error("the topic {0} does not exist; `tidegate topics apply` creates what is missing")]
    MissingTopic(String),
    /// Two topics must have the same number of partitions and do not.
    #[error(
        "{a} has {a_count} partitions and {b} has {b_count}; they must be equal, so that a node's commands stay in one place"
    )]
    PartitionMismatch {
        /// One topic.
        a: String,
        /// Its partitions.
        a_count: i32,
        /// The other.
        b: String,
        /// Its partitions.
        b_count: i32,
    },
    /// The broker refuses us: authentication, authorisation.
    #[error("Kafka refused ({what}): {message}")]
    Refused {
        /// What was tried.
        what: String,
        /// What the broker said.
        message: String,
    },
    /// A record is larger than the broker or the client takes.
    #[error("a record of {bytes} bytes for {topic} is too large")]
    TooLarge {
        /// Destination.
        topic: String,
        /// Size of the value.
        bytes: usize,
    },
    /// Deliveries did not end in time.
    #[error("{pending} records were not acknowledged within {seconds} s")]
    NotAcknowledged {
        /// Records in flight.
        pending: i64,
        /// The deadline.
        seconds: u64,
    },
    /// Nobody knows how a transaction ended, or its producer is of no use any more: another one goes on.
    #[error("a transaction did not end well: {0}")]
    Transaction(String),
    /// Another producer has taken the place of ours.
    #[error("{what} failed: another producer took over ({message})")]
    Fenced {
        /// What was tried.
        what: String,
        /// What the broker said.
        message: String,
    },
    /// The wall clock was set back, and clients that wait by it would be late by so much: others go on.
    #[error("the clock was set back by {0} s")]
    ClockSetBack(u64),
    /// The embedded broker can not do this.
    #[error("the embedded broker has no {0}; use a real Kafka")]
    Embedded(&'static str),
    /// Any other error of the client library.
    #[error("{what} failed: {source}")]
    Kafka {
        /// What was tried, with topic, partition and offset where there are.
        what: String,
        /// The client library's error.
        source: KafkaError,
    },
    /// The file of the authorities of https is none.
    #[error("{} gives no authorities for https: {message}; it wants a PEM file of certificates", path.display())]
    Authorities {
        /// The file.
        path: std::path::PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Bytes and schemas.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// A thread could not be started or ended in a panic.
    #[error("{0}")]
    Thread(String),
}

/// Whether the broker refuses us: authentication, authorisation.
pub(crate) fn is_refusal(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| {
        matches!(
            code,
            RDKafkaErrorCode::Authentication
                | RDKafkaErrorCode::SaslAuthenticationFailed
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::TransactionalIdAuthorizationFailed
        )
    })
}

impl BrokerError {
    /// Wraps an error of the client library, sorting out those that need another answer.
    pub(crate) fn kafka(what: impl Into<String>, source: KafkaError) -> Self {
        let what = what.into();
        let refused = is_refusal(&source);
        let fenced = source.rdkafka_error_code().is_some_and(|code| {
            matches!(
                code,
                RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch
            )
        });
        match source {
            // The value stays out: it may be a password under a name that was mistyped.
            KafkaError::ClientConfig(_, why, key, _) => Self::Settings(format!("{key}: {why}")),
            KafkaError::ClientCreation(why) => Self::Settings(why),
            source if refused => Self::Refused { what, message: source.to_string() },
            source if fenced => Self::Fenced { what, message: source.to_string() },
            source => Self::Kafka { what, source },
        }
    }

    /// Whether a stage under exactly-once can go on with a producer made anew.
    #[must_use]
    pub(crate) fn wants_another_producer(&self) -> bool {
        matches!(self, Self::Transaction(_) | Self::Fenced { .. })
    }

    /// Whether the same call may succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::NotAcknowledged { .. } | Self::ClockSetBack(_) => true,
            Self::Schema(e) => e.is_retryable(),
            Self::Kafka { source, .. } => source.rdkafka_error_code().is_some_and(|code| {
                matches!(
                    code,
                    RDKafkaErrorCode::AllBrokersDown
                        | RDKafkaErrorCode::BrokerTransportFailure
                        // The client library gave up a connection while somebody asked over it.
                        | RDKafkaErrorCode::DestroyBroker
                        | RDKafkaErrorCode::OperationTimedOut
                        | RDKafkaErrorCode::RequestTimedOut
                        | RDKafkaErrorCode::CoordinatorNotAvailable
                        | RDKafkaErrorCode::CoordinatorLoadInProgress
                        | RDKafkaErrorCode::NotCoordinator
                        | RDKafkaErrorCode::LeaderNotAvailable
                        | RDKafkaErrorCode::NotLeaderForPartition
                        // A leader that is new does not know yet how far its partition is readable.
                        | RDKafkaErrorCode::OffsetNotAvailable
                        | RDKafkaErrorCode::FencedLeaderEpoch
                        | RDKafkaErrorCode::UnknownLeaderEpoch
                        | RDKafkaErrorCode::ReplicaNotAvailable
                        | RDKafkaErrorCode::NotEnoughReplicas
                        | RDKafkaErrorCode::NotEnoughReplicasAfterAppend
                        | RDKafkaErrorCode::KafkaStorageError
                        | RDKafkaErrorCode::NetworkException
                        | RDKafkaErrorCode::UnstableOffsetCommit
                        | RDKafkaErrorCode::UnknownTopicOrPartition
                        | RDKafkaErrorCode::UnknownPartition
                        | RDKafkaErrorCode::UnknownTopic
                        | RDKafkaErrorCode::RebalanceInProgress
                        | RDKafkaErrorCode::IllegalGeneration
                        | RDKafkaErrorCode::UnknownMemberId
                        | RDKafkaErrorCode::WaitingForCoordinator
                        | RDKafkaErrorCode::InProgress
                        | RDKafkaErrorCode::ConcurrentTransactions
                )
            }),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leader_that_moves_is_waited_for_and_a_refusal_is_not() {
        let of = |code| BrokerError::kafka("asking", KafkaError::MetadataFetch(code)).is_retryable();
        assert!(of(RDKafkaErrorCode::OffsetNotAvailable) && of(RDKafkaErrorCode::NotLeaderForPartition));
        assert!(!of(RDKafkaErrorCode::TopicAuthorizationFailed) && !of(RDKafkaErrorCode::InvalidTopic));
    }
}
