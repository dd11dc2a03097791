//! The server.properties of a one-node Kafka for tests.

use std::fmt::Write;
use std::path::Path;

use super::KafkaOptions;

/// Any 16 bytes in base64; a fresh folder is formatted with it each time.
pub(super) const CLUSTER_ID: &str = "dGlkZWdhdGUtdGVzdHMtMQ";

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
    for (key, value) in &options.properties {
        writeln!(text, "{key}={value}").unwrap_or_else(|e| unreachable!("a String takes every line: {e}"));
    }
    text
}

/// One of three brokers, which are controllers too; `ports` of its listeners for tests, for us and for controllers.
pub(super) fn of_cluster(folder: &Path, id: usize, ports: [u16; 3], advertised: u16, voters: &str) -> String {
    let [plain, ours, controller] = ports;
    let own = [
        ("node.id", id.to_string()),
        ("controller.quorum.voters", voters.to_owned()),
        (
            "listeners",
            format!("PLAINTEXT://127.0.0.1:{plain},OURS://127.0.0.1:{ours},CONTROLLER://127.0.0.1:{controller}"),
        ),
        ("advertised.listeners", format!("PLAINTEXT://127.0.0.1:{plain},OURS://127.0.0.1:{advertised}")),
        ("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,OURS:PLAINTEXT,CONTROLLER:PLAINTEXT".into()),
        ("inter.broker.listener.name", "PLAINTEXT".into()),
        ("min.insync.replicas", "2".into()),
        ("default.replication.factor", "3".into()),
        ("offsets.topic.replication.factor", "3".into()),
        ("transaction.state.log.replication.factor", "3".into()),
        ("transaction.state.log.min.isr", "2".into()),
        // The stock 1 and 2 s are short for three controllers on a busy machine.
        ("controller.quorum.election.timeout.ms", "3000".into()),
        ("controller.quorum.fetch.timeout.ms", "6000".into()),
        ("controller.quorum.request.timeout.ms", "6000".into()),
        ("num.network.threads", "2".into()),
        ("num.io.threads", "4".into()),
    ];
    let properties = own.map(|(key, value)| (key.to_owned(), value)).to_vec();
    text(folder, plain, controller, &KafkaOptions { properties })
}
