//! Programs from Debian packages: fetched by apt-get, unpacked and not installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::cache;
use crate::parts::{self, Part};

/// `promtool` of Debian's Prometheus, or `None` where this machine can not have it (the test is skipped).
///
/// # Panics
/// In CI, where it can not be fetched.
#[must_use]
pub fn promtool() -> Option<PathBuf> {
    program("prometheus", "usr/bin/promtool")
}

/// Debian's Alertmanager, or `None` where this machine can not have it (the test is skipped).
///
/// # Panics
/// In CI, where it can not be fetched.
#[must_use]
pub fn alertmanager() -> Option<PathBuf> {
    program("prometheus-alertmanager", "usr/bin/prometheus-alertmanager")
}

fn program(package: &str, path: &str) -> Option<PathBuf> {
    let fetched = parts::probe(Part::Debian).and_then(|()| {
        let folder = cache::ensure(&format!("debian-{package}"), |folder| fetch(package, folder));
        folder.map_err(|e| format!("{e:#}"))
    });
    fetched.map(|folder| folder.join(path)).map_err(|why| parts::missing(Part::Debian, &why)).ok()
}

fn fetch(package: &str, folder: &Path) -> anyhow::Result<()> {
    run(Command::new("apt-get").args(["download", package]).current_dir(folder))?;
    let of_package = |path: &PathBuf| path.extension().is_some_and(|e| e == "deb");
    let found = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path())).find(of_package);
    let found = found.with_context(|| format!("apt-get left no file of {package}"))?;
    run(Command::new("dpkg").arg("-x").arg(&found).arg(folder))?;
    Ok(std::fs::remove_file(found)?)
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.output().with_context(|| format!("starting {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
