//! The quota file: the newest command as JSON, replaced atomically, so that a reader sees the old or the new one whole.
//!
//! Its `quota` is what the node is to obey: under a recommendation that is the base quota, and what is recommended stands
//! beside it. So a reader that knows nothing of modes is not misled.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tidegate_schemas::records::QuotaCommand;

use super::state::is_enforced;
use crate::error::ProducerError;

/// A file that holds one command.
#[derive(Debug, Clone)]
pub struct QuotaFile {
    path: PathBuf,
    beside: PathBuf,
}

/// The file's content.
#[derive(Serialize)]
struct Content {
    #[serde(flatten)]
    command: QuotaCommand,
    enforced: bool,
    /// Resource units; `None` where the command is enforced.
    recommended_quota: Option<f64>,
}

impl Content {
    fn of(command: &QuotaCommand) -> Self {
        let mut command = command.clone();
        let enforced = is_enforced(&command);
        let recommended_quota = (!enforced).then_some(command.quota);
        if !enforced {
            (command.quota, command.scale_factor) = (command.base_quota, 1.0);
        }
        Self { command, enforced, recommended_quota }
    }
}

impl QuotaFile {
    /// The file at `path`; its folder must be there. New content is written to a file beside it, named after it and this
    /// process, and renamed.
    ///
    /// # Errors
    /// [`ProducerError::File`] where `path` names no file in a folder.
    pub fn new(path: &Path) -> Result<Self, ProducerError> {
        let wrong = |source| ProducerError::File { path: path.to_owned(), what: "the quota file", source };
        let name = path.file_name().ok_or_else(|| wrong(io::Error::from(io::ErrorKind::InvalidFilename)))?;
        let folder = folder(path);
        if !folder.is_dir() {
            return Err(wrong(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist")));
        }
        let beside = format!(".{}.{}.new", name.to_string_lossy(), std::process::id());
        Ok(Self { path: path.to_owned(), beside: folder.join(beside) })
    }

    /// Replaces the content.
    ///
    /// # Errors
    /// [`ProducerError::File`]; the old content is still there.
    pub fn write(&self, command: &QuotaCommand) -> Result<(), ProducerError> {
        self.replace(command).map_err(|source| ProducerError::File {
            path: self.path.clone(),
            what: "writing the quota",
            source,
        })
    }

    fn replace(&self, command: &QuotaCommand) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(&Content::of(command))?;
        text.push(b'\n');
        let written = File::create(&self.beside).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()
        });
        let replaced = written.and_then(|()| std::fs::rename(&self.beside, &self.path));
        if replaced.is_err() {
            // The first error is the one to tell; a leftover is overwritten the next time.
            let _left = std::fs::remove_file(&self.beside);
            return replaced;
        }
        File::open(folder(&self.path))?.sync_all()
    }

    /// The command in the file, with the quota to obey; `None` where there is no file.
    ///
    /// # Errors
    /// [`ProducerError::File`] where it cannot be read or is not a command.
    pub fn read(&self) -> Result<Option<QuotaCommand>, ProducerError> {
        let failed = |source| ProducerError::File { path: self.path.clone(), what: "reading the quota", source };
        match std::fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| failed(e.into())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(e)),
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::{command, recommendation};
    use super::*;

    #[test]
    fn the_file_holds_the_last_command_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = QuotaFile::new(&folder.path().join("quota.json")).unwrap();
        assert_eq!(file.read().unwrap(), None);
        for (sequence, quota) in [(1, 1200.0), (2, 700.0)] {
            file.write(&command("a", sequence, quota)).unwrap();
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
        let written = |command: &QuotaCommand| -> serde_json::Value {
            file.write(command).unwrap();
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap()
        };
        let obeyed = written(&command("a", 1, 1500.0));
        assert_eq!((&obeyed["quota"], &obeyed["enforced"]), (&1500.0.into(), &true.into()));
        assert!(obeyed["recommended_quota"].is_null());
        let advised = written(&recommendation("a", 2, 1500.0));
        assert_eq!((&advised["quota"], &advised["scale_factor"]), (&1000.0.into(), &1.0.into()));
        assert_eq!((&advised["recommended_quota"], &advised["enforced"]), (&1500.0.into(), &false.into()));
        assert_eq!(advised["mode"], "RECOMMEND");
    }

    #[test]
    fn a_reader_never_sees_half_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("quota.json");
        let file = QuotaFile::new(&path).unwrap();
        file.write(&command("a", 0, 0.0)).unwrap();
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
                file.write(&command("a", sequence, 1.5)).unwrap();
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
