//! `tidegate doctor`: looks at all that tidegate stands on, and says what is wrong and what to do about it. Changes nothing.
//!
//! ```text
//! settings ─┬─> files, certificates, host                     ─┐
//!           ├─> brokers ─> topics, groups, reports, letters    ├─> Finding ─> a line each ─> exit code
//!           └─> others: registry, Alertmanager, backend, …    ─┘
//! ```
//!
//! The rooms ask; what an answer means is judged by functions of values, with the time as one of them.

mod brokers;
mod certificates;
mod files;
mod finding;
mod groups;
mod host;
mod others;
mod topics;
mod written;

use clap::{Args, FromArgMatches};

use self::finding::{Finding, State};
use super::{edge, gateway, run};
use crate::args::Common;
use crate::config::{Restore, Settings};
use crate::event_time;
use crate::exit::{self, failure};

/// Check what tidegate stands on: settings, certificates, brokers, topics, clock, lag; say what to do. Changes nothing.
///
/// It looks with the settings that `run`, `gateway` and `edge` would have here: the file of --config and the TIDEGATE_… variables.
/// Run it where they run. Each line is ok, wrong, a warning, or skipped, with the reason. Exit code 69 where something is wrong.
#[derive(Debug, clap::Args)]
pub(crate) struct Doctor {}

impl Doctor {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let mut told = Told { json: common.json, findings: Vec::new() };
        let (settings, kafka) = match settings(common).and_then(|settings| Ok((settings.kafka()?, settings))) {
            Ok((kafka, settings)) => (settings, kafka),
            Err(e) => {
                told.all([Finding::wrong("settings", format!("{e:#}"))])?;
                return told.end();
            }
        };
        told.all(files::check(&settings))?;
        told.all(certificates::check(&settings, &kafka, event_time::wall_clock()))?;
        told.all(host::check(&settings.edge))?;
        match brokers::check(&kafka) {
            Ok((found, cluster)) => {
                told.all(found)?;
                told.all(brokers::transactions(&settings, &kafka))?;
                let keeps_checkpoints = settings.processing.restore == Restore::Checkpoints;
                let (found, topics) = topics::check(&kafka, cluster, keeps_checkpoints);
                told.all(found)?;
                told.all(groups::check(&settings, &kafka, &topics))?;
                told.all(written::check(&settings, &kafka, &topics))?;
            }
            Err(wrong) => told.all([wrong, Finding::skipped("topics", "no broker answers")])?,
        }
        told.all(others::check(&settings, &kafka))?;
        told.end()
    }
}

/// What `run`, `gateway` and `edge` would go by here.
fn settings(common: &Common) -> anyhow::Result<Settings> {
    let mut settings = of_variables::<run::Run>(&[])?.settings(common)?;
    settings.gateway = of_variables::<gateway::Gateway>(&[])?.settings(common)?.gateway;
    // The name of the node is the agent's own; any will do.
    let node: &[&str] = if std::env::var_os("TIDEGATE_NODE_ID").is_some() { &[] } else { &["--node-id", "doctor"] };
    settings.edge = of_variables::<edge::Edge>(node)?.settings(common)?.edge;
    Ok(settings)
}

/// A command with the flags that the environment gives it.
fn of_variables<T: Args + FromArgMatches>(flags: &[&str]) -> anyhow::Result<T> {
    let command = T::augment_args(clap::Command::new("doctor"));
    let matches = command.try_get_matches_from(std::iter::once(&"doctor").chain(flags));
    let parsed = matches.and_then(|matches| T::from_arg_matches(&matches));
    parsed.map_err(|e| {
        let said = e.to_string();
        let first = said.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        failure(exit::USAGE, format!("{first} (a TIDEGATE_… variable)"))
    })
}

/// What was found so far; said at once to people, at the end to programs.
struct Told {
    json: bool,
    findings: Vec<Finding>,
}

impl Told {
    fn all(&mut self, findings: impl IntoIterator<Item = Finding>) -> anyhow::Result<()> {
        for finding in findings {
            if !self.json {
                super::say(&finding)?;
            }
            self.findings.push(finding);
        }
        Ok(())
    }

    fn end(self) -> anyhow::Result<()> {
        let count = |state| self.findings.iter().filter(|finding| finding.state == state).count() as u64;
        let (wrong, warnings) = (count(State::Wrong), count(State::Warning));
        if self.json {
            super::say_json(&serde_json::json!({ "checks": self.findings, "wrong": wrong, "warnings": warnings }))?;
        } else {
            super::say(format!("{wrong} wrong, {}", super::counted(warnings, "warning")))?;
        }
        let checks = super::counted(wrong, "check");
        if wrong == 0 { Ok(()) } else { Err(failure(exit::UNAVAILABLE, format!("{checks} found something wrong"))) }
    }
}
