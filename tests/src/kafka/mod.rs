//! A real Apache Kafka: fetched by Maven, formatted, started as one node (broker and controller), always stopped.
//!
//! ```text
//! fetch ──> jars in the cache ──> StorageTool format ──> kafka.Kafka under process::Guarded ──> takes connections
//! ```

mod fetch;
mod properties;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rdkafka::producer::{BaseProducer, Producer};

use crate::client;
use crate::parts::{self, Part};
use crate::process::{Guarded, signal, wait_until};

/// Version of Apache Kafka that the tests run.
pub const VERSION: &str = "4.1.0";
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Another process may take a port between our look and Kafka's.
const STARTS: usize = 3;
const QUIET: &str = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";

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
    server: Guarded,
    /// What starts it.
    command: Vec<String>,
    /// Servers that were killed; the first one's guard keeps the folder.
    killed: Vec<Guarded>,
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
        let jars = fetch::jars()?;
        let mut last = anyhow::anyhow!("no start was tried");
        for _ in 0..STARTS {
            match start_once(&jars, options) {
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
        self.server.pid()
    }

    /// Ends it by SIGKILL; [`Kafka::come_back`] starts it again.
    ///
    /// # Errors
    /// Where it still runs after 10 s.
    pub fn kill(&self) -> anyhow::Result<()> {
        signal(self.pid(), "KILL")?;
        wait_until(Duration::from_secs(10), || !self.server.is_running())
    }

    /// Starts a killed one again, at the same address and with the same data, and waits until it takes connections.
    ///
    /// # Errors
    /// Where it does not come up within three minutes.
    pub fn come_back(&mut self) -> anyhow::Result<()> {
        let folder = tempfile::Builder::new().prefix("tidegate-kafka-").tempdir().context("creating a folder")?;
        let log = folder.path().join("server.log");
        let server = Guarded::start(&self.command, folder.path(), &log)?;
        let _guarded = folder.keep();
        self.killed.push(std::mem::replace(&mut self.server, server));
        self.wait_until_ready().with_context(|| std::fs::read_to_string(&log).unwrap_or_default())
    }
}

fn start_once(jars: &Path, options: &KafkaOptions) -> anyhow::Result<Kafka> {
    // From here on the guard removes the folder; until it runs, the temporary folder removes itself.
    let folder = tempfile::Builder::new().prefix("tidegate-kafka-").tempdir().context("creating a folder")?;
    let [port, controller_port] = free_ports()?;
    let properties = folder.path().join("server.properties");
    std::fs::write(&properties, properties::text(folder.path(), port, controller_port, options))?;
    let java = |class: &str, arguments: &[&str]| -> Vec<String> {
        let classpath = format!("{}/*", jars.display());
        let start = ["java", "-Xmx1g", "-XX:+UseG1GC", QUIET, "-cp", &classpath, class];
        start.iter().chain(arguments).map(ToString::to_string).collect()
    };
    let properties = properties.to_str().context("the temporary folder's name is not UTF-8")?;
    format_storage(&java("kafka.tools.StorageTool", &["format", "-t", properties::CLUSTER_ID, "-c", properties]))?;
    let log = folder.path().join("server.log");
    let command = java("kafka.Kafka", &[properties]);
    let server = Guarded::start(&command, folder.path(), &log)?;
    let _guarded = folder.keep();
    let kafka = Kafka { bootstrap: format!("127.0.0.1:{port}"), server, command, killed: Vec::new() };
    kafka.wait_until_ready().with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
    Ok(kafka)
}

fn format_storage(command: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().context("starting java")?;
    ensure!(output.status.success(), "the storage was not formatted: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

impl Kafka {
    fn wait_until_ready(&self) -> anyhow::Result<()> {
        let started = Instant::now();
        let client: BaseProducer = client::config(&self.bootstrap).set("reconnect.backoff.max.ms", "100").create()?;
        while started.elapsed() < START_TIMEOUT {
            if !self.server.is_running() {
                bail!("Kafka ended while it started");
            }
            let metadata = client.client().fetch_metadata(None, Duration::from_millis(500));
            if metadata.is_ok_and(|m| !m.brokers().is_empty()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("Kafka took no connection within {} s", START_TIMEOUT.as_secs())
    }
}

/// Two loopback ports that nobody listens on.
fn free_ports() -> anyhow::Result<[u16; 2]> {
    let take = || std::net::TcpListener::bind(("127.0.0.1", 0));
    let (one, other) = (take()?, take()?);
    Ok([one.local_addr()?.port(), other.local_addr()?.port()])
}
