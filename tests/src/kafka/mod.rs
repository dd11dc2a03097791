//! A real Apache Kafka: fetched by Maven, formatted, started as one node (broker and controller), always stopped.
//!
//! ```text
//! fetch ──> jars in the cache ──> StorageTool format ──> kafka.Kafka under process::Guarded ──> takes connections
//! ```

pub mod cluster;
mod fetch;
mod node;
mod properties;

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::bail;
use rdkafka::producer::{BaseProducer, Producer};

use crate::client;
use crate::parts::{self, Part};
use crate::ports;
use node::Node;

/// Version of Apache Kafka that the tests run.
pub const VERSION: &str = "4.1.0";
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Another process may take a port between our look and Kafka's.
const STARTS: usize = 3;

/// What a test may want otherwise.
#[derive(Debug, Clone, Default)]
pub struct KafkaOptions {
    /// Lines for server.properties, which win over ours.
    pub properties: Vec<(String, String)>,
    /// Also listens here for who can name himself: user `alice`, password `secret` (SASL, mechanism PLAIN).
    pub sasl_port: Option<u16>,
}

/// A running Kafka; stopped and its data removed when dropped or when this process ends.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    node: Node,
}

/// The Kafka that the tests of one executable share; `None` where this machine can not have one (the test is skipped).
///
/// # Panics
/// In CI where a part is missing; anywhere where a fetched Kafka does not start.
pub fn shared() -> Option<&'static Kafka> {
    static SHARED: OnceLock<Result<Kafka, String>> = OnceLock::new();
    SHARED.get_or_init(started).as_ref().map_err(|why| parts::missing(Part::Kafka, why)).ok()
}

/// A Kafka that a test has for itself, to do it harm; `None` as for [`shared`].
///
/// # Panics
/// As [`shared`].
#[must_use]
pub fn own() -> Option<Kafka> {
    started().map_err(|why| parts::missing(Part::Kafka, &why)).ok()
}

/// As [`own`], with settings of its own.
///
/// # Panics
/// As [`shared`].
#[must_use]
pub fn own_with(options: &KafkaOptions) -> Option<Kafka> {
    started_with(options).map_err(|why| parts::missing(Part::Kafka, &why)).ok()
}

/// Whether this machine can have one; says what is missing as [`shared`] does.
///
/// # Panics
/// As [`shared`].
#[must_use]
pub fn is_possible() -> bool {
    fetched().map_err(|why| parts::missing(Part::Kafka, &why)).is_ok()
}

fn started() -> Result<Kafka, String> {
    started_with(&KafkaOptions::default())
}

fn started_with(options: &KafkaOptions) -> Result<Kafka, String> {
    fetched()?;
    Ok(Kafka::start(options).unwrap_or_else(|e| panic!("Kafka did not start: {e:#}")))
}

/// Fetches the jars, or says why this machine can not have them.
fn fetched() -> Result<(), String> {
    parts::probe(Part::Kafka)?;
    fetch::jars().map(drop).map_err(|e| format!("{e:#}"))
}

impl Kafka {
    /// Starts a Kafka and waits until it takes connections.
    ///
    /// # Errors
    /// Where it can not be fetched, or does not come up within three minutes.
    pub fn start(options: &KafkaOptions) -> anyhow::Result<Self> {
        fetch::jars()?;
        let mut last = anyhow::anyhow!("no start was tried");
        for _ in 0..STARTS {
            match start_once(options) {
                Ok(kafka) => return Ok(kafka),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    /// `HOST:PORT` for clients.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Process id of the Java virtual machine.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.node.pid()
    }

    /// Ends it by SIGKILL; [`Kafka::come_back`] starts it again.
    ///
    /// # Errors
    /// Where it still runs after 10 s.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.node.kill()
    }

    /// Starts a killed one again, at the same address and with the same data, and waits until it takes connections.
    ///
    /// # Errors
    /// Where it does not come up within three minutes.
    pub fn come_back(&mut self) -> anyhow::Result<()> {
        self.node.come_back()?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&self) -> anyhow::Result<()> {
        wait_until_answering(&self.bootstrap, &[&self.node], START_TIMEOUT)
    }
}

fn start_once(options: &KafkaOptions) -> anyhow::Result<Kafka> {
    let [port, controller_port] = ports::free()?;
    let node =
        Node::start(&["-Xmx1g", "-XX:+UseG1GC"], |folder| properties::text(folder, port, controller_port, options))?;
    let kafka = Kafka { bootstrap: format!("127.0.0.1:{port}"), node };
    kafka.wait_until_ready()?;
    Ok(kafka)
}

/// Waits until as many brokers as there are nodes are known to the one that answers.
fn wait_until_answering(bootstrap: &str, nodes: &[&Node], timeout: Duration) -> anyhow::Result<()> {
    let started = Instant::now();
    let client: BaseProducer = client::config(bootstrap).set("reconnect.backoff.max.ms", "100").create()?;
    while started.elapsed() < timeout {
        if let Some(ended) = nodes.iter().find(|node| !node.is_running()) {
            bail!("Kafka ended while it started: {}", ended.log());
        }
        let metadata = client.client().fetch_metadata(None, Duration::from_millis(500));
        if metadata.is_ok_and(|m| m.brokers().len() >= nodes.len()) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let logs: Vec<String> = nodes.iter().map(|node| node.log()).collect();
    bail!("Kafka took no connection within {} s\n{}", timeout.as_secs(), logs.join("\n"))
}
