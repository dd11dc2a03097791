//! The OpenTelemetry Collector, built by its own builder from `tests/collector/builder.yaml` and kept between runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::process::{Guarded, PATIENCE, wait_until};
use crate::{cache, parts, places};
use parts::Part;

const BUILDER: &str = "go.opentelemetry.io/collector/cmd/builder@v0.139.0";

/// The program; `None` where this machine can not have it (the test is skipped).
///
/// # Panics
/// In CI, where Go or its module proxy is missing.
#[must_use]
pub fn program() -> Option<PathBuf> {
    built().map_err(|why| parts::missing(Part::Go, &why)).ok()
}

/// As [`program`], for what cannot be skipped.
///
/// # Errors
/// Why there is none.
pub fn built() -> Result<PathBuf, String> {
    let folder = parts::probe(Part::Go)
        .and_then(|()| cache::ensure("collector-0.139.0", build).map_err(|e| format!("{e:#}")))?;
    Ok(folder.join("collector"))
}

/// Its sources are some hundred modules: only the program stays.
fn build(folder: &Path) -> anyhow::Result<()> {
    let config = places::repository().join("tests/collector/builder.yaml");
    let mut go = Command::new("go");
    go.args(["run", BUILDER, "--config"]).arg(config).current_dir(folder);
    // contrib is larger than what the checksum database takes.
    go.env("GONOSUMDB", "github.com/open-telemetry/opentelemetry-collector-contrib/*").env("CGO_ENABLED", "0");
    let output = go.stdin(Stdio::null()).output().context("starting go")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "building the Collector: {}",
        said.trim().lines().last().unwrap_or("it said nothing")
    );
    std::fs::rename(folder.join("build/collector"), folder.join("collector"))?;
    Ok(std::fs::remove_dir_all(folder.join("build"))?)
}

/// A running Collector; gone when dropped.
#[derive(Debug)]
pub struct Collector {
    guard: Guarded,
}

impl Collector {
    /// Starts it with this configuration, in which `{folder}` is a folder of its own, and waits until it is ready.
    ///
    /// # Errors
    /// What it said where it is not.
    pub fn start(program: &Path, config: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?.keep();
        let file = folder.join("collector.yaml");
        std::fs::write(&file, config.replace("{folder}", &folder.display().to_string()))?;
        let command = [program.display().to_string(), format!("--config={}", file.display())];
        let started = Self { guard: Guarded::start(&command, &folder, &folder.join("log"))? };
        let is_ready = || started.log().contains("Everything is ready") || !started.guard.is_running();
        let waited = wait_until(PATIENCE, is_ready);
        ensure!(waited.is_ok() && started.guard.is_running(), "the Collector is not ready:\n{}", started.log());
        Ok(started)
    }

    /// A file in its folder, as it is now; empty while there is none.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.guard.log().with_file_name(name)).unwrap_or_default()
    }

    /// What it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.file("log")
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }
}
