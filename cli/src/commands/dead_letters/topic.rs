//! The topic of dead letters as `tidegate dead-letters` reads it: partition by partition, each to the end that it has when
//! its turn comes. Letters are handed on one by one, so that memory does not grow with the topic.

use std::collections::HashSet;
use std::sync::Arc;

use indicatif::ProgressBar;
use tidegate_broker::{From, KafkaSettings, PartitionReader, RawRecord, Stop, Tail};
use tidegate_schemas::dead_letters::{self, Letter, Place, SetAside};
use tidegate_schemas::{SchemaIds, Topic};

use crate::args::Common;
use crate::commands::{self, BROKER_PATIENCE};
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::{progress, shutdown};

/// The topic on its broker.
pub(super) struct LetterTopic {
    pub(super) kafka: KafkaSettings,
    pub(super) name: String,
    pub(super) stop: Stop,
    settings: Settings,
    partitions: i32,
}

impl LetterTopic {
    /// Reaches the broker.
    pub(super) fn open(common: &Common) -> anyhow::Result<Self> {
        let settings = Settings::load(common)?;
        let kafka = settings.kafka()?;
        let stop = shutdown::on_signals()?;
        commands::reach(&kafka)?;
        let name = kafka.topic(Topic::DeadLetters);
        let partitions = kafka.partition_count(&name, BROKER_PATIENCE)?;
        Ok(Self { kafka, name, stop, settings, partitions })
    }

    /// Where schema ids come from.
    pub(super) fn schema_ids(&self) -> Arc<dyn SchemaIds> {
        self.settings.schema_ids(&self.kafka, &self.stop)
    }

    /// The letters that have a mark, of all partitions or of one.
    ///
    /// # Errors
    /// Also where a signal came before all was read: who knows half of the marks would replay the other half again.
    pub(super) fn replayed(&self, only: Option<i32>) -> anyhow::Result<HashSet<Place>> {
        let mut replayed = HashSet::new();
        let all = self.read(Some("looking for marks of replays"), only, |record| {
            replayed.extend(dead_letters::marked(&record.headers).map(|(letter, _)| letter));
            Ok(())
        })?;
        if all { Ok(replayed) } else { Err(failure(exit::UNAVAILABLE, "stopped before the dead letters were read")) }
    }

    /// All letters, by partition and offset; `false` where a signal came before the end. `what` is shown beside a bar.
    pub(super) fn letters(
        &self,
        what: Option<&'static str>,
        mut each: impl FnMut(Letter) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        self.read(what, None, |record| letter(record).map_or(Ok(()), &mut each))
    }

    fn read(
        &self,
        what: Option<&'static str>,
        only: Option<i32>,
        mut each: impl FnMut(RawRecord) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        let of_bar =
            |what| progress::bar(0, "{elapsed_precise} {wide_bar} {pos} of {len} records  {msg}").with_message(what);
        let bar = what.map_or_else(ProgressBar::hidden, of_bar);
        for partition in only.map_or(0..self.partitions, |only| only..only + 1) {
            let mut tail = Tail::partitions(&self.kafka, &self.name, &[partition], From::Beginning)?;
            bar.inc_length(tail.remaining());
            while let Some(record) = tail.next_before_end(BROKER_PATIENCE)? {
                if self.stop.is_set() {
                    bar.finish_and_clear();
                    return Ok(false);
                }
                each(record)?;
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(!self.stop.is_set())
    }

    /// One letter.
    ///
    /// # Errors
    /// Where there is nothing at that place, or something that is no letter.
    pub(super) fn letter_at(&self, place: Place) -> anyhow::Result<Letter> {
        let Self { kafka, name, partitions, .. } = self;
        if place.partition >= *partitions {
            let said = format!("there is no letter {place}: {name} has the partitions 0 to {}", partitions - 1);
            return Err(failure(exit::NO_INPUT, said));
        }
        let Some(record) = PartitionReader::open(kafka, name, place.partition, None)?.at(place.offset)? else {
            let said = format!("{name} has no letter {place}, or no longer; `tidegate dead-letters list` shows all");
            return Err(failure(exit::NO_INPUT, said));
        };
        let mark = dead_letters::marked(&record.headers).map(|(letter, _)| letter);
        letter(record).ok_or_else(|| {
            let said = mark.map_or_else(
                || format!("the record {place} of {name} does not say why it was set aside: it is no dead letter"),
                |letter| {
                    format!("the record {place} of {name} is no letter, it is the mark that {letter} was replayed")
                },
            );
            failure(exit::DATA, said)
        })
    }
}

/// A record of the topic as a letter; `None` for marks, and for what somebody else put there.
fn letter(record: RawRecord) -> Option<Letter> {
    let (why, headers) = SetAside::read(&record.headers)?;
    let place = Place { partition: record.partition, offset: record.offset };
    Some(Letter { place, when: record.timestamp, why, key: record.key, value: record.value, headers })
}
