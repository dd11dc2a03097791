//! `dead-letters replay`: letters back to where they came from.
//!
//! ```text
//! letter ─ select ─> goes ─> source topic, marked ─ acknowledged ─> mark beside the letter
//!             └─> stays, counted by why
//! ```

use std::collections::{BTreeMap, HashMap};

use serde_json::json;
use tidegate_schemas::dead_letters::Letter;

use super::matching::Matches;
use super::select::{Selection, Stays};
use super::topic::LetterTopic;
use crate::args::Common;
use crate::commands::{BROKER_PATIENCE, counted, say, say_json, tell};
use crate::exit::{self, failure};

mod sender;

use sender::{Gone, Sender};

/// Send letters back to the topic and partition that they came from, each once and marked
///
/// Key, bytes and headers are the record's own, beside the headers `replayed.from` (the letter) and `replayed.attempts`. A
/// letter that was replayed before stays, and so does one whose record was replayed and failed again, unless --again.
/// Letters of compacted topics stay. It ends once the broker has taken everything. Do not run two at a time.
#[derive(Debug, clap::Args)]
pub(super) struct Replay {
    #[command(flatten)]
    matches: Matches,
    /// All letters; needed where there is no --match
    #[arg(id = "every", long = "all", conflicts_with = "all")]
    every: bool,
    /// Say what would go where; send nothing
    #[arg(long)]
    dry_run: bool,
    /// Also letters whose records were replayed before and failed again
    #[arg(long)]
    again: bool,
}

/// What came of the letters.
#[derive(Debug, Default)]
struct Told {
    /// That go, or would go.
    going: Vec<Gone>,
    stays: BTreeMap<Stays, u64>,
}

impl Replay {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        self.matches.check()?;
        if self.matches.is_empty() && !self.every {
            let said = "say which letters go back: --match FIELD=VALUE, or --all; --dry-run shows what would go where";
            return Err(failure(exit::USAGE, said));
        }
        let topic = LetterTopic::open(common)?;
        let replayed = topic.replayed(None)?;
        let selection = Selection { replayed, prefix: topic.kafka.prefix.clone(), again: self.again };
        let mut told = Told::default();
        let all = if self.dry_run {
            self.read(&topic, &selection, &mut told.stays, |letter| {
                told.going.push(Gone::of(letter));
                Ok(())
            })?
        } else {
            let mut sender = Sender::new(&topic)?;
            let read = self.read(&topic, &selection, &mut told.stays, |letter| sender.send(letter));
            // What was sent is waited for and marked, whatever happened after it.
            told.going = sender.finish()?;
            if read.is_err() {
                tell(format!("{} replayed", counted(u64::try_from(told.going.len())?, "letter")));
            }
            read?
        };
        self.say(&told, common.json)?;
        if all { Ok(()) } else { Err(failure(exit::UNAVAILABLE, "stopped before the end of the dead letters")) }
    }

    /// Reads the letters and sends those that go; `false` where a signal came before the end.
    fn read(
        &self,
        topic: &LetterTopic,
        selection: &Selection,
        stays: &mut BTreeMap<Stays, u64>,
        mut send: impl FnMut(&Letter) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        let mut counts = HashMap::<String, i32>::new();
        let bar = (!self.dry_run).then_some("sending letters back");
        topic.letters(bar, |letter| {
            if !self.matches.hold(&letter, &topic.kafka.prefix) {
                return Ok(());
            }
            let partitions = |name: &str| match counts.get(name) {
                Some(count) => Ok(*count),
                None => {
                    let count = topic.kafka.partition_count(name, BROKER_PATIENCE)?;
                    counts.insert(name.to_owned(), count);
                    Ok::<_, anyhow::Error>(count)
                }
            };
            match selection.stays(&letter, partitions)? {
                Some(why) => *stays.entry(why).or_default() += 1,
                None => send(&letter)?,
            }
            Ok(())
        })
    }

    fn say(&self, told: &Told, as_json: bool) -> anyhow::Result<()> {
        let count = u64::try_from(told.going.len())?;
        if as_json {
            let stays: BTreeMap<_, _> = told.stays.iter().map(|(why, count)| (why.name(), count)).collect();
            let replayed = if self.dry_run { 0 } else { count };
            let object = json!({ "dry_run": self.dry_run, "replayed": replayed, "letters": told.going, "left": stays });
            return say_json(&object);
        }
        if self.dry_run {
            told.going.iter().try_for_each(|gone| say(format!("{gone}")))?;
        }
        let done = if self.dry_run { "would be replayed; nothing was sent" } else { "replayed" };
        say(format!("{} {done}", counted(count, "letter")))?;
        told.stays
            .iter()
            .try_for_each(|(why, count)| say(format!("{} left: {}", counted(*count, "letter"), why.words())))
    }
}
