//! Whether brokers answer, and whether each can be reached at the address that it announces: clients are sent there.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use tidegate_broker::KafkaSettings;
use tidegate_broker::survey::Cluster;

use super::finding::Finding;
use crate::commands::counted;
use crate::config::Settings;

const CHECK: &str = "brokers";
const PATIENCE: Duration = Duration::from_secs(3);

/// What was found, with what the brokers told; or why there is nothing to ask.
pub(super) fn check(kafka: &KafkaSettings) -> Result<(Vec<Finding>, Cluster), Finding> {
    let cluster = Cluster::ask(kafka).map_err(|e| {
        Finding::wrong(CHECK, e.to_string()).advise("--brokers HOST:PORT,…, and the [kafka] table for TLS and SASL")
    })?;
    let mut found: Vec<Finding> = cluster.brokers.iter().filter_map(|address| unreachable(address)).collect();
    if found.is_empty() {
        let count = counted(cluster.brokers.len() as u64, "broker");
        found.push(Finding::ok(CHECK, format!("{count}, each reached as {}", cluster.brokers.join(", "))));
    }
    Ok((found, cluster))
}

/// Whether there are the transactions that exactly-once needs, where the settings ask for it.
pub(super) fn transactions(settings: &Settings, kafka: &KafkaSettings) -> Option<Finding> {
    let wants = settings.processing.promise().is_ok_and(|promise| promise.is_exactly_once());
    let checked = wants.then(|| kafka.check_transactions())?;
    Some(Finding::of("transactions", checked.map_err(Into::into), |()| "the brokers have them".to_owned()))
}

fn unreachable(address: &str) -> Option<Finding> {
    let why = connect(address).err()?;
    let said = format!("a broker announces itself as {address}, where it cannot be reached from here: {why}");
    Some(Finding::wrong(CHECK, said).advise("set the broker's advertised.listeners to an address that clients can use"))
}

/// Connects and hangs up.
pub(super) fn connect(address: &str) -> std::io::Result<()> {
    let mut last = std::io::Error::other("the name has no address");
    for at in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&at, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(e) => last = e,
        }
    }
    Err(last)
}
