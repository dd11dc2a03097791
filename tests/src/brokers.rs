//! Either of the two brokers, so that one test body runs on both.

use std::fmt;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use tidegate_schemas::Topic;
use tidegate_schemas::catalogue::PartitionBy;

use crate::binary;
use crate::kafka::{self, Kafka};
use crate::process::PATIENCE;

/// Partitions of a test's topics: more than one, so that order and sharing are put to the test.
pub const PARTITIONS: i32 = 3;

/// A broker with its topics.
pub enum TestBroker {
    /// Apache Kafka, shared by the tests of one executable.
    Kafka(&'static Kafka),
    /// librdkafka's own, one for each test; other processes may connect to it too.
    Embedded {
        /// Keeps the broker running.
        cluster: MockCluster<'static, DefaultProducerContext>,
        /// Its address.
        bootstrap: String,
    },
}

impl fmt::Debug for TestBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TestBroker({})", self.bootstrap())
    }
}

impl TestBroker {
    /// The real Kafka; `None` where this machine can not have one.
    #[must_use]
    pub fn kafka() -> Option<Self> {
        kafka::shared().map(Self::Kafka)
    }

    /// A fresh embedded broker.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn embedded() -> Self {
        let cluster = MockCluster::new(1).unwrap_or_else(|e| panic!("the embedded broker did not start: {e}"));
        let bootstrap = cluster.bootstrap_servers();
        Self::Embedded { cluster, bootstrap }
    }

    /// `HOST:PORT` for clients.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        match self {
            Self::Kafka(kafka) => kafka.bootstrap(),
            Self::Embedded { bootstrap, .. } => bootstrap,
        }
    }

    /// Creates all topics under `prefix`: with `tidegate topics apply` on Kafka, by its own call on the embedded broker,
    /// which has no administration.
    ///
    /// # Panics
    /// Where that fails.
    pub fn provision(&self, prefix: &str) {
        match self {
            Self::Kafka(kafka) => provision(kafka.bootstrap(), prefix),
            Self::Embedded { cluster, .. } => {
                for topic in Topic::ALL {
                    let partitions = if topic.partition_by() == PartitionBy::Single { 1 } else { PARTITIONS };
                    let created = cluster.create_topic(&topic.name(prefix), partitions, 1);
                    created.unwrap_or_else(|e| panic!("{topic} was not created: {e}"));
                }
            }
        }
    }
}

/// Creates all topics under `prefix` on a real Kafka.
///
/// # Panics
/// Where that fails.
pub fn provision(bootstrap: &str, prefix: &str) {
    apply_topics(bootstrap, prefix, PARTITIONS, 1).unwrap_or_else(|e| panic!("{e:#}"));
}

/// As [`provision`], with numbers of partitions and replicas.
///
/// # Errors
/// What `tidegate topics apply` says where it fails.
pub fn apply_topics(bootstrap: &str, prefix: &str, partitions: i32, replicas: u8) -> anyhow::Result<()> {
    let (partitions, replicas) = (partitions.to_string(), replicas.to_string());
    let flags = ["--partitions", &partitions, "--replication-factor", &replicas, "--prefix", prefix];
    let arguments = [&["topics", "apply", "--brokers", bootstrap], &flags[..]].concat();
    let applied = binary::spawn(&arguments).wait(PATIENCE)?;
    anyhow::ensure!(applied.code == Some(0), "the topics were not created: {}", applied.stderr);
    Ok(())
}

/// Makes a test for each broker out of one body, `fn body(broker: &TestBroker)`.
#[macro_export]
macro_rules! on_both_brokers {
    ($($body:ident),+ $(,)?) => {$(
        mod $body {
            use $crate::brokers::TestBroker;

            #[test]
            fn on_kafka() {
                let Some(broker) = TestBroker::kafka() else { return };
                super::$body(&broker);
            }

            #[test]
            fn on_the_embedded_broker() {
                super::$body(&TestBroker::embedded());
            }
        }
    )+};
}
