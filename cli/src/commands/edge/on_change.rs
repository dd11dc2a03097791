//! The command on change: run by a shell with the quota in force in its environment, on a thread of its own.
//!
//! ```text
//! changed ─> newest ─> (thread) sh -c COMMAND ─ ended, failed or too slow ─> log, metrics
//! ```
//!
//! While one runs, only the newest of what changes meanwhile is kept: the last run is always for what is in force.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tidegate_producers::edge::{EdgeMetrics, InForce};

/// A run that takes longer is killed, with all that it started.
const TIMEOUT: Duration = Duration::from_secs(30);
/// What the end of the agent leaves to a run.
const END: Duration = Duration::from_secs(1);
/// How often a run is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The command and its thread.
pub(super) struct OnChange {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    next: Mutex<Next>,
    woken: Condvar,
}

#[derive(Default)]
struct Next {
    newest: Option<InForce>,
    ending: bool,
}

/// How a run ended.
enum Ran {
    Well,
    Failed(String),
    TooSlow,
}

/// What is run.
struct Hook {
    command: String,
    node_id: String,
    timeout: Duration,
}

impl OnChange {
    /// Starts the thread; nothing runs yet.
    pub(super) fn start(command: &str, node_id: &str, metrics: EdgeMetrics) -> anyhow::Result<Self> {
        let hook = Hook { command: command.to_owned(), node_id: node_id.to_owned(), timeout: TIMEOUT };
        Self::with(hook, move |result| metrics.ran(result))
    }

    fn with(hook: Hook, count: impl Fn(&str) + Send + 'static) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("on-change".into()).spawn(move || {
            while let Some(in_force) = own.take() {
                let ran = hook.run(in_force, &own);
                let (result, why) = match &ran {
                    Ran::Well => ("ok", None),
                    Ran::Failed(why) => ("failed", Some(why.clone())),
                    Ran::TooSlow => ("timeout", Some("it took too long and was killed".to_owned())),
                };
                if let Some(why) = why {
                    let (quota, source) = (in_force.quota, in_force.source.name());
                    tracing::warn!("the command on change, for quota {quota} by {source}: {why}");
                }
                count(result);
            }
        })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Something else is in force.
    pub(super) fn changed(&self, in_force: InForce) {
        self.shared.lock().newest = Some(in_force);
        self.shared.woken.notify_one();
    }

    /// Runs no more; what is running is waited for, a little.
    pub(super) fn finish(&self) {
        self.shared.lock().ending = true;
        self.shared.woken.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic in it was logged.
        thread.map(JoinHandle::join).transpose().unwrap_or_default();
    }
}

impl Shared {
    /// Waits for the newest; `None`: it is the end.
    fn take(&self) -> Option<InForce> {
        let mut next = self.lock();
        loop {
            if next.ending {
                return None;
            }
            if let Some(newest) = next.newest.take() {
                return Some(newest);
            }
            next = self.woken.wait(next).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hook {
    fn run(&self, in_force: InForce, shared: &Shared) -> Ran {
        let started = Command::new("sh")
            .args(["-c", &self.command])
            .env("TIDEGATE_QUOTA", in_force.quota.to_string())
            .env("TIDEGATE_SOURCE", in_force.source.name())
            .env("TIDEGATE_NODE_ID", &self.node_id)
            .stdin(Stdio::null())
            // Our stdout is for results; what it has to say goes where the log goes.
            .stdout(std::io::stderr())
            // A group of its own, so that all that it starts can be killed.
            .process_group(0)
            .spawn();
        match started.and_then(|child| self.wait(child, shared)) {
            Ok(Some(status)) if status.success() => Ran::Well,
            Ok(Some(status)) => Ran::Failed(status.to_string()),
            Ok(None) => Ran::TooSlow,
            Err(e) => Ran::Failed(e.to_string()),
        }
    }

    /// Waits for its end; `None`: it was killed.
    fn wait(&self, mut child: Child, shared: &Shared) -> std::io::Result<Option<ExitStatus>> {
        let mut until = Instant::now() + self.timeout;
        let mut is_ending = false;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > until {
                kill(&mut child);
                return Ok(None);
            }
            if !is_ending && shared.lock().ending {
                is_ending = true;
                until = until.min(Instant::now() + END);
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Kills the shell and all of its group. The shell's own `kill` can do that, the standard library only the one process.
fn kill(child: &mut Child) {
    let group = format!("-{}", child.id());
    let killed = Command::new("sh").args(["-c", r#"kill -s KILL -- "$0""#, &group]).stderr(Stdio::null()).status();
    if !killed.is_ok_and(|status| status.success()) {
        // It fails only where it has ended by itself.
        child.kill().unwrap_or_default();
    }
    // The same holds here: there is nothing left to do about it.
    child.wait().map(drop).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use tidegate_producers::edge::Source;

    fn in_force(quota: f64) -> InForce {
        InForce { quota, sequence: Some(1), source: Source::Centre }
    }

    fn until(what: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(90);
        while !what() {
            assert!(Instant::now() < end, "it never came");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A command with its counts, in a folder.
    fn hook(folder: &Path, command: &str, timeout: Duration) -> (OnChange, Arc<Mutex<Vec<String>>>) {
        let results = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&results);
        let command = format!("cd '{}' && {command}", folder.display());
        let hook = Hook { command, node_id: "edge-1".into(), timeout };
        (OnChange::with(hook, move |result| told.lock().unwrap().push(result.to_owned())).unwrap(), results)
    }

    #[test]
    fn the_command_finds_what_is_in_force_in_its_environment() {
        let folder = tempfile::tempdir().unwrap();
        let say = "echo $TIDEGATE_NODE_ID $TIDEGATE_SOURCE $TIDEGATE_QUOTA >> said";
        let (command, results) = hook(folder.path(), say, TIMEOUT);
        command.changed(in_force(1250.5));
        until(|| results.lock().unwrap().len() == 1);
        command.changed(in_force(700.0));
        until(|| results.lock().unwrap().len() == 2);
        command.finish();
        let said = std::fs::read_to_string(folder.path().join("said")).unwrap();
        assert_eq!(said, "edge-1 centre 1250.5\nedge-1 centre 700\n");
        assert_eq!(*results.lock().unwrap(), ["ok", "ok"]);
    }

    #[test]
    fn while_one_runs_only_the_newest_change_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let slow = "echo $TIDEGATE_QUOTA >> said; while [ ! -e go ]; do sleep 0.01; done";
        let (command, results) = hook(folder.path(), slow, TIMEOUT);
        let said = || std::fs::read_to_string(folder.path().join("said")).unwrap_or_default();
        command.changed(in_force(1.0));
        until(|| said() == "1\n");
        (2..=9).for_each(|n| command.changed(in_force(f64::from(n))));
        std::fs::write(folder.path().join("go"), "").unwrap();
        until(|| results.lock().unwrap().len() == 2);
        command.finish();
        assert_eq!(said(), "1\n9\n");
    }

    #[test]
    fn failures_are_counted_and_what_is_too_slow_is_killed_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let (command, results) = hook(folder.path(), "exit 3", TIMEOUT);
        command.changed(in_force(1.0));
        until(|| *results.lock().unwrap() == ["failed"]);
        command.finish();
        let slow = "(sleep 5; touch late) & sleep 60";
        let (command, results) = hook(folder.path(), slow, Duration::from_millis(200));
        command.changed(in_force(1.0));
        until(|| *results.lock().unwrap() == ["timeout"]);
        command.finish();
        std::thread::sleep(Duration::from_millis(5500));
        assert!(!folder.path().join("late").exists(), "its child lived on");
    }

    #[test]
    fn the_end_of_the_agent_does_not_wait_for_a_slow_command() {
        let folder = tempfile::tempdir().unwrap();
        let (command, _) = hook(folder.path(), "touch there; sleep 60", TIMEOUT);
        command.changed(in_force(1.0));
        until(|| folder.path().join("there").exists());
        let began = Instant::now();
        command.finish();
        assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    }
}
