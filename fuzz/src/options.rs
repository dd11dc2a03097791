//! How long a run is and where it begins, by variables that `cargo xtask fuzz` sets.

use std::path::PathBuf;
use std::str::FromStr;

/// Inputs a target is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many; `TIDEGATE_FUZZ_INPUTS`.
    pub inputs: u64,
    /// Of which sequence; `TIDEGATE_FUZZ_SEED`, default 1.
    pub seed: u64,
    /// Index of the first; `TIDEGATE_FUZZ_FIRST`, default 0.
    pub first: u64,
    /// File that holds the input being decoded, for what ends the process at once; `TIDEGATE_FUZZ_KEEP`.
    pub kept_in: Option<PathBuf>,
}

impl Options {
    /// The options of this process; `usual` is how many inputs there are where nobody says so.
    ///
    /// # Panics
    /// Where a variable is no number.
    #[must_use]
    pub fn of_environment(usual: u64) -> Self {
        Self {
            inputs: variable("TIDEGATE_FUZZ_INPUTS").unwrap_or(usual),
            seed: variable("TIDEGATE_FUZZ_SEED").unwrap_or(1),
            first: variable("TIDEGATE_FUZZ_FIRST").unwrap_or(0),
            kept_in: variable("TIDEGATE_FUZZ_KEEP"),
        }
    }

    /// Writes the input to its file, where one is wanted.
    pub(crate) fn keep(&self, input: &[u8]) {
        let Some(path) = &self.kept_in else { return };
        if let Err(e) = std::fs::write(path, input) {
            panic!("{}: {e}", path.display());
        }
    }
}

fn variable<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}; it must be a whole number of at least 0")))
}
