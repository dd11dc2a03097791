//! A process of ours that is started again whenever it has ended, as an operator's supervisor would do.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::binary::{self, Finished, Running};
use crate::process::{self, signal};

use super::inject::HANGS;

/// A process that is told to stop has 10 s by design; a loaded machine is given more.
const END_TIMEOUT: Duration = Duration::from_secs(90);

/// A supervised process.
pub struct Member {
    name: String,
    command: Box<dyn Fn() -> Command + Send + Sync>,
    running: Mutex<Option<Running>>,
    /// What earlier lives of it said.
    past: Mutex<String>,
    /// What it did that it must not.
    complaints: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Member").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Member {
    /// One that `command` starts; it does not run yet.
    pub fn new(name: &str, command: impl Fn() -> Command + Send + Sync + 'static) -> Self {
        let (past, complaints) = (Mutex::default(), Mutex::default());
        Self { name: name.to_owned(), command: Box::new(command), running: Mutex::new(None), past, complaints }
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn slot(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it.
    ///
    /// # Errors
    /// Where it can not be started.
    pub fn start(&self) -> anyhow::Result<()> {
        *self.slot() = Some(binary::start((self.command)())?);
        Ok(())
    }

    /// Process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.slot().as_ref().map(Running::pid)
    }

    /// What the process that runs now has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.slot().as_ref().map(Running::stderr).unwrap_or_default()
    }

    /// Ends it by SIGKILL, and leaves it down.
    ///
    /// # Errors
    /// Where it has ended by itself.
    pub fn kill(&self) -> anyhow::Result<()> {
        let running = self.slot().take().context("it does not run")?;
        signal(running.pid(), "KILL")?;
        let ended = running.wait(END_TIMEOUT)?;
        self.remember(&ended.stderr);
        if let Some(code) = ended.code {
            self.complain(format!("ended by itself with exit code {code}: {}", last_line(&ended.stderr)));
            bail!("{} had ended by itself", self.name);
        }
        Ok(())
    }

    /// Ends it by SIGTERM, and leaves it down; gives how long it took.
    ///
    /// # Errors
    /// Where it still runs after a long time.
    pub fn stop(&self) -> anyhow::Result<Duration> {
        let running = self.slot().take().context("it does not run")?;
        let started = std::time::Instant::now();
        signal(running.pid(), "TERM")?;
        let ended = running.wait(END_TIMEOUT)?;
        self.remember(&ended.stderr);
        // Told to stop in the last seconds of a minute in which it hung: its watchdog was faster.
        if ended.code != Some(0) && !hung(&ended) {
            self.complain(format!("stopped with exit code {:?}: {}", ended.code, last_line(&ended.stderr)));
        }
        Ok(started.elapsed())
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn signal(&self, name: &str) -> anyhow::Result<()> {
        signal(self.pid().context("it does not run")?, name)
    }

    /// Starts it again where it has ended by itself, and writes that down.
    ///
    /// # Errors
    /// Where it can not be started.
    pub fn supervise(&self) -> anyhow::Result<()> {
        let mut slot = self.slot();
        let Some(running) = slot.take_if(|running| !process::is_running(running.pid())) else { return Ok(()) };
        let ended = running.wait(END_TIMEOUT)?;
        self.remember(&ended.stderr);
        if !hung(&ended) {
            self.complain(format!("ended by itself with exit code {:?}: {}", ended.code, last_line(&ended.stderr)));
        }
        *slot = Some(binary::start((self.command)())?);
        Ok(())
    }

    /// Keeps what a life of it said, and complains of a panic.
    fn remember(&self, log: &str) {
        if let Some(line) = log.lines().find(|line| line.contains("panicked at")) {
            self.complain(line.to_owned());
        }
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        past.push_str(log);
        past.push_str("----\n");
    }

    /// What all its lives said.
    #[must_use]
    pub fn whole_log(&self) -> String {
        let past = self.past.lock().unwrap_or_else(PoisonError::into_inner).clone();
        past + &self.log()
    }

    fn complain(&self, what: String) {
        let line = format!("{}: {what}", self.name);
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// What it did that it must not.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The one end of its own that is by design.
fn hung(ended: &Finished) -> bool {
    ended.code == Some(69) && last_line(&ended.stderr).contains(HANGS)
}

fn last_line(log: &str) -> &str {
    log.lines().last().unwrap_or("it said nothing")
}
