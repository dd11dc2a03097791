//! `dead-letters list`: a line a letter, totals by class at the end.

use std::collections::BTreeMap;

use super::matching::Matches;
use super::text;
use super::topic::LetterTopic;
use crate::args::Common;
use crate::commands::{counted, say, say_json};

/// List letters, oldest first within each partition, with totals by class
///
/// A line has place (PARTITION/OFFSET, for `show`), when it was set aside, class, where the record stood, its key, and the
/// first words of what is wrong.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    matches: Matches,
    /// Show so many at most; the others are only counted
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

impl List {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        self.matches.check()?;
        let topic = LetterTopic::open(common)?;
        let replayed = topic.replayed(None)?;
        let mut by_class = BTreeMap::<String, u64>::new();
        let (mut found, limit) = (0, self.limit.unwrap_or(u64::MAX));
        let all = topic.letters(None, |letter| {
            if !self.matches.hold(&letter, &topic.kafka.prefix) {
                return Ok(());
            }
            found += 1;
            let is_replayed = replayed.contains(&letter.place);
            if found <= limit {
                match common.json {
                    true => say_json(&text::object(&letter, is_replayed))?,
                    false => say(text::line(&letter, is_replayed))?,
                }
            }
            *by_class.entry(letter.why.class).or_default() += 1;
            Ok(())
        })?;
        if common.json {
            return Ok(());
        }
        let totals = text::totals(by_class.iter().map(|(class, count)| (class.as_str(), *count)));
        let colon = if found == 0 { "" } else { ": " };
        let hidden = if found > limit { format!("; {limit} shown") } else { String::new() };
        let stopped = if all { "" } else { "; stopped before the end" };
        say(format!("{}{colon}{totals}{hidden}{stopped}", counted(found, "letter")))
    }
}
