//! The two ways that are compared, each as two processes between an input and an output topic.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use tidegate_schemas::{RecordKind, Topic};

use super::BenchOptions;
use crate::brokers::apply_topics;
use crate::process::wait_until;
use crate::{binary, client, groups, places};

const JOIN_TIMEOUT: Duration = Duration::from_secs(30);
/// From having partitions to having read what is kept of them, here nothing.
const SETTLE: Duration = Duration::from_secs(3);

/// A way that can be started.
pub(super) trait Pipeline {
    /// Topic of load reports.
    fn input(&self) -> &str;
    /// Starts its two processes.
    fn start(&self) -> anyhow::Result<Running>;
}

/// Two running processes, ended when dropped.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) input: String,
    /// Topic between the two processes.
    pub(super) middle: String,
    pub(super) output: String,
    /// Record on the output topic.
    pub(super) kind: RecordKind,
    processes: Vec<(&'static str, Child)>,
}

impl Running {
    /// Names and ids of the processes.
    pub(super) fn processes(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.processes.iter().map(|(name, child)| (*name, child.id()))
    }

    /// Waits until the second process has its partitions, so that both work at once as soon as the first one starts:
    /// otherwise the first could be done before the second begins, and the rate would be that of one alone.
    fn wait_until_joined(&self, brokers: &str, group: &str) -> anyhow::Result<()> {
        let joined = || groups::shares(brokers, group).is_ok_and(|shares| shares.iter().sum::<usize>() > 0);
        wait_until(JOIN_TIMEOUT, joined).with_context(|| format!("waiting for the group {group}"))?;
        std::thread::sleep(SETTLE);
        self.check()
    }

    /// Fails where a process has ended.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match self.processes().find(|(_, pid)| !crate::process::is_running(*pid)) {
            Some((name, _)) => bail!("{name} has ended; its last words are above"),
            None => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for (_, child) in &mut self.processes {
            // Both fail only where it has ended already.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

/// `tidegate run forecast` and `tidegate run quota`.
#[derive(Debug)]
pub(super) struct Tidegate {
    brokers: String,
    prefix: &'static str,
    load: String,
    model: Option<String>,
    guarantee: &'static str,
}

impl Tidegate {
    /// What the stages promise where nothing is said.
    pub(super) fn at_least_once(brokers: &str, options: &BenchOptions) -> anyhow::Result<Self> {
        Self::provision(brokers, options, "bench.", "at_least_once")
    }

    pub(super) fn exactly_once(brokers: &str, options: &BenchOptions) -> anyhow::Result<Self> {
        Self::provision(brokers, options, "once.", "exactly_once")
    }

    /// Creates its topics.
    fn provision(
        brokers: &str,
        options: &BenchOptions,
        prefix: &'static str,
        guarantee: &'static str,
    ) -> anyhow::Result<Self> {
        apply_topics(brokers, prefix, options.partitions, 1)?;
        let model = options.model.as_ref().map(|path| path.display().to_string());
        Ok(Self { brokers: brokers.into(), prefix, load: Topic::Load.name(prefix), model, guarantee })
    }

    /// Prefix of its topics.
    pub(super) fn prefix(&self) -> &'static str {
        self.prefix
    }

    fn stage(&self, name: &'static str) -> anyhow::Result<(&'static str, Child)> {
        let mut command = Command::new(binary::path());
        command.args(["run", name, "--brokers", &self.brokers, "--prefix", self.prefix]);
        command.args(["--metrics-listen", "127.0.0.1:0", "--guarantee", self.guarantee]);
        if let (Some(model), "forecast") = (&self.model, name) {
            command.args(["--model", model]);
        }
        spawn(name, &mut command)
    }
}

impl Pipeline for Tidegate {
    fn input(&self) -> &str {
        &self.load
    }

    fn start(&self) -> anyhow::Result<Running> {
        let second = self.stage("quota")?;
        let mut running = Running {
            input: self.load.clone(),
            middle: Topic::Forecasts.name(self.prefix),
            output: Topic::Quotas.name(self.prefix),
            kind: RecordKind::QuotaCommand,
            processes: vec![second],
        };
        running.wait_until_joined(&self.brokers, &format!("{}quota", self.prefix))?;
        running.processes.insert(0, self.stage("forecast")?);
        Ok(running)
    }
}

/// Two bare hops.
#[derive(Debug)]
pub(super) struct Bare {
    brokers: String,
    name: String,
    topics: [String; 3],
}

impl Bare {
    /// Creates its topics; with `input` it reads a topic that is there.
    pub(super) fn provision(
        brokers: &str,
        options: &BenchOptions,
        name: &str,
        input: Option<&str>,
    ) -> anyhow::Result<Self> {
        let topic = |hop: &str| format!("bare.{name}.{hop}");
        let topics = [input.map_or_else(|| topic("load"), ToOwned::to_owned), topic("first"), topic("second")];
        for created in &topics[usize::from(input.is_some())..] {
            client::create_topic(brokers, created, options.partitions, &[])?;
        }
        Ok(Self { brokers: brokers.into(), name: name.into(), topics })
    }

    fn hop(&self, name: &'static str, number: usize) -> anyhow::Result<(&'static str, Child)> {
        let mut command = Command::new(places::executables().join("bare-hop"));
        let (from, to) = (&self.topics[number], &self.topics[number + 1]);
        command.args(["--brokers", &self.brokers, "--from", from, "--to", to, "--group", &self.group(name)]);
        spawn(name, &mut command)
    }

    fn group(&self, hop: &str) -> String {
        format!("bare.{}.{hop}", self.name)
    }
}

impl Pipeline for Bare {
    fn input(&self) -> &str {
        &self.topics[0]
    }

    fn start(&self) -> anyhow::Result<Running> {
        let [input, middle, output] = self.topics.clone();
        let processes = vec![self.hop("hop-2", 1)?];
        let mut running = Running { input, middle, output, kind: RecordKind::LoadReport, processes };
        running.wait_until_joined(&self.brokers, &self.group("hop-2"))?;
        running.processes.insert(0, self.hop("hop-1", 0)?);
        Ok(running)
    }
}

fn spawn(name: &'static str, command: &mut Command) -> anyhow::Result<(&'static str, Child)> {
    // What goes wrong is seen on our own stderr.
    let child = command.env("TIDEGATE_LOG", "error").stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    Ok((name, child.with_context(|| format!("starting {command:?}"))?))
}
