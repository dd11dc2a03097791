//! Fetching Apache Kafka's jars by Maven, once for all runs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::VERSION;
use crate::cache;

const POM: &str = include_str!("pom.xml");

/// Folder of the jars, fetched where they are not there yet.
///
/// # Errors
/// Where Maven is missing or reaches no repository.
pub(super) fn jars() -> anyhow::Result<PathBuf> {
    cache::ensure(&format!("kafka-{VERSION}"), fetch)
}

fn fetch(folder: &Path) -> anyhow::Result<()> {
    let work = tempfile::tempdir().context("creating a folder")?;
    let pom = work.path().join("pom.xml");
    std::fs::write(&pom, POM).context("writing the pom")?;
    let output = Command::new("mvn")
        .args(["-q", "-B", "-f"])
        .arg(&pom)
        .arg("dependency:copy-dependencies")
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .stdin(Stdio::null())
        .output()
        .context("starting mvn")?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "Maven fetched no Kafka: {}", said.lines().next().unwrap_or("it said nothing"));
    Ok(())
}
