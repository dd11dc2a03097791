//! The quota file: the newest command as JSON with the quota in force, replaced whole.
//!
//! Its `quota` is what the node is to obey, whoever says so (`source`): the command, the local policy after its lease, or the
//! base quota under a recommendation; what is recommended stands beside it. So a reader that knows nothing of modes or
//! leases is not misled.

use std::path::Path;

use serde::Serialize;
use tidegate_schemas::records::QuotaCommand;

use super::replaced_file::ReplacedFile;
use super::state::{InForce, Source, is_enforced};
use crate::error::ProducerError;

/// A file that holds one command.
#[derive(Debug, Clone)]
pub struct QuotaFile {
    file: ReplacedFile,
}

/// The file's content.
#[derive(Serialize)]
struct Content {
    #[serde(flatten)]
    command: QuotaCommand,
    enforced: bool,
    /// Resource units; `None` where the command is enforced.
    recommended_quota: Option<f64>,
    source: Source,
}

impl Content {
    fn of(command: &QuotaCommand, in_force: InForce) -> Self {
        let mut command = command.clone();
        let enforced = is_enforced(&command);
        let recommended_quota = (!enforced).then_some(command.quota);
        if command.quota.to_bits() != in_force.quota.to_bits() {
            command.quota = in_force.quota;
            command.scale_factor = (in_force.quota / command.base_quota * 1e4).round() / 1e4;
        }
        Self { command, enforced, recommended_quota, source: in_force.source }
    }
}

impl QuotaFile {
    /// The file at `path`; its folder must be there. New content is written to a file beside it, named after it and this
    /// process, and renamed.
    ///
    /// # Errors
    /// [`ProducerError::File`] where `path` names no file in a folder.
    pub fn new(path: &Path) -> Result<Self, ProducerError> {
        Ok(Self { file: ReplacedFile::new(path, "the quota file")? })
    }

    /// Replaces the content.
    ///
    /// # Errors
    /// [`ProducerError::File`]; the old content is still there.
    pub fn write(&self, command: &QuotaCommand, in_force: InForce) -> Result<(), ProducerError> {
        self.file.write(&Content::of(command, in_force), "writing the quota")
    }

    /// The command in the file, with the quota to obey; `None` where there is no file.
    ///
    /// # Errors
    /// [`ProducerError::File`] where it cannot be read or is not a command.
    pub fn read(&self) -> Result<Option<QuotaCommand>, ProducerError> {
        const WHAT: &str = "reading the quota";
        let Some(text) = self.file.read(WHAT)? else { return Ok(None) };
        serde_json::from_slice(&text).map(Some).map_err(|e| self.file.failed(WHAT, e.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::{command, recommendation};
    use super::*;

    fn by_command(command: &QuotaCommand) -> InForce {
        InForce { quota: command.quota, sequence: Some(command.sequence), source: Source::Centre }
    }

    const BASE: InForce = InForce { quota: 1000.0, sequence: None, source: Source::Base };

    fn write(file: &QuotaFile, command: &QuotaCommand) {
        file.write(command, by_command(command)).unwrap();
    }

    #[test]
    fn the_file_holds_the_last_command_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = QuotaFile::new(&folder.path().join("quota.json")).unwrap();
        assert_eq!(file.read().unwrap(), None);
        for (sequence, quota) in [(1, 1200.0), (2, 700.0)] {
            write(&file, &command("a", sequence, quota));
            assert_eq!(file.read().unwrap(), Some(command("a", sequence, quota)));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(folder.path().join("quota.json")).unwrap()).unwrap();
        assert_eq!(
            (&json["node_id"], &json["quota"], &json["limits_hit"][0]),
            (&"a".into(), &700.0.into(), &"max".into())
        );
    }

    #[test]
    fn under_a_recommendation_the_file_says_to_obey_the_base_quota() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quota.json");
        let file = QuotaFile::new(&path).unwrap();
        let written = |command: &QuotaCommand, in_force: InForce| -> serde_json::Value {
            file.write(command, in_force).unwrap();
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
        };
        let obeyed = written(&command("a", 1, 1500.0), by_command(&command("a", 1, 1500.0)));
        assert_eq!(obeyed["source"], "centre");
        assert_eq!((&obeyed["quota"], &obeyed["enforced"]), (&1500.0.into(), &true.into()));
        assert!(obeyed["recommended_quota"].is_null());
        let advised = written(&recommendation("a", 2, 1500.0), BASE);
        assert_eq!((&advised["quota"], &advised["scale_factor"]), (&1000.0.into(), &1.0.into()));
        assert_eq!((&advised["recommended_quota"], &advised["enforced"]), (&1500.0.into(), &false.into()));
        assert_eq!((&advised["mode"], &advised["source"]), (&"RECOMMEND".into(), &"base".into()));
        let local = InForce { quota: 1440.0, sequence: None, source: Source::Local };
        let alone = written(&command("a", 3, 700.0), local);
        assert_eq!((&alone["quota"], &alone["scale_factor"]), (&1440.0.into(), &1.44.into()));
        assert_eq!(
            (&alone["source"], &alone["enforced"], &alone["sequence"]),
            (&"local".into(), &true.into(), &3.into())
        );
    }

    #[test]
    fn a_reader_never_sees_half_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quota.json");
        let file = QuotaFile::new(&path).unwrap();
        write(&file, &command("a", 0, 0.0));
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let (mut reads, mut last) = (0, 0);
                while !done.load(std::sync::atomic::Ordering::Relaxed) || reads == 0 {
                    let seen = file.read().unwrap().unwrap();
                    assert!(seen.sequence >= last);
                    (reads, last) = (reads + 1, seen.sequence);
                }
            });
            for sequence in 1..200 {
                write(&file, &command("a", sequence, 1.5));
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            reader.join().unwrap();
        });
    }

    #[test]
    fn a_folder_that_is_not_there_and_text_that_is_no_command_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = QuotaFile::new(&folder.path().join("no/quota.json")).unwrap_err().to_string();
        assert!(missing.ends_with("quota.json: the quota file: its folder does not exist"), "{missing}");
        let path = folder.path().join("quota.json");
        std::fs::write(&path, "{").unwrap();
        assert!(QuotaFile::new(&path).unwrap().read().is_err());
    }
}
