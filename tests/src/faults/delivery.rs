//! The delivery sink with its two targets: a webhook of ours, and a folder on a small disk of its own.
//!
//! The disk is a tmpfs in a mount namespace of the sink's process: it is gone with the process, and needs root only where
//! the machine forbids user namespaces.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;

use super::member::Member;
use super::sender::Name;

/// Mounts a small disk at the first argument, then becomes the rest.
const ON_A_SMALL_DISK: &str = r#"mount -t tmpfs -o size=8m tmpfs "$0" && exec "$@""#;

/// What the webhook took.
#[derive(Debug, Default)]
pub struct Taken(Mutex<TakenByNode>);

#[derive(Debug, Default)]
struct TakenByNode {
    /// In the order in which each came first.
    names: Vec<Name>,
    /// Sequences by node.
    seen: HashMap<Arc<str>, std::collections::HashSet<i64>>,
}

impl Taken {
    fn lock(&self) -> MutexGuard<'_, TakenByNode> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the body of a request; what is no such body is passed over, and will be missed.
    pub fn take(&self, body: &str) {
        let Ok(body) = serde_json::from_str::<serde_json::Value>(body) else { return };
        let mut taken = self.lock();
        for command in body["commands"].as_array().into_iter().flatten() {
            let (Some(node), Some(sequence)) = (command["node_id"].as_str(), command["sequence"].as_i64()) else {
                continue;
            };
            let node = taken.seen.get_key_value(node).map_or_else(|| node.into(), |(known, _)| Arc::clone(known));
            if taken.seen.entry(Arc::clone(&node)).or_default().insert(sequence) {
                taken.names.push((node, sequence));
            }
        }
    }

    /// How many commands it took, each once.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().names.len()
    }

    /// The commands in the order in which each came first.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        self.lock().names.clone()
    }
}

/// Whether a process may have a disk of its own here, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmallDisk {
    /// As root.
    Root,
    /// In a user namespace.
    User,
}

impl SmallDisk {
    /// Tries both.
    #[must_use]
    pub fn probe(folder: &Path) -> Option<Self> {
        [Self::Root, Self::User].into_iter().find(|disk| {
            let mut tried = disk.command(folder);
            tried.arg("true").stdout(Stdio::null()).stderr(Stdio::null());
            tried.status().is_ok_and(|status| status.success())
        })
    }

    /// What runs its further arguments with a small disk at `folder`.
    #[must_use]
    pub fn command(self, folder: &Path) -> Command {
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if self == Self::User {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-c", ON_A_SMALL_DISK]).arg(folder);
        command
    }
}

/// The folder as a process sees it.
fn seen_by(pid: u32, folder: &Path) -> anyhow::Result<PathBuf> {
    Ok(Path::new("/proc").join(pid.to_string()).join("root").join(folder.strip_prefix("/")?))
}

/// Fills the disk that a process has at its folder; gives the file that does.
///
/// # Errors
/// Where the disk can not be written, or does not become full.
pub fn fill(pid: u32, folder: &Path) -> anyhow::Result<PathBuf> {
    const PIECE: usize = 4096;
    /// Many times the disk.
    const MOST_PIECES: usize = 64 * 1024;
    let path = seen_by(pid, folder)?.join(".ballast");
    let mut file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let piece = [0_u8; PIECE];
    let full = (0..MOST_PIECES).any(|_| file.write_all(&piece).is_err());
    anyhow::ensure!(full, "{} does not become full", path.display());
    Ok(path)
}

/// The sequence in each node's file.
///
/// # Errors
/// Where the folder or a file can not be read.
pub fn files(member: &Member, folder: &Path) -> anyhow::Result<HashMap<String, i64>> {
    let mut sequences = HashMap::new();
    let pid = member.pid().context("the sink does not run")?;
    for entry in std::fs::read_dir(seen_by(pid, folder)?)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let command: serde_json::Value = serde_json::from_slice(&std::fs::read(&path)?)?;
            let node = command["node_id"].as_str().context("a file without node")?.to_owned();
            sequences.insert(node, command["sequence"].as_i64().context("a file without sequence")?);
        }
    }
    Ok(sequences)
}
