//! What stands on the topics: the newest reports, held against this machine's clock, and what was set aside.

use std::collections::HashSet;
use std::sync::Arc;

use tidegate_broker::{From, KafkaSettings, RawRecord, Stop, Tail, survey};
use tidegate_schemas::codec::Decoder;
use tidegate_schemas::dead_letters::{self, Place, SetAside};
use tidegate_schemas::records::{CLOCK_AHEAD_ALLOWED_MS, LoadReport};
use tidegate_schemas::{SchemaIds, Topic};

use super::finding::{Finding, ago};
use super::topics::Ours;
use crate::commands::{BROKER_PATIENCE, counted};
use crate::config::Settings;
use crate::event_time;

/// Reports come every 10 s; without one for so long nobody sends any, ms.
const SILENT_MS: i64 = 300_000;
/// What was set aside within this time is worth a look, ms.
const LATELY_MS: i64 = 86_400_000;
/// So many offsets at the end of each partition are read; transactions leave some without a record.
const REPORTS: i64 = 4;
const LETTERS: i64 = 64;

/// A report as it stands on its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    node: String,
    kafka_ms: i64,
    /// Why the forecast stage would set it aside.
    refused: Option<String>,
}

/// A dead letter that was not replayed yet, and when it was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    class: String,
    at_ms: i64,
}

pub(super) fn check(settings: &Settings, kafka: &KafkaSettings, topics: &Ours) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(load) = topics.get(&Topic::Load) {
        // A registry that is away is not waited for.
        let no_patience = Stop::default();
        no_patience.stop();
        let ids = settings.schema_ids(kafka, &no_patience);
        let seen = newest(kafka, Topic::Load, &load.led(), REPORTS).and_then(|records| reports(&records, ids));
        let judged = seen.map(|seen| judge_reports(&seen, event_time::wall_clock()));
        found.push(judged.unwrap_or_else(|e| Finding::warning("reports", format!("the newest cannot be read: {e:#}"))));
    }
    if let Some(letters) = topics.get(&Topic::DeadLetters) {
        let led = letters.led();
        let judged = newest(kafka, Topic::DeadLetters, &led, LETTERS).and_then(|records| {
            let held = survey::offsets_held(kafka, &kafka.topic(Topic::DeadLetters), &led)?;
            Ok(judge_letters(held, waiting(&records).as_ref(), event_time::wall_clock()))
        });
        found.push(judged.unwrap_or_else(|e| Finding::warning("letters", format!("they cannot be read: {e:#}"))));
    }
    found
}

/// The newest records of some partitions.
fn newest(kafka: &KafkaSettings, topic: Topic, partitions: &[i32], last: i64) -> anyhow::Result<Vec<RawRecord>> {
    let mut records = Vec::new();
    if partitions.is_empty() {
        return Ok(records);
    }
    let mut tail = Tail::partitions(kafka, &kafka.topic(topic), partitions, From::Last(last))?;
    while let Some(mut record) = tail.next_before_end(BROKER_PATIENCE)? {
        // Of letters only the headers are looked at, and they may be large.
        record.value = record.value.filter(|_| topic == Topic::Load);
        records.push(record);
    }
    Ok(records)
}

fn reports(records: &[RawRecord], ids: Arc<dyn SchemaIds>) -> anyhow::Result<Vec<Seen>> {
    let mut decoder = Decoder::new(ids);
    let mut seen = |record: &RawRecord| {
        let value = record.value.as_deref().unwrap_or_default();
        let report = match decoder.decode::<LoadReport>(value) {
            Ok(report) => report,
            // Not the record's fault, or one that is set aside: that is told elsewhere.
            Err(e) if e.is_retryable() => return Err(e),
            Err(_) => return Ok(None),
        };
        let refused = report.validate_in_log(record.key.as_deref(), record.timestamp).err().map(|e| e.to_string());
        let kafka_ms = record.timestamp.unwrap_or(report.timestamp);
        Ok(Some(Seen { node: report.node_id, kafka_ms, refused }))
    };
    Ok(records.iter().filter_map(|record| seen(record).transpose()).collect::<Result<_, _>>()?)
}

fn judge_reports(seen: &[Seen], now: i64) -> Finding {
    let Some(newest) = seen.iter().max_by_key(|report| report.kafka_ms) else {
        return Finding::warning("reports", "there are none yet").advise("tidegate edge --node-id NAME on each node");
    };
    let ahead = newest.kafka_ms.saturating_sub(now);
    if ahead > CLOCK_AHEAD_ALLOWED_MS {
        let said =
            format!("the newest report, of {}, stands {} ahead of this machine's clock", newest.node, ago(ahead));
        return Finding::wrong("clock", said).advise("keep the clocks of all machines by NTP");
    }
    if let Some((report, why)) = seen.iter().find_map(|report| Some((report, report.refused.as_ref()?))) {
        let said = format!("what {} reports is set aside: {why}", report.node);
        return Finding::warning("reports", said).advise("look at that node's clock and settings");
    }
    let age = now.saturating_sub(newest.kafka_ms);
    let said = format!("the newest, of {}, came {} ago", newest.node, ago(age));
    if age > SILENT_MS {
        return Finding::warning("reports", said).advise("look at the edges, and at the gateways that they report to");
    }
    Finding::ok("reports", said)
}

/// The newest letter that was not replayed.
fn waiting(records: &[RawRecord]) -> Option<Waiting> {
    let replayed: HashSet<Place> =
        records.iter().filter_map(|record| Some(dead_letters::marked(&record.headers)?.0)).collect();
    let letter = |record: &RawRecord| {
        let (why, _) = SetAside::read(&record.headers)?;
        let place = Place { partition: record.partition, offset: record.offset };
        let waits = !replayed.contains(&place);
        waits.then(|| Waiting { class: why.class, at_ms: record.timestamp.unwrap_or_default() })
    };
    records.iter().filter_map(letter).max_by_key(|letter| letter.at_ms)
}

fn judge_letters(held: u64, newest: Option<&Waiting>, now: i64) -> Finding {
    let Some(newest) = newest else {
        let said = if held == 0 { "nothing was set aside" } else { "of the newest, all were replayed" };
        return Finding::ok("letters", said);
    };
    let age = now.saturating_sub(newest.at_ms);
    let said = format!("{} at most, the newest ({}) of {} ago", counted(held, "dead letter"), newest.class, ago(age));
    if age > LATELY_MS {
        return Finding::ok("letters", said);
    }
    Finding::warning("letters", said).advise("tidegate dead-letters list")
}

#[cfg(test)]
mod tests {
    use tidegate_schemas::dead_letters::Letter;

    use super::*;

    const NOW: i64 = 1_000_000_000;

    #[test]
    fn the_newest_reports_tell_of_clocks_and_silence() {
        let at = |ms: i64, refused: Option<&str>| Seen {
            node: "a".into(),
            kafka_ms: NOW.saturating_add(ms),
            refused: refused.map(str::to_owned),
        };
        let cases = [
            vec![],
            vec![at(-9_000, None), at(-4_000, None)],
            vec![at(-400_000, None)],
            vec![at(90_000, None), at(-4_000, None)],
            vec![at(-9_000, Some("its clock is ahead")), at(-4_000, None)],
            vec![at(i64::MAX, None)],
            vec![at(i64::MIN, None)],
        ];
        let said = cases.map(|seen| judge_reports(&seen, NOW).to_string());
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn what_was_set_aside_lately_and_not_replayed_is_worth_a_look() {
        let letter = |age: i64| Waiting { class: "truncated".into(), at_ms: NOW - age };
        let said = [
            judge_letters(0, None, NOW),
            judge_letters(12, None, NOW),
            judge_letters(12, Some(&letter(5_000)), NOW),
            judge_letters(1, Some(&letter(90_000_000)), NOW),
        ];
        insta::assert_snapshot!(said.map(|found| found.to_string()).join("\n"));
    }

    #[test]
    fn a_letter_that_has_a_mark_does_not_wait() {
        let why = |offset: i64| SetAside {
            class: format!("class-{offset}"),
            message: "ends early".into(),
            stage: "forecast".into(),
            topic: "t.load".into(),
            partition: 0,
            offset: 7,
            timestamp: None,
            truncated: None,
        };
        let letter = |offset: i64| RawRecord {
            offset,
            timestamp: Some(offset),
            headers: why(offset).headers(),
            ..RawRecord::default()
        };
        let mut mark = RawRecord { offset: 9, timestamp: Some(9), ..RawRecord::default() };
        let (place, headers) = (Place { partition: 0, offset: 2 }, Vec::new());
        mark.headers = Letter { place, when: None, why: why(2), key: None, value: None, headers }.mark();
        assert_eq!(waiting(&[letter(1), letter(2)]).unwrap().class, "class-2");
        assert_eq!(waiting(&[letter(1), letter(2), mark.clone()]).unwrap().class, "class-1");
        assert_eq!(waiting(&[letter(2), mark]), None);
    }
}
