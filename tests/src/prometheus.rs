//! Real Prometheus servers and a real node_exporter on ports of their own; gone when dropped.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use crate::parts::{self, Part};
use crate::ports::free_port;
use crate::process::{Guarded, PATIENCE, wait_until};
use crate::{cache, debian};

/// Prometheus 3, as a Go module.
const MODULE: &str = "github.com/prometheus/prometheus";
const VERSION: &str = "v0.305.0";

/// A server, or an exporter.
#[derive(Debug)]
pub struct Served {
    port: u16,
    guard: Guarded,
}

impl Served {
    /// Debian's node_exporter; `None` where this machine can not have it (the test is skipped).
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn node_exporter() -> Option<Self> {
        let program = debian::node_exporter()?;
        let folder = tempfile::tempdir().unwrap().keep();
        Some(Self::start(&program, &folder, |port| vec![format!("--web.listen-address=127.0.0.1:{port}")], "/metrics"))
    }

    /// A Prometheus with this configuration.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn prometheus(program: &Path, config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap().keep();
        let file = folder.join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let data = folder.join("data");
        let flags = |port| {
            vec![
                format!("--config.file={}", file.display()),
                format!("--storage.tsdb.path={}", data.display()),
                format!("--web.listen-address=127.0.0.1:{port}"),
            ]
        };
        Self::start(program, &folder, flags, "/-/ready")
    }

    fn start(program: &Path, folder: &Path, flags: impl Fn(u16) -> Vec<String>, ready: &str) -> Self {
        let port = free_port().unwrap();
        let command = [vec![program.display().to_string()], flags(port)].concat();
        let guard = Guarded::start(&command, folder, &folder.join("log")).unwrap();
        let served = Self { port, guard };
        let is_ready = wait_until(PATIENCE, || ureq::get(format!("{}{ready}", served.url())).call().is_ok());
        is_ready.unwrap_or_else(|e| panic!("{e}\n{}", served.log()));
        served
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.guard.pid()
    }

    /// What it said so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.guard.log()).unwrap_or_default()
    }

    /// What it shows at `/metrics`.
    ///
    /// # Panics
    /// Where it does not answer.
    #[must_use]
    pub fn metrics(&self) -> String {
        ureq::get(format!("{}/metrics", self.url())).call().unwrap().body_mut().read_to_string().unwrap()
    }
}

/// Prometheus 3, built from its sources and kept; `None` where this machine can not have it (the test is skipped).
///
/// # Panics
/// In CI, where it can not be built.
#[must_use]
pub fn third() -> Option<PathBuf> {
    let build = |folder: &Path| {
        let require = format!("module prometheus3\n\ngo 1.23\n\nrequire {MODULE} {VERSION}\n");
        std::fs::write(folder.join("go.mod"), require)?;
        let mut go = Command::new("go");
        go.args(["build", "-mod=mod", "-p=2", "-o", "prometheus", &format!("{MODULE}/cmd/prometheus")]);
        let built = go.current_dir(folder).output()?;
        ensure!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr).trim());
        Ok(())
    };
    let built =
        parts::probe(Part::Go).and_then(|()| cache::ensure("prometheus-3", build).map_err(|e| format!("{e:#}")));
    built.map(|folder| folder.join("prometheus")).map_err(|why| parts::missing(Part::Go, &why)).ok()
}
