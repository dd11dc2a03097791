//! The edge's state on disk, so that an agent that starts while the centre is away goes on where it ended.
//!
//! ```text
//! EdgeState ─ saved ─> { "version": 1, "state": … } ─ replaced whole ─> disk ─ load ─> Cached ─> EdgeState ─ restore
//! ```
//!
//! What cannot be read is not used, and said: an edge that starts with nothing is better than one with a wrong quota.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::replaced_file::ReplacedFile;
use super::state::Saved;
use crate::error::ProducerError;

/// Version of the format.
const VERSION: u64 = 1;
const WHAT: &str = "the edge's cache";

/// A cache file.
#[derive(Debug, Clone)]
pub struct CacheFile {
    file: ReplacedFile,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<S> {
    version: u64,
    state: S,
}

impl CacheFile {
    /// The cache at `path`; its folder must be there.
    ///
    /// # Errors
    /// [`ProducerError::File`] where `path` names no file in a folder.
    pub fn new(path: &Path) -> Result<Self, ProducerError> {
        Ok(Self { file: ReplacedFile::new(path, WHAT)? })
    }

    /// Replaces the content.
    ///
    /// # Errors
    /// [`ProducerError::File`]; the old content is still there.
    pub fn write(&self, saved: &Saved) -> Result<(), ProducerError> {
        self.file.write(&Content { version: VERSION, state: saved }, "writing the edge's cache")
    }

    /// What was saved; `None` where there is no file.
    ///
    /// # Errors
    /// [`ProducerError::File`] where it cannot be read, is damaged, or is of another version.
    pub fn load(&self) -> Result<Option<Saved>, ProducerError> {
        let Some(text) = self.file.read(WHAT)? else { return Ok(None) };
        let damaged = |why: String| self.file.failed(WHAT, io::Error::new(io::ErrorKind::InvalidData, why));
        parse(&text).map(Some).map_err(damaged)
    }
}

fn parse(text: &[u8]) -> Result<Saved, String> {
    let value: Value = serde_json::from_slice(text).map_err(|e| format!("damaged, not used: {e}"))?;
    match value.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(other) => return Err(format!("version {other} is not known, not used")),
        None => return Err("damaged, not used: no version".into()),
    }
    let content: Content<Saved> = serde_json::from_value(value).map_err(|e| format!("damaged, not used: {e}"))?;
    if !content.state.is_sound() {
        return Err("damaged, not used: a quota is no finite number of at least 0".into());
    }
    Ok(content.state)
}

#[cfg(test)]
mod tests {
    use super::super::lease::Heard;
    use super::super::state::EdgeState;
    use super::super::state::tests::{at, command};
    use super::*;
    use proptest::prelude::*;

    fn saved(quota: f64) -> Saved {
        let mut edge = EdgeState::new("a", 1000.0);
        edge.apply(command("a", 5, quota), Heard::Live, at(5));
        edge.saved().unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_a_missing_file_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let cache = CacheFile::new(&folder.path().join("edge.json")).unwrap();
        assert_eq!(cache.load().unwrap(), None);
        for quota in [700.0, 1200.5] {
            cache.write(&saved(quota)).unwrap();
            assert_eq!(cache.load().unwrap(), Some(saved(quota)));
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_torn_cache_is_refused_wherever_it_is_torn() {
        let text = serde_json::to_vec_pretty(&Content { version: VERSION, state: saved(700.0) }).unwrap();
        assert!(parse(&text).is_ok());
        for end in 0..text.len() {
            assert!(parse(&text[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn another_version_and_impossible_values_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.json");
        let cache = CacheFile::new(&path).unwrap();
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            cache.load().unwrap_err().to_string()
        };
        assert!(said("{\"version\": 2}").ends_with("the edge's cache: version 2 is not known, not used"));
        assert!(said("").contains("edge.json: the edge's cache: damaged, not used: EOF"));
        assert!(said("\0\0\0").contains("damaged, not used"));
        let text = serde_json::to_string(&Content { version: VERSION, state: saved(700.0) }).unwrap();
        assert!(said(&text.replace("700.0", "-700.0")).contains("a quota is no finite number of at least 0"));
        assert!(said(&text.replace("\"local\":", "\"lokal\":")).contains("unknown field `lokal`"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(parse(&bytes).is_err());
        }
    }
}
