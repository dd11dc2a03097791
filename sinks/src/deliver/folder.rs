//! A folder with one file a node, `NODE.json`, replaced atomically: readers see the old command or the new one.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;

use tidegate_broker::DeliveryError;
use tidegate_schemas::records::QuotaCommand;

use super::Target;
use crate::error::SinkError;

/// The folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Uses `path`, created where it is missing.
    ///
    /// # Errors
    /// [`SinkError::File`] where it cannot be created.
    pub fn new(path: PathBuf) -> Result<Self, SinkError> {
        std::fs::create_dir_all(&path).map_err(|source| SinkError::File { path: path.clone(), source })?;
        Ok(Self { path })
    }

    fn write(&self, command: &QuotaCommand) -> Result<(), DeliveryError> {
        let target = self.path.join(file_name(&command.node_id));
        let error = |e: &dyn std::fmt::Display| DeliveryError(format!("{} cannot be written: {e}", target.display()));
        let mut file =
            tempfile::Builder::new().prefix(".tidegate-").tempfile_in(&self.path).map_err(|e| error(&e.kind()))?;
        serde_json::to_writer_pretty(&mut file, command).map_err(|e| error(&e))?;
        file.write_all(b"\n").map_err(|e| error(&e))?;
        // Temporary files are private; what is delivered is for others to read.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let readable = std::fs::Permissions::from_mode(0o644);
            file.as_file().set_permissions(readable).map_err(|e| error(&e))?;
        }
        file.persist(&target).map_err(|e| error(&e.error))?;
        Ok(())
    }
}

impl Target for Folder {
    fn deliver(&mut self, commands: &[QuotaCommand]) -> Result<(), DeliveryError> {
        let last: HashMap<&str, &QuotaCommand> = commands.iter().map(|c| (c.node_id.as_str(), c)).collect();
        last.into_values().try_for_each(|command| self.write(command))
    }
}

/// A file name that no node id can use to leave the folder: other characters than letters, digits, `.`, `_` and `-`
/// stand as `%XX`, and so does a leading dot.
fn file_name(node_id: &str) -> String {
    let mut name = String::with_capacity(node_id.len() + 5);
    for (i, byte) in node_id.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (byte == b'.' && i > 0);
        if plain {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    name + ".json"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_stay_in_the_folder_and_readable() {
        assert_eq!(file_name("edge-0001.rack_2"), "edge-0001.rack_2.json");
        assert_eq!(file_name("../etc/passwd"), "%2E.%2Fetc%2Fpasswd.json");
        assert_eq!(file_name("é"), "%C3%A9.json");
    }

    proptest! {
        #[test]
        fn different_nodes_have_different_files(a in ".{1,12}", b in ".{1,12}") {
            prop_assert_eq!(a == b, file_name(&a) == file_name(&b));
            prop_assert!(!file_name(&a).contains('/'));
        }
    }
}
