//! Where the faults are done: three brokers with proxies before them, three processes of ours, a registry, and a sink with
//! its webhook and its small disk.
//!
//! ```text
//! sender ─────────────────────────> brokers <── watch, checker
//!              tidegate run ×3 ─> proxies ─┘
//!              tidegate run deliver ─> proxies;  ─> webhook, folder on a small disk
//!              both ─> tidegate schemas serve
//! ```

use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tidegate_schemas::Topic;

use crate::kafka::cluster::Cluster;
use crate::ports::free_port;
use crate::receiver::Receiver;
use crate::{binary, groups};

use super::clock::Clock;
use super::delivery::{SmallDisk, Taken};
use super::kinds::{CLOCKED, Kind, PROCESSES};
use super::member::Member;
use super::place::{Place, Program, registry};
use super::proxy::Proxy;
use super::sender::Sender;
use super::watch::Watch;

/// Partitions of every topic: more than processes.
pub const PARTITIONS: i32 = 6;
/// Prefix of the disturbed run's topics.
pub const HIT: &str = "hits.";
/// Prefix of the undisturbed run's topics, of the same length.
pub const CALM: &str = "calm.";
const START_TIMEOUT: Duration = Duration::from_secs(240);

/// Everything that can be harmed, running.
#[derive(Debug)]
pub struct Site {
    /// The brokers.
    pub cluster: Cluster,
    /// What stands before each.
    pub proxies: Vec<Proxy>,
    /// The registry.
    pub registry: Member,
    /// Where the registry is.
    pub registry_url: String,
    /// The processes that share the work.
    pub processes: Vec<Member>,
    /// One more, for storms.
    pub guest: Member,
    /// The sink.
    pub delivery: Member,
    /// The sink's folder.
    pub folder: PathBuf,
    /// The webhook.
    pub webhook: Receiver,
    /// What the webhook took.
    pub taken: Taken,
    /// The clock of one process.
    pub clock: Option<Clock>,
    /// What puts records on the load topic.
    pub sender: Sender,
    /// What looks at the commits.
    pub watch: Watch,
    /// Nodes that report.
    pub nodes: usize,
    /// Kinds that can not be done here, and why.
    pub impossible: Vec<(Kind, String)>,
    _folder: TempDir,
}

impl Site {
    /// Starts everything.
    ///
    /// # Errors
    /// Where a part does not come up.
    pub fn start(program: Program, text: &str, nodes: usize) -> anyhow::Result<Self> {
        let mut proxies = Vec::new();
        let cluster = Cluster::start(|_, port| {
            proxies.push(Proxy::before(port)?);
            Ok(proxies.last().map_or(0, Proxy::port))
        })?;
        let home = tempfile::tempdir()?;
        let settings = home.path().join("tidegate.toml");
        std::fs::write(&settings, text)?;
        provision(&cluster, HIT)?;
        let mut impossible = Vec::new();
        let clock = Clock::new(home.path()).map_err(|e| impossible.push((Kind::ClockJump, format!("{e:#}")))).ok();
        let folder = home.path().join("folder");
        std::fs::create_dir(&folder)?;
        let disk = SmallDisk::probe(&folder);
        if disk.is_none() {
            impossible.push((Kind::FullDisk, "no process may have a mount of its own here".to_owned()));
        }
        let port = free_port()?;
        let registry_url = format!("http://127.0.0.1:{port}");
        let webhook = Receiver::start(0, 200)?;
        let ours = proxies.iter().map(|p| format!("127.0.0.1:{}", p.port())).collect::<Vec<_>>().join(",");
        let place = Place { brokers: ours, settings, registry: registry_url.clone(), program };
        let processes = (0..PROCESSES).map(|n| place.process(n, clock.clone().filter(|_| n == CLOCKED))).collect();
        let (bootstrap, load) = (cluster.bootstrap(), Topic::Load.name(HIT));
        let site = Self {
            sender: Sender::new(&bootstrap, &load)?,
            watch: Watch::new(&bootstrap, HIT, PARTITIONS),
            registry: registry(port),
            registry_url,
            processes,
            guest: place.process(PROCESSES, None),
            delivery: place.delivery(&webhook.url(), &folder, disk),
            cluster,
            proxies,
            folder,
            webhook,
            taken: Taken::default(),
            clock,
            nodes,
            impossible,
            _folder: home,
        };
        site.begin()?;
        Ok(site)
    }

    fn begin(&self) -> anyhow::Result<()> {
        self.start_registry()?;
        self.processes.iter().chain([&self.delivery]).try_for_each(Member::start)?;
        for (group, size) in [("forecast", PROCESSES), ("quota", PROCESSES), ("deliver", 1)] {
            crate::process::wait_until(START_TIMEOUT, || self.members(group).is_ok_and(|m| m.len() == size))
                .with_context(|| format!("waiting for the group {group}:\n{}", self.processes[0].log()))?;
        }
        Ok(())
    }

    /// Starts the registry and waits until it answers: before, a signal would end it like any program that just begins.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn start_registry(&self) -> anyhow::Result<()> {
        self.registry.start()?;
        let address = self.registry_url.trim_start_matches("http://");
        crate::process::wait_until(START_TIMEOUT, || TcpStream::connect(address).is_ok())
            .with_context(|| format!("waiting for the registry:\n{}", self.registry.log()))
    }

    /// Process ids of the members of a group of ours that have partitions.
    ///
    /// # Errors
    /// Where the broker does not tell.
    pub fn members(&self, group: &str) -> anyhow::Result<Vec<u32>> {
        let members = groups::members(&self.cluster.bootstrap(), &format!("{HIT}{group}"))?;
        let pid = |m: &groups::Member| m.client_id.split('-').nth(1).and_then(|pid| pid.parse().ok());
        Ok(members.iter().filter(|m| m.partitions > 0).filter_map(pid).collect())
    }

    /// All processes of ours that must run.
    pub fn all(&self) -> impl Iterator<Item = &Member> {
        self.processes.iter().chain([&self.delivery, &self.registry])
    }

    /// Starts again what has ended by itself, and takes what the webhook took.
    ///
    /// # Errors
    /// Where something can not be started again.
    pub fn look_after(&self) -> anyhow::Result<()> {
        self.webhook.take_accepted().iter().for_each(|body| self.taken.take(body));
        self.all().try_for_each(Member::supervise)
    }
}

/// Creates the topics under a prefix, three replicas each.
pub(super) fn provision(cluster: &Cluster, prefix: &str) -> anyhow::Result<()> {
    let (bootstrap, partitions) = (cluster.bootstrap(), PARTITIONS.to_string());
    let flags = ["--partitions", &partitions, "--replication-factor", "3", "--prefix", prefix];
    let arguments = [&["topics", "apply", "--brokers", &bootstrap], &flags[..]].concat();
    let applied = binary::spawn(&arguments).wait(START_TIMEOUT)?;
    ensure!(applied.code == Some(0), "the topics were not created: {}", applied.stderr);
    Ok(())
}
