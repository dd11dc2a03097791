//! One Java virtual machine with a Kafka server: formatted once, started, killed or stopped, started again with its data.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::process::{Guarded, signal, wait_until};

use super::{fetch, properties};

const QUIET: &str = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn";
/// A server that was told to stop first hands its partitions over.
const STOP_TIMEOUT: Duration = Duration::from_secs(60);

/// A server; stopped and its data removed when dropped or when our process ends.
#[derive(Debug)]
pub(super) struct Node {
    server: Guarded,
    /// What starts it.
    command: Vec<String>,
    /// Servers that ended; the first one's guard keeps the folder.
    ended: Vec<Guarded>,
}

impl Node {
    /// Formats its storage and starts it on a virtual machine with these flags, with the properties that `text` makes for its folder. It waits for nothing.
    pub(super) fn start(jvm: &[&str], text: impl FnOnce(&Path) -> String) -> anyhow::Result<Self> {
        // From here on the guard removes the folder; until it runs, the temporary folder removes itself.
        let folder = folder()?;
        let file = folder.path().join("server.properties");
        std::fs::write(&file, text(folder.path()))?;
        let file = file.to_str().context("the temporary folder's name is not UTF-8")?;
        let java = |class: &str, arguments: &[&str]| java(jvm, class, arguments);
        format_storage(&java("kafka.tools.StorageTool", &["format", "-t", properties::CLUSTER_ID, "-c", file])?)?;
        let command = java("kafka.Kafka", &[file])?;
        let server = guarded(&command, folder)?;
        Ok(Self { server, command, ended: Vec::new() })
    }

    /// Process id of the Java virtual machine.
    pub(super) fn pid(&self) -> u32 {
        self.server.pid()
    }

    pub(super) fn is_running(&self) -> bool {
        self.server.is_running()
    }

    /// What the server that runs now has said.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(self.server.log()).unwrap_or_default()
    }

    /// Ends it by SIGKILL.
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        self.end("KILL", Duration::from_secs(10))
    }

    /// Ends it by SIGTERM.
    pub(super) fn stop(&self) -> anyhow::Result<()> {
        self.end("TERM", STOP_TIMEOUT)
    }

    fn end(&self, by: &str, timeout: Duration) -> anyhow::Result<()> {
        signal(self.pid(), by)?;
        wait_until(timeout, || !self.is_running()).with_context(|| format!("ending a broker by SIG{by}"))
    }

    /// Starts one that ended again, at the same address and with the same data. It waits for nothing.
    pub(super) fn come_back(&mut self) -> anyhow::Result<()> {
        let server = guarded(&self.command, folder()?)?;
        self.ended.push(std::mem::replace(&mut self.server, server));
        Ok(())
    }
}

fn folder() -> anyhow::Result<TempDir> {
    tempfile::Builder::new().prefix("tidegate-kafka-").tempdir().context("creating a folder")
}

fn guarded(command: &[String], folder: TempDir) -> anyhow::Result<Guarded> {
    let server = Guarded::start(command, folder.path(), &folder.path().join("server.log"))?;
    let _guarded = folder.keep();
    Ok(server)
}

fn java(jvm: &[&str], class: &str, arguments: &[&str]) -> anyhow::Result<Vec<String>> {
    let classpath = format!("{}/*", fetch::jars()?.display());
    let words = [&["java"], jvm, &[QUIET, "-cp", &classpath, class], arguments].concat();
    Ok(words.into_iter().map(ToOwned::to_owned).collect())
}

fn format_storage(command: &[String]) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("an empty command")?;
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().context("starting java")?;
    ensure!(output.status.success(), "the storage was not formatted: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}
