//! Python in virtual environments, one for each list of requirements, kept between runs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::cache;
use crate::parts::{self, Part};

/// The interpreter of an environment that holds `requirements` (a file for pip); `None` where this machine can not have
/// one (the test is skipped).
///
/// # Panics
/// In CI, where Python or the package index is missing.
#[must_use]
pub fn with(requirements: &Path) -> Option<PathBuf> {
    let made = parts::probe(Part::Python).and_then(|()| environment(requirements).map_err(|e| format!("{e:#}")));
    made.map_err(|why| parts::missing(Part::Python, &why)).ok()
}

fn environment(requirements: &Path) -> anyhow::Result<PathBuf> {
    let text = std::fs::read(requirements).with_context(|| format!("reading {}", requirements.display()))?;
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let folder = cache::ensure(&format!("python-{:016x}", hasher.finish()), |folder| make(folder, requirements))?;
    Ok(folder.join("bin/python"))
}

fn make(folder: &Path, requirements: &Path) -> anyhow::Result<()> {
    make_environment(folder)?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "-r"];
    run(Command::new(folder.join("bin/python")).args(pip).arg(requirements))
}

/// An environment with pip and nothing else.
pub(crate) fn make_environment(folder: &Path) -> anyhow::Result<()> {
    run(Command::new("python3").args(["-m", "venv"]).arg(folder))
}

pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}", said.trim().lines().last().unwrap_or("it said nothing"));
    Ok(())
}
