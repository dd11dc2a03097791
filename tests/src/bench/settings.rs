//! Client settings of the bare loops and of the measuring client: the stages' own, so that only their work differs.

use rdkafka::ClientConfig;
use tidegate_broker::KafkaSettings;

fn stages(bootstrap: &str) -> KafkaSettings {
    KafkaSettings { brokers: bootstrap.into(), ..KafkaSettings::default() }
}

/// A producer's.
pub(super) fn producer(bootstrap: &str) -> ClientConfig {
    stages(bootstrap).producer()
}

/// A consumer's, which leaves commits to the client library, once a second.
pub(super) fn committing_consumer(bootstrap: &str, group: &str) -> ClientConfig {
    let mut config = stages(bootstrap).consumer(Some(group));
    config.set("enable.auto.commit", "true").set("enable.auto.offset.store", "true");
    config.set("auto.commit.interval.ms", "1000");
    config
}

/// A consumer's that keeps its own position.
pub(super) fn reader(bootstrap: &str) -> ClientConfig {
    stages(bootstrap).consumer(None)
}
