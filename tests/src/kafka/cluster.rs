//! Three brokers in KRaft mode, each a controller too: replication 3, two of them must have a record. Every broker has a
//! listener for us that it advertises at another address, where a test may stand in between.
//!
//! ```text
//! tests ───────────────────────────> PLAINTEXT  ┐
//! tidegate ─> address in between ──> OURS       ├─ broker n
//! the other brokers ───────────────> CONTROLLER ┘
//! ```

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, ensure};
use rdkafka::producer::{BaseProducer, Producer};

use super::node::Node;
use super::{fetch, properties, wait_until_answering};
use crate::client;
use crate::ports;
use crate::process::wait_until;

/// Brokers of a cluster.
pub const BROKERS: usize = 3;
/// A small heap is enough for the little that a test holds; the quick compiler alone leaves a small machine room for the work.
const JVM: [&str; 3] = ["-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"];
/// Three of them start at once, on a machine that may be busy.
const START_TIMEOUT: Duration = Duration::from_secs(240);
const IN_SYNC_TIMEOUT: Duration = Duration::from_secs(180);

/// Ports of one broker on the loopback.
#[derive(Debug, Clone, Copy)]
struct Ports {
    plain: u16,
    ours: u16,
    controller: u16,
}

/// A running cluster; stopped and its data removed when dropped or when this process ends.
#[derive(Debug)]
pub struct Cluster {
    nodes: [Mutex<Node>; BROKERS],
    ports: [Ports; BROKERS],
}

impl Cluster {
    /// Starts three brokers and waits until they know each other. `between` is told the address of each broker's listener
    /// for us, and gives the port at which clients find it.
    ///
    /// # Errors
    /// Where they do not come up.
    pub fn start(mut between: impl FnMut(usize, u16) -> anyhow::Result<u16>) -> anyhow::Result<Self> {
        fetch::jars()?;
        let [a, b, c, d, e, f, g, h, i] = ports::free()?;
        let ports = [[a, b, c], [d, e, f], [g, h, i]];
        let ports = ports.map(|[plain, ours, controller]| Ports { plain, ours, controller });
        let voters = ports.iter().enumerate().map(|(n, p)| format!("{}@127.0.0.1:{}", n + 1, p.controller));
        let voters = voters.collect::<Vec<_>>().join(",");
        let mut advertised = [0; BROKERS];
        for (number, port) in advertised.iter_mut().enumerate() {
            *port = between(number, ports[number].ours)?;
        }
        // Each formats its storage first, which is most of the time.
        let started = std::thread::scope(|scope| {
            let start = |n: usize| {
                let (ports, advertised, voters) = (ports[n], advertised[n], voters.as_str());
                scope.spawn(move || {
                    Node::start(&JVM, |folder| {
                        properties::of_cluster(
                            folder,
                            n + 1,
                            [ports.plain, ports.ours, ports.controller],
                            advertised,
                            voters,
                        )
                    })
                })
            };
            [start(0), start(1), start(2)]
                .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a panic"))))
        });
        let [a, b, c] = started;
        let cluster = Self { nodes: [a?, b?, c?].map(Mutex::new), ports };
        let nodes: Vec<MutexGuard<'_, Node>> = (0..BROKERS).map(|n| cluster.node(n)).collect();
        wait_until_answering(&cluster.bootstrap(), &nodes.iter().map(|n| &**n).collect::<Vec<_>>(), START_TIMEOUT)?;
        drop(nodes);
        Ok(cluster)
    }

    fn node(&self, number: usize) -> MutexGuard<'_, Node> {
        self.nodes[number].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `HOST:PORT,…` with nothing in between.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        self.ports.map(|p| format!("127.0.0.1:{}", p.plain)).join(",")
    }

    /// Process id of a broker.
    #[must_use]
    pub fn pid(&self, number: usize) -> u32 {
        self.node(number).pid()
    }

    /// Whether a broker runs.
    #[must_use]
    pub fn is_running(&self, number: usize) -> bool {
        self.node(number).is_running()
    }

    /// Ends a broker by SIGKILL.
    ///
    /// # Errors
    /// Where it still runs after 10 s.
    pub fn kill(&self, number: usize) -> anyhow::Result<()> {
        self.node(number).kill()
    }

    /// Ends a broker by SIGTERM: it hands its partitions over first.
    ///
    /// # Errors
    /// Where it still runs after a minute.
    pub fn stop(&self, number: usize) -> anyhow::Result<()> {
        self.node(number).stop()
    }

    /// Starts a broker that ended, and waits until every partition has all its replicas in sync again.
    ///
    /// # Errors
    /// Where that takes longer than three minutes.
    pub fn come_back(&self, number: usize) -> anyhow::Result<()> {
        self.node(number).come_back()?;
        // The others may not have missed it yet: it must answer itself before it counts as back.
        let own = format!("127.0.0.1:{}", self.ports[number].plain);
        wait_until(IN_SYNC_TIMEOUT, || self.is_in_sync(&own).unwrap_or(false))
            .with_context(|| format!("waiting for broker {number}:\n{}", self.node(number).log()))
    }

    /// By the word of one broker.
    fn is_in_sync(&self, bootstrap: &str) -> anyhow::Result<bool> {
        let client: BaseProducer = client::config(bootstrap).create()?;
        let metadata = client.client().fetch_metadata(None, Duration::from_secs(5))?;
        ensure!(metadata.brokers().len() == BROKERS, "a broker is missing");
        let mut partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        Ok(partitions.all(|p| p.leader() >= 0 && p.isr().len() == p.replicas().len()))
    }
}
