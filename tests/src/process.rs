//! Other processes: one that must not outlive us, signals, CPU time, and whether it still runs.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// How long a test waits for what must come about: it is a fault that it does not, never that it takes its time.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Ends the program when standard input closes, which the kernel does for us however we end, and removes its folder.
const GUARD: &str = r#"folder=$1; log=$2; shift 2
"$@" >"$log" 2>&1 </dev/null &
echo $!
while read -r _; do :; done
kill -KILL $!
wait
rm -rf "$folder""#;

/// A program with a folder of its own; both are gone when this is dropped or when our process ends, however it ends.
#[derive(Debug)]
pub struct Guarded {
    shell: Child,
    pid: u32,
    log: PathBuf,
}

impl Guarded {
    /// Starts `program`, which owns `folder` and writes what it says to `log`.
    ///
    /// # Errors
    /// Where no shell could be started.
    pub fn start(program: &[String], folder: &Path, log: &Path) -> anyhow::Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .args([folder, log])
            .args(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("starting sh")?;
        let mut line = String::new();
        let stdout = shell.stdout.take().context("sh has no stdout")?;
        BufReader::new(stdout).read_line(&mut line).context("reading the process id")?;
        let pid = line.trim().parse().with_context(|| format!("{line:?} is no process id"))?;
        Ok(Self { shell, pid, log: log.to_path_buf() })
    }

    /// Process id of the program.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// File of what the program says.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Whether the program still runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        is_running(self.pid)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        if wait_until(Duration::from_secs(10), || matches!(self.shell.try_wait(), Ok(Some(_)))).is_err() {
            // Only our own shell is left to end; its program has had its SIGKILL or never started.
            self.shell.kill().ok();
            self.shell.wait().ok();
        }
    }
}

/// Sends a signal, e.g. `TERM`.
///
/// # Errors
/// Where there is no such process.
pub fn signal(pid: u32, name: &str) -> anyhow::Result<()> {
    let status = Command::new("sh").args(["-c", r#"kill -s "$0" "$1""#, name, &pid.to_string()]).status()?;
    ensure!(status.success(), "SIG{name} could not be sent to process {pid}");
    Ok(())
}

/// Whether a process runs; one that has ended and waits to be collected does not.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    stat_fields(pid).is_ok_and(|fields| fields.first().is_some_and(|state| state != "Z" && state != "X"))
}

/// CPU time of a process so far, user and system, in seconds.
///
/// # Errors
/// Where there is no such process.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    // Linux counts in USER_HZ, which is 100 on every architecture that we build for.
    const TICKS_PER_SECOND: f64 = 100.0;
    let fields = stat_fields(pid)?;
    let ticks = |at: usize| -> anyhow::Result<f64> { Ok(fields.get(at).context("/proc/PID/stat is short")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}

/// A figure of `/proc/PID/status` in KiB, e.g. `VmRSS:`; or a bare number, e.g. `Threads:`.
///
/// # Errors
/// Where there is no such process or field.
pub fn status_kib(pid: u32, field: &str) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("process {pid}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
    let number = line.split_whitespace().next().with_context(|| format!("{field} is empty"))?;
    number.parse().with_context(|| format!("{field} {number}"))
}

/// Fields of `/proc/PID/stat` after the name, i.e. from the third, the state, on.
fn stat_fields(pid: u32) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("process {pid}"))?;
    let (_, rest) = text.rsplit_once(')').context("/proc/PID/stat has no name")?;
    Ok(rest.split_whitespace().map(ToOwned::to_owned).collect())
}

/// Waits until `done` says so.
///
/// # Errors
/// After `timeout`.
pub fn wait_until(timeout: Duration, mut done: impl FnMut() -> bool) -> anyhow::Result<()> {
    let started = Instant::now();
    while !done() {
        ensure!(started.elapsed() < timeout, "it did not happen within {} s", timeout.as_secs());
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
