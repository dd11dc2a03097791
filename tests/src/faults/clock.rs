//! A clock that a test can move, for one process: libfaketime, preloaded, reads the offset from a file every second.
//!
//! The monotonic clock is left alone, as it is where an administrator or NTP sets the time.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::cache;

/// A moved clock.
#[derive(Debug, Clone)]
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// A clock that is right, with its offset in a file in `folder`.
    ///
    /// # Errors
    /// Where the library can not be had.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let clock = Self { library: library()?, offset: folder.join("clock-offset") };
        clock.move_by(0)?;
        let mut tried = Command::new("date");
        clock.lend(&mut tried);
        ensure!(tried.arg("+%s").output()?.status.success(), "libfaketime does not work here");
        Ok(clock)
    }

    /// Makes a command live by this clock.
    pub fn lend(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.offset);
        command.env("FAKETIME_CACHE_DURATION", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }

    /// Moves it to so many seconds ahead (or behind).
    ///
    /// # Errors
    /// Where the file can not be written.
    pub fn move_by(&self, seconds: i64) -> anyhow::Result<()> {
        // Renamed, so that nobody reads half of it.
        let new = self.offset.with_extension("new");
        std::fs::write(&new, format!("{seconds:+}\n")).context("writing the offset")?;
        std::fs::rename(&new, &self.offset).context("moving the clock")
    }
}

/// The installed library, or one fetched by apt without installing it.
fn library() -> anyhow::Result<PathBuf> {
    let fetched = || cache::ensure("libfaketime", fetch);
    if let Some(found) = find(Path::new("/")) {
        return Ok(found);
    }
    find(&fetched()?).context("the package libfaketime holds no library")
}

fn find(root: &Path) -> Option<PathBuf> {
    let libraries = std::fs::read_dir(root.join("usr/lib")).ok()?.filter_map(Result::ok);
    let candidates = libraries.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    std::iter::once(root.join("usr/lib/faketime/libfaketimeMT.so.1")).chain(candidates).find(|path| path.is_file())
}

fn fetch(folder: &Path) -> anyhow::Result<()> {
    let run = |command: &mut Command| -> anyhow::Result<()> {
        let output = command.current_dir(folder).output().with_context(|| format!("starting {command:?}"))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{command:?}: {}", said.lines().next().unwrap_or_default());
        Ok(())
    };
    run(Command::new("apt-get").args(["-qq", "download", "libfaketime"]))?;
    run(Command::new("sh").args(["-c", "dpkg-deb -x libfaketime_*.deb ."]))
}
