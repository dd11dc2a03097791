//! Which letters go back, and why the others do not. Pure.

use std::collections::HashSet;

use tidegate_schemas::Topic;
use tidegate_schemas::catalogue::Cleanup;
use tidegate_schemas::dead_letters::{Letter, Place};

/// Why a letter stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Stays {
    /// It has a mark.
    ReplayedBefore,
    /// Its record was replayed and failed again.
    FailedAgain,
    /// The topic that it came from keeps the last record of a key, which an older one would displace.
    Compacted,
    /// It holds a part of its record only.
    Truncated,
    /// It came from no topic of this pipeline.
    Foreign,
    /// The topic that it came from has no such partition any more.
    NoPartition,
}

impl Stays {
    /// Field of `--json`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::ReplayedBefore => "replayed_before",
            Self::FailedAgain => "failed_again",
            Self::Compacted => "compacted",
            Self::Truncated => "truncated",
            Self::Foreign => "foreign",
            Self::NoPartition => "no_partition",
        }
    }

    /// In words, after a count.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::ReplayedBefore => "replayed before",
            Self::FailedAgain => "failed again after a replay (--again sends them too)",
            Self::Compacted => "from a compacted topic, where an older record would displace the newest of its key",
            Self::Truncated => "not whole, for their record was too large for a letter: it stands at the source",
            Self::Foreign => "from no topic under this prefix",
            Self::NoPartition => "from a partition that their topic no longer has",
        }
    }
}

/// The rule of what goes back.
#[derive(Debug)]
pub(super) struct Selection {
    /// Letters with a mark.
    pub(super) replayed: HashSet<Place>,
    /// Prefix of the pipeline's topics.
    pub(super) prefix: String,
    /// Whether records that failed again after a replay go once more.
    pub(super) again: bool,
}

impl Selection {
    /// Why a letter stays; `None`: it goes. `partitions` tells how many its topic has.
    ///
    /// # Errors
    /// As `partitions`.
    pub(super) fn stays<E>(
        &self,
        letter: &Letter,
        partitions: impl FnOnce(&str) -> Result<i32, E>,
    ) -> Result<Option<Stays>, E> {
        if self.replayed.contains(&letter.place) {
            return Ok(Some(Stays::ReplayedBefore));
        }
        let topic = letter.why.topic.as_str();
        let Some(source) = Topic::ALL.into_iter().find(|source| source.name(&self.prefix) == topic) else {
            return Ok(Some(Stays::Foreign));
        };
        if source == Topic::DeadLetters {
            return Ok(Some(Stays::Foreign));
        }
        if source.cleanup() != Cleanup::Delete {
            return Ok(Some(Stays::Compacted));
        }
        if letter.why.truncated.is_some() {
            return Ok(Some(Stays::Truncated));
        }
        if letter.attempts() > 0 && !self.again {
            return Ok(Some(Stays::FailedAgain));
        }
        let there = 0..partitions(topic)?;
        Ok((!there.contains(&letter.why.partition)).then_some(Stays::NoPartition))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use tidegate_schemas::dead_letters::{REPLAYED_FROM, SetAside};

    use super::*;

    fn letter(offset: i64, topic: &str, partition: i32) -> Letter {
        let why = SetAside { topic: topic.into(), partition, ..SetAside::default() };
        Letter { place: Place { partition: 0, offset }, why, ..Letter::default() }
    }

    fn stays(letter: &Letter, again: bool) -> Option<Stays> {
        let replayed = HashSet::from([Place { partition: 0, offset: 9 }]);
        let selection = Selection { replayed, prefix: "t.".into(), again };
        selection.stays(letter, |_| Ok::<_, Infallible>(4)).unwrap()
    }

    #[test]
    fn a_letter_goes_once() {
        assert_eq!(stays(&letter(8, "t.load", 3), false), None);
        assert_eq!(stays(&letter(8, "t.forecasts", 0), false), None);
        assert_eq!(stays(&letter(9, "t.load", 3), true), Some(Stays::ReplayedBefore));
    }

    #[test]
    fn what_failed_again_goes_only_when_asked_for() {
        let mut failed = letter(8, "t.load", 3);
        failed.headers.push((REPLAYED_FROM.into(), Some(b"t.dead-letters/0/2".to_vec())));
        assert_eq!(stays(&failed, false), Some(Stays::FailedAgain));
        assert_eq!(stays(&failed, true), None);
    }

    #[test]
    fn a_part_of_a_record_stays() {
        let mut part = letter(8, "t.load", 3);
        part.why.truncated = Some("the value of 9 bytes is cut to 4".into());
        assert_eq!(stays(&part, true), Some(Stays::Truncated));
    }

    #[test]
    fn only_what_does_no_harm_goes() {
        for compacted in ["t.quotas", "t.controls", "t.checkpoints", "t.alerts"] {
            assert_eq!(stays(&letter(8, compacted, 0), true), Some(Stays::Compacted), "{compacted}");
        }
        for foreign in ["load", "u.load", "t.dead-letters", "t.unheard", ""] {
            assert_eq!(stays(&letter(8, foreign, 0), true), Some(Stays::Foreign), "{foreign}");
        }
        for gone in [4, -1] {
            assert_eq!(stays(&letter(8, "t.load", gone), false), Some(Stays::NoPartition), "{gone}");
        }
    }
}
