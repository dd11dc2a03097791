//! What a stage promises, and whether its broker can keep it.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::error::BrokerError;
use crate::logging::QuietContext;
use crate::settings::{ASK, KafkaSettings, create};

/// How the cluster id of the embedded broker begins.
const EMBEDDED_CLUSTER: &str = "mockCluster";

/// How often an answer may stand on the topics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Guarantee {
    /// Once or, after a crash, more often: the same again.
    #[default]
    AtLeastOnce,
    /// Once for readers that read only what is committed, by Kafka's transactions.
    ExactlyOnce,
}

/// What a stage promises, and at which pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Processing {
    /// How often an answer may stand on the topics.
    pub guarantee: Guarantee,
    /// Exactly-once: how long a transaction gathers answers before it is committed, above 0.
    pub transaction: Duration,
    /// Whether the state of partitions that others hold is followed, so that they are taken over within seconds.
    pub standby: bool,
}

impl Default for Processing {
    fn default() -> Self {
        Self { guarantee: Guarantee::default(), transaction: Duration::from_millis(100), standby: false }
    }
}

impl Processing {
    /// Whether it is transactions.
    #[must_use]
    pub fn is_exactly_once(&self) -> bool {
        self.guarantee == Guarantee::ExactlyOnce
    }
}

impl KafkaSettings {
    /// Checks that the broker has real transactions.
    ///
    /// # Errors
    /// [`BrokerError::Embedded`] where it is the embedded one, this process's or another's.
    pub fn check_transactions(&self) -> Result<(), BrokerError> {
        let no = Err(BrokerError::Embedded("transactions, which exactly_once needs"));
        if self.embedded {
            return no;
        }
        let client: BaseConsumer<QuietContext> = create(&self.client(), QuietContext::default())?;
        let cluster = client.client().fetch_cluster_id(ASK).unwrap_or_default();
        if cluster.starts_with(EMBEDDED_CLUSTER) { no } else { Ok(()) }
    }
}
