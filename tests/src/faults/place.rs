//! How our processes are started: which program, with which words and settings.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{binary, places};

use super::clock::Clock;
use super::delivery::SmallDisk;
use super::kinds::SESSION_S;
use super::member::Member;
use super::options::FaultOptions;
use super::site::HIT;

/// Which program the three processes run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `tidegate`.
    Tidegate,
    /// A deliberately broken one, with the word that says how.
    Broken(&'static str),
}

/// How our processes find their way.
pub(super) struct Place {
    pub(super) brokers: String,
    pub(super) settings: PathBuf,
    pub(super) registry: String,
    pub(super) program: Program,
}

impl Place {
    fn arguments(&self, stages: &[&str]) -> Vec<String> {
        let settings = self.settings.display().to_string();
        let place = ["--brokers", &self.brokers, "--prefix", HIT, "--config", &settings];
        let registry = ["--schema-registry-url", &self.registry];
        let words = [&["run"], stages, &place, &registry].concat();
        words.into_iter().map(ToOwned::to_owned).collect()
    }

    pub(super) fn process(&self, number: usize, clock: Option<Clock>) -> Member {
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

    pub(super) fn delivery(&self, webhook: &str, folder: &Path, disk: Option<SmallDisk>) -> Member {
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

pub(super) fn registry(port: u16) -> Member {
    Member::new("the registry", move || {
        let mut command = Command::new(binary::path());
        command.args(["schemas", "serve", "--prefix", HIT, "--listen", &format!("127.0.0.1:{port}")]);
        command
    })
}

/// Settings of our processes: a short session, and rails that give decisions a memory.
pub(super) fn settings_text(options: &FaultOptions) -> String {
    let mut text = format!("[kafka]\n\"session.timeout.ms\" = {SESSION_S}000\n\"heartbeat.interval.ms\" = 1000\n");
    text += QUOTA;
    let (guarantee, standby) = (options.guarantee.name(), options.standby);
    text + &format!("\n[processing]\nguarantee = \"{guarantee}\"\nstandby = {standby}\n")
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
