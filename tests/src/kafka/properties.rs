//! The server.properties of a one-node Kafka for tests.

use std::fmt::Write;
use std::path::Path;

use super::KafkaOptions;

/// Any 16 bytes in base64; a fresh folder is formatted with it each time.
pub(super) const CLUSTER_ID: &str = "dGlkZWdhdGUtdGVzdHMtMQ";

/// Checks users against those that its own line names.
const LOGIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";

pub(super) fn text(folder: &Path, port: u16, controller_port: u16, options: &KafkaOptions) -> String {
    let mut text = format!(
        "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={}/data
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
",
        folder.display()
    );
    if let Some(sasl_port) = options.sasl_port {
        let (plain, sasl) =
            (format!("PLAINTEXT://127.0.0.1:{port}"), format!("SASL_PLAINTEXT://127.0.0.1:{sasl_port}"));
        text += &format!(
            "listeners={plain},{sasl},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners={plain},{sasl}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config={LOGIN} required user_alice=\"secret\";
"
        );
    }
    for (key, value) in &options.properties {
        writeln!(text, "{key}={value}").unwrap_or_else(|e| unreachable!("a String takes every line: {e}"));
    }
    text
}
