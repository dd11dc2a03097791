//! Programs in Go, one for each folder with a `go.mod`, built once and kept between runs.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::cache;
use crate::parts::{self, Part};

/// The program whose sources are in `folder`; `None` where this machine can not have it (the test is skipped).
///
/// # Panics
/// In CI, where Go or its module proxy is missing.
#[must_use]
pub fn program(folder: &Path) -> Option<PathBuf> {
    let made = parts::probe(Part::Go).and_then(|()| built(folder).map_err(|e| format!("{e:#}")));
    made.map_err(|why| parts::missing(Part::Go, &why)).ok()
}

fn built(sources: &Path) -> anyhow::Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    for name in ["go.mod", "go.sum", "main.go"] {
        let path = sources.join(name);
        std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?.hash(&mut hasher);
    }
    let name = sources.file_name().context("a folder without a name")?.to_string_lossy();
    let folder = cache::ensure(&format!("go-{name}-{:016x}", hasher.finish()), |folder| build(sources, folder))?;
    Ok(folder.join("program"))
}

/// By the module proxy alone, and exactly what `go.sum` names.
fn build(sources: &Path, folder: &Path) -> anyhow::Result<()> {
    let mut command = Command::new("go");
    command.args(["build", "-mod=readonly", "-o"]).arg(folder.join("program")).arg(".").current_dir(sources);
    command.env("GOPROXY", "https://proxy.golang.org").env("GOFLAGS", "-buildvcs=false").env("CGO_ENABLED", "0");
    let output = command.stdin(Stdio::null()).output().context("starting go")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "go build: {}", said.trim().lines().last().unwrap_or("it said nothing"));
    Ok(())
}
