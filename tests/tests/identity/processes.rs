//! `tidegate run forecast quota`, as many as a variant wants, with a pace where it must be caught in the middle.

use std::fmt::Write;

use tempfile::TempDir;
use tidegate_tests::binary::{self, Finished, Running};
use tidegate_tests::process;

use crate::site::{PATIENCE, Site};

/// How a process runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    /// Largest batch of a stage.
    pub(crate) max_batch: usize,
    /// Outputs a second and stage at most; `None`: as fast as it goes.
    pub(crate) pace: Option<u32>,
    /// Seconds without a sign of life after which its group goes on without it.
    pub(crate) session_s: u32,
    /// How the state comes back: the setting `processing.restore`.
    pub(crate) restore: &'static str,
    /// Who shares the partitions out: `cooperative-sticky` moves them singly, `range` all at once.
    pub(crate) assignor: &'static str,
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    running: Running,
    metrics: String,
    _settings: TempDir,
}

impl Process {
    pub(crate) fn start(site: &Site<'_>, manner: Manner) -> Self {
        let settings = tempfile::tempdir().unwrap();
        let file = settings.path().join("tidegate.toml");
        std::fs::write(&file, settings_text(manner)).unwrap();
        let (batch, file) = (manner.max_batch.to_string(), file.to_str().unwrap());
        let command = ["run", "forecast", "quota", "--max-batch", &batch, "--config", file];
        let place = ["--brokers", site.bootstrap(), "--prefix", site.prefix(), "--metrics-listen", "127.0.0.1:0"];
        let mut running = binary::spawn(&[&command[..], &place[..]].concat());
        running.wait_for("/metrics", PATIENCE).unwrap();
        let said = running.stderr();
        let metrics = said.split_whitespace().find(|word| word.ends_with("/metrics")).unwrap().to_owned();
        Self { running, metrics, _settings: settings }
    }

    /// A counter of a stage, as `/metrics` shows it.
    pub(crate) fn counter(&self, name: &str, stage: &str) -> u64 {
        let text = ureq::get(&self.metrics).call().unwrap().body_mut().read_to_string().unwrap();
        let wanted = format!("{name}{{work=\"{stage}\"}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&wanted));
        line.unwrap_or_else(|| panic!("{wanted}is not in\n{text}")).parse().unwrap()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.running.stderr()
    }

    /// Holds it still.
    pub(crate) fn pause(&self) {
        process::signal(self.running.pid(), "STOP").unwrap();
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        process::signal(self.running.pid(), "CONT").unwrap();
    }

    /// Ends it in good order.
    pub(crate) fn terminate(self) -> Finished {
        self.running.terminate().unwrap().expect_success()
    }

    /// Ends in good order one that is held still.
    pub(crate) fn stop_held(self) -> Finished {
        // Both wait for it; a second SIGTERM would end it at once.
        process::signal(self.running.pid(), "TERM").unwrap();
        self.resume();
        self.running.wait(binary::STOP_TIMEOUT).unwrap().expect_success()
    }

    /// Ends it at once, in the middle of whatever it does.
    pub(crate) fn kill(self) {
        process::signal(self.running.pid(), "KILL").unwrap();
        let ended = self.running.wait(PATIENCE).unwrap();
        assert_eq!(ended.code, None, "it ended by itself:\n{}", ended.stderr);
    }
}

/// Settings that let a group notice soon who came. A pace is kept by a producer that may hold only so many
/// records, and sends them ten times a second; the input is fetched in small pieces, so that partitions go on abreast.
fn settings_text(manner: Manner) -> String {
    let mut text = format!("[processing]\nrestore = {:?}\n", manner.restore);
    text += &format!("[kafka]\n\"session.timeout.ms\" = {}000\n", manner.session_s);
    text += "\"heartbeat.interval.ms\" = 300\n";
    writeln!(text, "\"partition.assignment.strategy\" = \"{}\"", manner.assignor).unwrap();
    if let Some(a_second) = manner.pace {
        writeln!(text, "\"linger.ms\" = 100\n\"queue.buffering.max.messages\" = {}", a_second / 10).unwrap();
        writeln!(text, "\"fetch.message.max.bytes\" = 8192").unwrap();
    }
    text
}
