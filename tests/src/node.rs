//! Checkers that come from npm, kept between runs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::cache;
use crate::parts::{self, Part};

/// A copy of `folder` (scripts and a package.json) with the packages beside it; `None` where this machine can not have them (the
/// test is skipped).
///
/// # Panics
/// In CI, where they can not be fetched.
#[must_use]
pub fn with(folder: &Path) -> Option<PathBuf> {
    let made = parts::probe(Part::Node).and_then(|()| environment(folder).map_err(|e| format!("{e:#}")));
    made.map_err(|why| parts::missing(Part::Node, &why)).ok()
}

fn environment(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_file() {
            files.push((path.file_name().unwrap_or_default().to_owned(), std::fs::read(&path)?));
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    cache::ensure(&format!("node-{:016x}", hasher.finish()), |made| {
        for (name, bytes) in &files {
            std::fs::write(made.join(name), bytes)?;
        }
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"])
            .current_dir(made)
            .stdin(Stdio::null());
        let output = npm.output().context("starting npm")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "npm install: {}", said.trim().lines().last().unwrap_or("it said nothing"));
        Ok(())
    })
}
