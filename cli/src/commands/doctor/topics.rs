//! Whether the topics of the catalogue are there, as stages need them, and with leaders.

use std::collections::BTreeMap;

use tidegate_broker::KafkaSettings;
use tidegate_broker::provisioning::same_policy;
use tidegate_broker::survey::{Cluster, Found, read_policies};
use tidegate_schemas::Topic;

use super::finding::Finding;

const CHECK: &str = "topics";
/// Decisions of a node stay in one place only where these have equal numbers of partitions; state comes back only where the next do.
const EQUAL: [&[Topic]; 2] = [&[Topic::Forecasts, Topic::Quotas, Topic::Alerts], &[Topic::Load, Topic::Checkpoints]];

/// Topics of ours that are there, by what they are.
pub(super) type Ours = BTreeMap<Topic, Found>;

/// What was found, and the topics that are there.
pub(super) fn check(kafka: &KafkaSettings, mut cluster: Cluster, keeps_checkpoints: bool) -> (Vec<Finding>, Ours) {
    let names = Topic::ALL.map(|topic| kafka.topic(topic));
    cluster.topics.retain(|name, _| names.contains(name));
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build()
        && let Err(e) = runtime.block_on(read_policies(kafka, &mut cluster.topics))
    {
        // The policies stay unknown, and that is said.
        tracing::debug!("{e}");
    }
    let ours = Topic::ALL.iter().filter_map(|topic| Some((*topic, cluster.topics.remove(&kafka.topic(*topic))?)));
    let ours: Ours = ours.collect();
    (judge(&kafka.prefix, &ours, keeps_checkpoints), ours)
}

fn judge(prefix: &str, topics: &Ours, keeps_checkpoints: bool) -> Vec<Finding> {
    let mut found = Vec::new();
    let missing: Vec<String> = Topic::ALL.iter().filter(|t| !topics.contains_key(t)).map(|t| t.name(prefix)).collect();
    if !missing.is_empty() {
        let said = format!("missing: {}", missing.join(", "));
        found.push(Finding::wrong(CHECK, said).advise("tidegate topics apply, or another --prefix"));
    }
    for (topic, about) in topics {
        found.extend(judge_one(prefix, *topic, about));
    }
    let wanted_equal = EQUAL.iter().take(if keeps_checkpoints { 2 } else { 1 });
    found.extend(wanted_equal.filter_map(|equal| unequal(prefix, equal, topics)));
    if found.is_empty() {
        let partitions = topics.get(&Topic::Load).map_or(0, |topic| topic.partitions);
        let policies = if topics.values().any(|topic| topic.cleanup.is_none()) {
            "; cleanup policies are not told here"
        } else {
            ""
        };
        let all = Topic::ALL.len();
        found.push(Finding::ok(CHECK, format!("all {all} there, {partitions} partitions of load{policies}")));
    }
    found
}

fn unequal(prefix: &str, equal: &[Topic], topics: &Ours) -> Option<Finding> {
    let counts: Vec<(Topic, i32)> = equal.iter().filter_map(|t| Some((*t, topics.get(t)?.partitions))).collect();
    let most = counts.iter().map(|(_, count)| *count).max()?;
    if counts.iter().all(|(_, count)| *count == most) {
        return None;
    }
    let each: Vec<String> = counts.iter().map(|(topic, count)| format!("{} has {count}", topic.name(prefix))).collect();
    let said = format!("numbers of partitions must be equal, and {}", each.join(", "));
    let advice = match counts.iter().find(|(topic, count)| *topic == Topic::Checkpoints && *count < most) {
        Some((topic, _)) => format!("kafka-topics.sh --alter --topic {} --partitions {most}", topic.name(prefix)),
        None => "begin anew under another --prefix: nodes move where partitions are added".to_owned(),
    };
    Some(Finding::wrong(CHECK, said).advise(advice))
}

fn judge_one(prefix: &str, which: Topic, topic: &Found) -> Vec<Finding> {
    let (mut found, name) = (Vec::new(), which.name(prefix));
    if !topic.leaderless.is_empty() {
        let leaderless = topic.leaderless.len();
        let said =
            format!("{name}: {leaderless} of {} partitions have no leader, and are not looked at", topic.partitions);
        found.push(Finding::wrong(CHECK, said).advise("look for brokers that are down"));
    } else if topic.out_of_sync > 0 {
        let said = format!("{name}: {} of {} partitions lack replicas in sync", topic.out_of_sync, topic.partitions);
        found.push(Finding::warning(CHECK, said).advise("look for brokers that are down or behind"));
    }
    let wanted = which.cleanup().policy();
    if let Some(has) = topic.cleanup.as_ref().filter(|has| !same_policy(has, wanted)) {
        let said = format!("{name}: its cleanup.policy is {has}, and state is lost or grows unless it is {wanted}");
        found.push(Finding::wrong(CHECK, said).advise(format!(
            "kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config cleanup.policy=[{wanted}]"
        )));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Ours {
        let found = |topic: &Topic| {
            let cleanup = Some(topic.cleanup().policy().to_owned());
            (*topic, Found { partitions: 6, replication_factor: 3, cleanup, ..Found::default() })
        };
        Topic::ALL.iter().map(found).collect()
    }

    /// What is said once topics were changed, a finding a line.
    fn said(change: impl FnOnce(&mut Ours)) -> String {
        let mut topics = all();
        change(&mut topics);
        judge("t.", &topics, true).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_wrong_with_topics_is_said_with_what_to_do() {
        let mut shown = vec![said(|_| ())];
        shown.push(said(|topics| topics.values_mut().for_each(|topic| topic.cleanup = None)));
        shown.push(said(|topics| topics.retain(|topic, _| *topic != Topic::Load && *topic != Topic::Quotas)));
        shown.push(said(|topics| topics.get_mut(&Topic::Quotas).unwrap().partitions = 3));
        shown.push(said(|topics| topics.get_mut(&Topic::Load).unwrap().partitions = 12));
        shown.push(said(|topics| topics.get_mut(&Topic::Quotas).unwrap().cleanup = Some("delete".into())));
        shown.push(said(|topics| topics.get_mut(&Topic::Load).unwrap().leaderless = vec![0, 4]));
        shown.push(said(|topics| topics.get_mut(&Topic::Load).unwrap().out_of_sync = 1));
        insta::assert_snapshot!(shown.join("\n"));
    }
}
