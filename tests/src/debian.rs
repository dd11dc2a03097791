//! Programs from Debian packages: fetched by apt-get, unpacked and not installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::cache;
use crate::parts::{self, Part};

/// Where Debian's Alertmanager looks for its templates.
const TEMPLATES: &str = "/usr/share/prometheus/alertmanager";

/// `promtool` of Debian's Prometheus, or `None` where this machine can not have it (the test is skipped).
///
/// # Panics
/// In CI, where it can not be fetched.
#[must_use]
pub fn promtool() -> Option<PathBuf> {
    unpacked("prometheus", |folder| fetch("prometheus", folder)).map(|folder| folder.join("usr/bin/promtool"))
}

/// Debian's Prometheus, or `None` as above.
#[must_use]
pub fn prometheus() -> Option<PathBuf> {
    promtool().map(|promtool| promtool.with_file_name("prometheus"))
}

/// Debian's node_exporter, or `None` as above.
#[must_use]
pub fn node_exporter() -> Option<PathBuf> {
    let package = "prometheus-node-exporter";
    unpacked(package, |folder| fetch(package, folder)).map(|folder| folder.join("usr/bin").join(package))
}

/// Debian's Alertmanager, and the folder that it is to be started in; `None` where this machine can not have it (the test is skipped).
///
/// It looks for its templates where the package would be installed. So that it need not be, the copy that is started looks in the
/// folder that it is started in.
///
/// # Panics
/// In CI, where it can not be fetched.
#[must_use]
pub fn alertmanager() -> Option<(PathBuf, PathBuf)> {
    let package = "prometheus-alertmanager";
    let folder = unpacked(package, |folder| {
        fetch(package, folder)?;
        let program = folder.join("usr/bin").join(package);
        let bytes = std::fs::read(&program)?;
        Ok(std::fs::write(&program, replaced(bytes, TEMPLATES.as_bytes(), &b"./".repeat(TEMPLATES.len() / 2)))?)
    })?;
    let templates = folder.join(TEMPLATES.trim_start_matches('/'));
    Some((folder.join("usr/bin").join(package), templates))
}

/// `amtool` of the same package, or `None` as above.
#[must_use]
pub fn amtool() -> Option<PathBuf> {
    let (server, _) = alertmanager()?;
    Some(server.with_file_name("amtool"))
}

/// The bytes with every `from` replaced by `to`, which is as long.
fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(from.len()).position(|window| window == from) {
        at += found;
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

fn unpacked(package: &str, make: impl FnOnce(&Path) -> anyhow::Result<()>) -> Option<PathBuf> {
    let fetched = parts::probe(Part::Debian)
        .and_then(|()| cache::ensure(&format!("debian-{package}"), make).map_err(|e| format!("{e:#}")));
    fetched.map_err(|why| parts::missing(Part::Debian, &why)).ok()
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
