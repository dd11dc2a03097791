//! The evidence on the topics of a broker: read from their ends backwards, no further than the question needs.
//!
//! ```text
//! load: the node's newest report ─► its pool ─► the partition of its forecasts and quotas
//! quotas: back to the command ─► forecasts: back to its forecast
//! command's cause ─► load: back from that report until all that the decision depends on is there
//! alerts: whole, of the same partition
//! ```

use tidegate_broker::{BrokerError, KafkaSettings, PartitionReader, RawRecord};
use tidegate_explain::{Evidence, Search, Wanted, reach};
use tidegate_forecast::REACH_MS;
use tidegate_schemas::Topic;
use tidegate_schemas::partition::partition_of;
use tidegate_schemas::records::Cause;

use crate::commands::{BROKER_PATIENCE, tell};
use crate::{event_time, progress};

/// A node whose older records of a day are gone was new then: nothing before them is looked for.
const DAY_MS: i64 = 24 * 3_600_000;

/// Reads what explains the wanted decision.
pub(super) fn read(kafka: &KafkaSettings, node: &str, wanted: Wanted, evidence: &mut Evidence) -> anyhow::Result<()> {
    let load = kafka.topic(Topic::Load);
    let at = partition_of(node.as_bytes(), kafka.partition_count(&load, BROKER_PATIENCE)?);
    back(kafka, Topic::Load, at, None, evidence, |evidence, _| evidence.pool().is_some())?;
    let pool = evidence.pool().filter(|pool| !pool.is_empty()).unwrap_or(node);
    let partitions = kafka.partition_count(&kafka.topic(Topic::Quotas), BROKER_PATIENCE)?;
    let of_outputs = partition_of(pool.as_bytes(), partitions);
    back(kafka, Topic::Quotas, of_outputs, None, evidence, |evidence, _| evidence.has_command_and_before(wanted))?;
    if !evidence.has_command(wanted) {
        // The node was in another pool then.
        for other in (0..partitions).filter(|other| *other != of_outputs) {
            back(kafka, Topic::Quotas, other, None, evidence, |evidence, _| evidence.has_command_and_before(wanted))?;
        }
    }
    whole(kafka, Topic::Controls, 0, evidence)?;
    let Some((cause, timestamp, sequence, partition)) = evidence.cause(wanted) else { return Ok(()) };
    let partition = partition.unwrap_or(of_outputs);
    whole(kafka, Topic::Alerts, partition, evidence)?;
    back(kafka, Topic::Forecasts, partition, None, evidence, |evidence, _| evidence.has_forecast(sequence))?;
    let since = timestamp.saturating_sub(REACH_MS);
    tell_what_is_gone(kafka, &cause, since, evidence)?;
    back(kafka, Topic::Load, cause.partition, Some(cause.offset), evidence, |evidence, oldest| {
        evidence.has_report_before(since) || oldest.is_some_and(|at| at < since.saturating_sub(DAY_MS))
    })
}

/// Looks for an alert: in the newest records first.
pub(super) fn find(kafka: &KafkaSettings, search: &mut Search) -> anyhow::Result<()> {
    let name = kafka.topic(Topic::Alerts);
    for partition in 0..kafka.partition_count(&name, BROKER_PATIENCE)? {
        if search.is_found() {
            break;
        }
        stretches(kafka, &name, partition, None, |records| {
            records.iter().try_for_each(|record| search.take(record))?;
            Ok(search.is_found())
        })?;
    }
    Ok(())
}

/// Reads a partition whole; where the topic is missing, nobody can have said anything.
fn whole(kafka: &KafkaSettings, topic: Topic, partition: i32, evidence: &mut Evidence) -> anyhow::Result<()> {
    match kafka.partition_count(&kafka.topic(topic), BROKER_PATIENCE) {
        Ok(count) if partition < count => back(kafka, topic, partition, None, evidence, |_, _| false),
        Ok(_) | Err(BrokerError::MissingTopic(_)) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Says what cannot be read any more before all that is left is read: that takes a while where records come in small batches.
fn tell_what_is_gone(kafka: &KafkaSettings, cause: &Cause, since: i64, evidence: &mut Evidence) -> anyhow::Result<()> {
    let name = kafka.topic(Topic::Load);
    let mut reader = PartitionReader::open(kafka, &name, cause.partition, Some(cause.offset))?;
    let Some(oldest) = reader.oldest()?.filter(|oldest| oldest.offset > 0) else { return Ok(()) };
    let Some(begins) = evidence.report_time(&oldest)?.filter(|begins| *begins >= since) else { return Ok(()) };
    tell(format!(
        "{name}/{} begins with {}, inside the {} of reports that the decision depends on; explained from what is left",
        cause.partition,
        event_time::show(begins),
        reach()
    ));
    Ok(())
}

/// Reads a partition backwards until `enough`, which is told the event time of the oldest report read, says so.
fn back(
    kafka: &KafkaSettings,
    topic: Topic,
    partition: i32,
    last: Option<i64>,
    evidence: &mut Evidence,
    enough: impl Fn(&Evidence, Option<i64>) -> bool,
) -> anyhow::Result<()> {
    let name = kafka.topic(topic);
    stretches(kafka, &name, partition, last, |records| {
        records.into_iter().try_for_each(|record| evidence.take(record))?;
        Ok(enough(evidence, evidence.oldest(&name, partition)))
    })
}

/// Gives a partition to `take`, stretch by stretch from its end backwards, until that says that it is enough.
fn stretches(
    kafka: &KafkaSettings,
    name: &str,
    partition: i32,
    last: Option<i64>,
    mut take: impl FnMut(Vec<RawRecord>) -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let bar = progress::bar(0, &format!("{{elapsed_precise}} reading {name}/{partition}: {{pos}} records"));
    let mut reader = PartitionReader::open(kafka, name, partition, last)?;
    while let Some(records) = reader.back()? {
        bar.inc(records.len() as u64);
        if take(records)? {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(())
}
