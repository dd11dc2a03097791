//! Whether the stages and sinks keep up: who is in each group, what waits for it, and for how long.

use tidegate_broker::KafkaSettings;
use tidegate_broker::survey::GroupLook;
use tidegate_schemas::Topic;

use super::finding::{Finding, ago};
use super::topics::Ours;
use crate::commands::counted;
use crate::config::Settings;
use crate::event_time;
use crate::pipeline::Work;

const CHECK: &str = "lag";
/// What waits longer than this, by Kafka timestamps, is said, ms.
const LONG_MS: i64 = 60_000;

pub(super) fn check(settings: &Settings, kafka: &KafkaSettings, topics: &Ours) -> Vec<Finding> {
    let works = [
        (Work::Forecast, Topic::Load, true),
        (Work::Quota, Topic::Forecasts, true),
        (Work::Alerts, Topic::Forecasts, false),
        (Work::Deliver, Topic::Quotas, settings.deliver.has_target()),
        (Work::Export, Topic::Spans, settings.export.otlp.is_some()),
    ];
    let look = |(work, topic, is_needed): (Work, Topic, bool)| {
        let name = kafka.topic(topic);
        let led = topics.get(&topic)?.led();
        match GroupLook::at(kafka, work.name(), &name, &led) {
            Ok(look) => judge(work.name(), &name, is_needed, &look, event_time::wall_clock()),
            Err(e) => Some(Finding::warning(CHECK, format!("{}: {e}", work.name()))),
        }
    };
    works.into_iter().filter_map(look).collect()
}

/// `None` where there is nothing to say: a sink that nobody asked for and nobody ever ran.
fn judge(work: &str, topic: &str, is_needed: bool, look: &GroupLook, now: i64) -> Option<Finding> {
    let members = look.members.map_or_else(|| "members unknown".to_owned(), |n| counted(n as u64, "member"));
    let start = format!("tidegate run {work}, with the settings of the others");
    if !look.has_committed && look.members.unwrap_or(0) == 0 && !is_needed {
        return None;
    }
    let Some(first) = &look.first else {
        let said = format!("{work}: nothing waits, {members}");
        let is_idle = look.members == Some(0) && is_needed;
        return Some(if is_idle { Finding::warning(CHECK, said).advise(start) } else { Finding::ok(CHECK, said) });
    };
    let waited = first.timestamp.map_or(0, |at| now.saturating_sub(at));
    let records = counted(look.lag, "record");
    let said = format!("{work}: {records} of {topic} not taken yet, the first for {}, {members}", ago(waited));
    Some(match look.members {
        Some(0) if is_needed => Finding::wrong(CHECK, said).advise(start),
        Some(0) => Finding::warning(CHECK, said).advise(start),
        _ if waited > LONG_MS => Finding::warning(CHECK, said)
            .advise("it restores its state, or cannot keep up: see /metrics of that process, or start one more"),
        _ => Finding::ok(CHECK, said),
    })
}

#[cfg(test)]
mod tests {
    use tidegate_broker::RawRecord;

    use super::*;

    #[test]
    fn a_group_is_judged_by_who_is_there_and_how_long_records_wait() {
        let now = 10_000_000;
        let look = |members: Option<usize>, has_committed: bool, waits_ms: Option<i64>| {
            let first = waits_ms.map(|ms| RawRecord { timestamp: Some(now - ms), ..RawRecord::default() });
            GroupLook { members, has_committed, lag: waits_ms.map_or(0, |_| 7), first }
        };
        let cases = [
            (true, look(Some(2), true, None)),
            (true, look(Some(2), true, Some(900))),
            (true, look(Some(2), true, Some(600_000))),
            (true, look(Some(0), true, Some(900))),
            (true, look(Some(0), false, None)),
            (true, look(None, true, Some(900))),
            (false, look(Some(0), true, Some(900))),
            (false, look(Some(0), false, Some(900))),
        ];
        let said = |(is_needed, look): &(bool, GroupLook)| {
            judge("quota", "t.forecasts", *is_needed, look, now).map_or("nothing".to_owned(), |found| found.to_string())
        };
        insta::assert_snapshot!(cases.iter().map(said).collect::<Vec<_>>().join("\n"));
    }
}
