//! Where the faults are done: three brokers with proxies before them, three processes of ours, a registry, and a sink with
//! its webhook and its small disk.
//!
//! ```text
//! sender ─────────────────────────> brokers <── watch, checker
//!              tidegate run ×3 ─> proxies ─┘
//!              tidegate run deliver ─> proxies;  ─> webhook, folder on a small disk
//!              both ─> tidegate schemas serve
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tidegate_schemas::Topic;

use crate::kafka::cluster::Cluster;
use crate::receiver::Receiver;
use crate::{binary, groups, places};

use super::clock::Clock;
use super::delivery::{SmallDisk, Taken};
use super::kinds::{CLOCKED, Kind, PROCESSES, SESSION_S};
use super::member::Member;
use super::options::Guarantee;
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

/// Which program the three processes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `tidegate`.
    Tidegate,
    /// A deliberately broken one, with the word that says how.
    Broken(&'static str),
}

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
    pub fn start(program: Program, guarantee: Guarantee, nodes: usize) -> anyhow::Result<Self> {
        let mut proxies = Vec::new();
        let cluster = Cluster::start(|_, port| {
            proxies.push(Proxy::before(port)?);
            Ok(proxies.last().map_or(0, Proxy::port))
        })?;
        let home = tempfile::tempdir()?;
        let settings = home.path().join("tidegate.toml");
        std::fs::write(&settings, settings_text(guarantee))?;
        provision(&cluster, HIT)?;
        let mut impossible = Vec::new();
        let clock = Clock::new(home.path()).map_err(|e| impossible.push((Kind::ClockJump, format!("{e:#}")))).ok();
        let folder = home.path().join("folder");
        std::fs::create_dir(&folder)?;
        let disk = SmallDisk::probe(&folder);
        if disk.is_none() {
            impossible.push((Kind::FullDisk, "no process may have a mount of its own here".to_owned()));
        }
        let port = Receiver::reserve_port()?;
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
        self.registry.start()?;
        self.processes.iter().chain([&self.delivery]).try_for_each(Member::start)?;
        for (group, size) in [("forecast", PROCESSES), ("quota", PROCESSES), ("deliver", 1)] {
            crate::process::wait_until(START_TIMEOUT, || self.members(group).is_ok_and(|m| m.len() == size))
                .with_context(|| format!("waiting for the group {group}:\n{}", self.processes[0].log()))?;
        }
        Ok(())
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

/// How our processes find their way.
struct Place {
    brokers: String,
    settings: PathBuf,
    registry: String,
    program: Program,
}

impl Place {
    fn arguments(&self, stages: &[&str]) -> Vec<String> {
        let settings = self.settings.display().to_string();
        let place = ["--brokers", &self.brokers, "--prefix", HIT, "--config", &settings];
        let registry = ["--schema-registry-url", &self.registry];
        let words = [&["run"], stages, &place, &registry].concat();
        words.into_iter().map(ToOwned::to_owned).collect()
    }

    fn process(&self, number: usize, clock: Option<Clock>) -> Member {
        let (program, arguments) = (self.program, self.arguments(&["forecast", "quota"]));
        Member::new(&format!("process {number}"), move || {
            let mut command = match program {
                Program::Tidegate => Command::new(binary::path()),
                Program::Broken(how) => {
                    let mut command = Command::new(places::executables().join("broken-run"));
                    command.arg(how);
                    command
                }
            };
            if let Some(clock) = &clock {
                clock.lend(&mut command);
            }
            command.args(&arguments);
            command
        })
    }

    fn delivery(&self, webhook: &str, folder: &Path, disk: Option<SmallDisk>) -> Member {
        let mut arguments = self.arguments(&["deliver"]);
        let folder = folder.to_path_buf();
        arguments.extend(["--webhook", webhook, "--folder", &folder.display().to_string()].map(ToOwned::to_owned));
        Member::new("the sink", move || {
            let mut command = match disk {
                Some(disk) => {
                    let mut command = disk.command(&folder);
                    command.arg(binary::path());
                    command
                }
                None => Command::new(binary::path()),
            };
            command.args(&arguments);
            command
        })
    }
}

fn registry(port: u16) -> Member {
    Member::new("the registry", move || {
        let mut command = Command::new(binary::path());
        command.args(["schemas", "serve", "--prefix", HIT, "--listen", &format!("127.0.0.1:{port}")]);
        command
    })
}

/// Settings of our processes: a short session, and rails that give decisions a memory.
fn settings_text(guarantee: Guarantee) -> String {
    let mut text = format!("[kafka]\n\"session.timeout.ms\" = {SESSION_S}000\n\"heartbeat.interval.ms\" = 1000\n");
    text += QUOTA;
    if guarantee == Guarantee::ExactlyOnce {
        text += "\n[processing]\nguarantee = \"exactly_once\"\n";
    }
    text
}

/// Decisions of which each depends on the one before.
pub(super) const QUOTA: &str = r#"
[quota]
policy = "headroom"
largest_step_up = 0.5
largest_step_down = 0.05
dead_band = 0.02
hold_down_s = 600
"#;

/// Creates the topics under a prefix, three replicas each.
pub(super) fn provision(cluster: &Cluster, prefix: &str) -> anyhow::Result<()> {
    let (bootstrap, partitions) = (cluster.bootstrap(), PARTITIONS.to_string());
    let flags = ["--partitions", &partitions, "--replication-factor", "3", "--prefix", prefix];
    let arguments = [&["topics", "apply", "--brokers", &bootstrap], &flags[..]].concat();
    let applied = binary::spawn(&arguments).wait(START_TIMEOUT)?;
    ensure!(applied.code == Some(0), "the topics were not created: {}", applied.stderr);
    Ok(())
}
