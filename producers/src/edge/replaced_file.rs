//! A small file that is replaced whole: written beside itself, synced and renamed, so that a reader, and a process after a
//! kill, sees the old content or the new one and never a part.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::ProducerError;

/// A file and the name that its new content has until it is whole.
#[derive(Debug, Clone)]
pub(super) struct ReplacedFile {
    path: PathBuf,
    beside: PathBuf,
}

impl ReplacedFile {
    /// The file at `path`; its folder must be there. New content is written to a file beside it, named after it and this
    /// process. `what` names it in errors.
    pub(super) fn new(path: &Path, what: &'static str) -> Result<Self, ProducerError> {
        let wrong = |source| ProducerError::File { path: path.to_owned(), what, source };
        let name = path.file_name().ok_or_else(|| wrong(io::Error::from(io::ErrorKind::InvalidFilename)))?;
        let folder = folder(path);
        if !folder.is_dir() {
            return Err(wrong(io::Error::new(io::ErrorKind::NotFound, "its folder does not exist")));
        }
        let beside = format!(".{}.{}.new", name.to_string_lossy(), std::process::id());
        Ok(Self { path: path.to_owned(), beside: folder.join(beside) })
    }

    /// Replaces the content by JSON; where that fails, the old content is still there.
    pub(super) fn write(&self, content: &impl Serialize, what: &'static str) -> Result<(), ProducerError> {
        self.replace(content).map_err(|source| ProducerError::File { path: self.path.clone(), what, source })
    }

    fn replace(&self, content: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(content)?;
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

    /// The content; `None` where there is no file.
    pub(super) fn read(&self, what: &'static str) -> Result<Option<Vec<u8>>, ProducerError> {
        match std::fs::read(&self.path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.failed(what, e)),
        }
    }

    /// An error of this file.
    pub(super) fn failed(&self, what: &'static str, source: io::Error) -> ProducerError {
        ProducerError::File { path: self.path.clone(), what, source }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
