//! The built `tidegate`, run as a user runs it: arguments in; exit code, stdout and stderr out.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::{places, process};

/// Variable that names another executable than the one built beside the tests.
pub const BINARY_VARIABLE: &str = "TIDEGATE_BIN";
/// How long a stage may take to stop (the design allows 10 s), with some air for a busy machine.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(40);

/// What a run of the binary ended with.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit code; `None`: ended by a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A running binary, killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    command: String,
    stdout: Captured,
    stderr: Captured,
}

/// The executable under test.
///
/// # Panics
/// Where it was not built.
#[must_use]
pub fn path() -> PathBuf {
    let path = std::env::var_os(BINARY_VARIABLE).map_or_else(|| places::executables().join("tidegate"), PathBuf::from);
    assert!(path.is_file(), "{} is not there; build it by `cargo build --release`", path.display());
    path
}

/// Starts the binary.
///
/// # Panics
/// Where it can not be started.
#[must_use]
pub fn spawn<S: AsRef<str>>(arguments: &[S]) -> Running {
    let mut command = Command::new(path());
    command.args(arguments.iter().map(AsRef::as_ref));
    start(command).unwrap_or_else(|e| panic!("{e:#}"))
}

/// Starts any command as [`spawn`] starts the binary: its output is kept, and no setting of the developer's shell reaches it.
///
/// # Errors
/// Where it can not be started.
pub fn start(mut command: Command) -> anyhow::Result<Running> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (variable, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        command.env_remove(variable);
    }
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words = words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
    let mut child = command.spawn().with_context(|| format!("starting `{words}`"))?;
    let stdout = Captured::of(child.stdout.take());
    let stderr = Captured::of(child.stderr.take());
    Ok(Running { child, command: words, stdout, stderr })
}

/// Runs the binary to its end.
///
/// # Panics
/// Where it has not ended by `timeout`.
#[must_use]
pub fn run<S: AsRef<str>>(arguments: &[S], timeout: Duration) -> Finished {
    spawn(arguments).wait(timeout).unwrap_or_else(|e| panic!("{e:#}"))
}

/// Settings of the developer's shell must not reach the tests.
fn is_setting(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("TIDEGATE_") || name == "RUST_LOG" || name == "CI")
}

impl Finished {
    /// Checks for success.
    ///
    /// # Panics
    /// Where the exit code is not 0.
    #[must_use]
    pub fn expect_success(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }
}

impl Running {
    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Standard output so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// Standard error so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Whether it still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        process::is_running(self.pid())
    }

    /// Waits until either output shows `text`.
    ///
    /// # Errors
    /// Where the binary ends before or `timeout` passes; with what it said.
    pub fn wait_for(&mut self, text: &str, timeout: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        while !(self.stdout().contains(text) || self.stderr().contains(text)) {
            if let Some(status) = self.child.try_wait()? {
                bail!("`{}` ended ({status}) before it said {text:?}:\n{}", self.command, self.stderr());
            }
            if started.elapsed() > timeout {
                bail!("`{}` did not say {text:?}:\n{}{}", self.command, self.stdout(), self.stderr());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Where `timeout` passes; with what it said.
    pub fn wait(mut self, timeout: Duration) -> anyhow::Result<Finished> {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(self.finished(status));
            }
            if started.elapsed() > timeout {
                bail!("`{}` still runs after {} s:\n{}", self.command, timeout.as_secs(), self.stderr());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends SIGTERM and waits for its end.
    ///
    /// # Errors
    /// Where it does not end within [`STOP_TIMEOUT`].
    pub fn terminate(self) -> anyhow::Result<Finished> {
        process::signal(self.pid(), "TERM").context("stopping tidegate")?;
        self.wait(STOP_TIMEOUT)
    }

    fn finished(&mut self, status: ExitStatus) -> Finished {
        Finished { code: status.code(), stdout: self.stdout.read_to_end(), stderr: self.stderr.read_to_end() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a process said so far, read by a thread so that it never blocks on a full pipe.
#[derive(Debug)]
struct Captured {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Captured {
    fn of(source: Option<impl Read + Send + 'static>) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&text);
        let reader = source.map(|mut source| {
            std::thread::spawn(move || {
                let mut buffer = [0; 8192];
                while let Ok(read @ 1..) = source.read(&mut buffer) {
                    sink.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..read]);
                }
            })
        });
        Self { text, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn read_to_end(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            // A reader that panicked leaves what it had read.
            reader.join().ok();
        }
        self.text()
    }
}
