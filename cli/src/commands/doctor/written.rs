//! What stands on the topics: the newest report, held against this machine's clock, and what was set aside.

use std::sync::Arc;

use tidegate_broker::{From, KafkaSettings, RawRecord, Stop, Tail, survey};
use tidegate_schemas::codec::Decoder;
use tidegate_schemas::dead_letters::SetAside;
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{SchemaIds, Topic};

use super::finding::{Finding, ago};
use crate::commands::{BROKER_PATIENCE, counted};
use crate::config::Settings;

/// Clocks may differ by this; also by how much a report may be ahead of its Kafka timestamp, ms.
const MOST_AHEAD_MS: i64 = 60_000;
/// Reports come every 10 s; without one for so long nobody sends any, ms.
const SILENT_MS: i64 = 300_000;
/// What was set aside within this time is worth a look, ms.
const LATELY_MS: i64 = 86_400_000;

/// The newest report of a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Newest {
    node: String,
    event_ms: i64,
    kafka_ms: i64,
}

pub(super) fn check(settings: &Settings, kafka: &KafkaSettings, now: i64) -> Vec<Finding> {
    // A registry that is away is not waited for.
    let no_patience = Stop::default();
    no_patience.stop();
    let ids = settings.schema_ids(kafka, &no_patience);
    let reports = match newest_of(kafka, Topic::Load) {
        Ok(None) => judge_reports(None, now),
        Ok(Some(record)) => match report(&record, ids) {
            Ok(newest) => judge_reports(Some(&newest), now),
            Err(e) => Finding::warning("reports", format!("the newest cannot be read: {e:#}")),
        },
        Err(e) => Finding::warning("reports", format!("{e:#}")),
    };
    let letters = newest_of(kafka, Topic::DeadLetters).and_then(|newest| {
        let held = survey::records_held(kafka, &kafka.topic(Topic::DeadLetters))?;
        Ok(judge_letters(held, newest.as_ref(), now))
    });
    vec![reports, letters.unwrap_or_else(|e| Finding::warning("letters", format!("{e:#}")))]
}

/// The newest record of a topic by Kafka timestamp.
fn newest_of(kafka: &KafkaSettings, topic: Topic) -> anyhow::Result<Option<RawRecord>> {
    let mut tail = Tail::topic(kafka, &kafka.topic(topic), From::Last(1))?;
    let mut newest: Option<RawRecord> = None;
    while let Some(record) = tail.next_before_end(BROKER_PATIENCE)? {
        if newest.as_ref().is_none_or(|newest| newest.timestamp <= record.timestamp) {
            newest = Some(record);
        }
    }
    Ok(newest)
}

fn report(record: &RawRecord, ids: Arc<dyn SchemaIds>) -> anyhow::Result<Newest> {
    let value = record.value.as_deref().unwrap_or_default();
    let report: LoadReport = Decoder::new(ids).decode(value)?;
    Ok(Newest {
        node: report.node_id,
        event_ms: report.timestamp,
        kafka_ms: record.timestamp.unwrap_or(report.timestamp),
    })
}

fn judge_reports(newest: Option<&Newest>, now: i64) -> Finding {
    let Some(Newest { node, event_ms, kafka_ms }) = newest else {
        return Finding::warning("reports", "there are none yet").advise("tidegate edge --node-id NAME on each node");
    };
    if kafka_ms - now > MOST_AHEAD_MS {
        let said = format!("the newest, of {node}, stands {} ahead of this machine's clock", ago(kafka_ms - now));
        return Finding::wrong("clock", said).advise("keep the clocks of all machines by NTP");
    }
    if event_ms - kafka_ms > MOST_AHEAD_MS {
        let said = format!("{node} is {} ahead of Kafka, so its reports are set aside", ago(event_ms - kafka_ms));
        return Finding::wrong("clock", said).advise("keep the clocks of all machines by NTP");
    }
    let said = format!("the newest, of {node}, came {} ago", ago(now - kafka_ms));
    if now - kafka_ms > SILENT_MS {
        return Finding::warning("reports", said).advise("look at the edges, and at the gateways that they report to");
    }
    Finding::ok("reports", said)
}

fn judge_letters(held: u64, newest: Option<&RawRecord>, now: i64) -> Finding {
    let Some(newest) = newest else { return Finding::ok("letters", "nothing was set aside") };
    let age = now - newest.timestamp.unwrap_or(now);
    let why = SetAside::read(&newest.headers).map_or_else(|| "a replay".to_owned(), |(why, _)| why.class);
    let said = format!("{} of what was set aside, the newest ({why}) {} ago", counted(held, "record"), ago(age));
    if age > LATELY_MS {
        Finding::ok("letters", said)
    } else {
        Finding::warning("letters", said).advise("tidegate dead-letters list")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_report_tells_of_clocks_and_silence() {
        let now = 1_000_000_000;
        let at = |kafka: i64, event: i64| Newest { node: "a".into(), event_ms: now + event, kafka_ms: now + kafka };
        let cases = [Some(at(-4_000, -5_000)), Some(at(90_000, 0)), Some(at(0, 90_000)), None];
        // An old event time is no fault: recordings are replayed.
        let cases = cases.into_iter().chain([Some(at(-400_000, -900_000)), Some(at(-1_000, -900_000_000))]);
        let said = cases.map(|newest| judge_reports(newest.as_ref(), now).to_string());
        insta::assert_snapshot!(said.collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn what_was_set_aside_lately_is_worth_a_look() {
        let now = 1_000_000_000;
        let text = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
        let letter = |age: i64| RawRecord { timestamp: Some(now - age), ..RawRecord::default() };
        let mut named = letter(5_000);
        named.headers = vec![
            text("error.class", "truncated"),
            text("error.message", "ends early"),
            text("error.stage", "forecast"),
            text("source.topic", "t.load"),
            text("source.partition", "0"),
            text("source.offset", "7"),
        ];
        let old = letter(90_000_000);
        let said =
            [judge_letters(0, None, now), judge_letters(12, Some(&named), now), judge_letters(1, Some(&old), now)];
        insta::assert_snapshot!(said.map(|found| found.to_string()).join("\n"));
    }
}
