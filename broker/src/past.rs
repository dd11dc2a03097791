//! Where a partition's state comes back from, as the metadata of its committed offset says it.
//!
//! ```text
//! rewind=120                  read the input again from offset 120
//! rewind=120 kept=900/1400/5f…  or: nodes from their checkpoints, and the input again from offset 900
//! ```

use std::fmt;

const REWIND: &str = "rewind=";
const KEPT: &str = "kept=";

/// Where state is rebuilt from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// First offset of the input that matters where nothing else is at hand.
    pub rewind: i64,
    /// The shorter way, where the state of nodes is kept.
    pub kept: Option<Kept>,
}

/// Checkpoints that are on the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// First offset of the input that some node needs beyond its checkpoint.
    pub from: i64,
    /// They are those that outputs of the input before this offset left.
    pub at: i64,
    /// What they sum up to, so that one that is missing is noticed; only the stage knows how.
    pub sum: u64,
}

impl Past {
    /// All of the input from an offset on.
    #[must_use]
    pub fn from(rewind: i64) -> Self {
        Self { rewind, kept: None }
    }

    /// Reads metadata; `None` where they are not ours.
    pub(crate) fn parse(metadata: &str) -> Option<Self> {
        let mut words = metadata.split(' ');
        let rewind = words.next()?.strip_prefix(REWIND)?.parse().ok()?;
        let kept = words.next().and_then(|word| {
            let mut parts = word.strip_prefix(KEPT)?.split('/');
            let (from, at, sum) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Kept { from: from.parse().ok()?, at: at.parse().ok()?, sum: u64::from_str_radix(sum, 16).ok()? })
        });
        Some(Self { rewind, kept })
    }
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{REWIND}{}", self.rewind)?;
        self.kept.map_or(Ok(()), |kept| write!(f, " {KEPT}{}/{}/{:x}", kept.from, kept.at, kept.sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        for past in [Past::from(0), Past { rewind: 120, kept: Some(Kept { from: 900, at: 1400, sum: 17 << 60 }) }] {
            assert_eq!(Past::parse(&past.to_string()), Some(past));
        }
        assert_eq!(Past::parse("rewind=5 kept=4/3"), Some(Past::from(5)), "the longer way is still known");
        for foreign in ["", "kept=1/2", "rewind=", "rewind=-", "committed by hand"] {
            assert_eq!(Past::parse(foreign), None, "{foreign}");
        }
    }
}
