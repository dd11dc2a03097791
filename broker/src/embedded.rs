//! The embedded broker: librdkafka's in-process one, for `demo`, quick tests and nothing else.
//!
//! It keeps 5 MiB a partition, has no administration, no lookup by time and no transactions. Any Kafka client may
//! connect to its address. It ends when it is dropped.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use tidegate_schemas::Topic;
use tidegate_schemas::catalogue::PartitionBy;

use crate::error::BrokerError;
use crate::settings::KafkaSettings;

/// A running embedded broker with all topics of the catalogue.
pub struct EmbeddedBroker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    prefix: String,
}

impl std::fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedBroker").field("brokers", &self.cluster.bootstrap_servers()).finish_non_exhaustive()
    }
}

impl EmbeddedBroker {
    /// Starts a broker and creates the topics, each with `partitions` partitions.
    ///
    /// # Errors
    /// Where the client library refuses.
    pub fn start(prefix: &str, partitions: i32) -> Result<Self, BrokerError> {
        let cluster = MockCluster::new(1).map_err(|e| BrokerError::kafka("starting the embedded broker", e))?;
        for topic in Topic::ALL {
            let count = if topic.partition_by() == PartitionBy::Single { 1 } else { partitions };
            let name = topic.name(prefix);
            cluster.create_topic(&name, count, 1).map_err(|e| BrokerError::kafka(format!("creating {name}"), e))?;
        }
        Ok(Self { cluster, prefix: prefix.to_owned() })
    }

    /// Settings to reach it.
    #[must_use]
    pub fn settings(&self) -> KafkaSettings {
        KafkaSettings {
            brokers: self.cluster.bootstrap_servers(),
            prefix: self.prefix.clone(),
            embedded: true,
            ..KafkaSettings::default()
        }
    }
}
