//! Whether the topics of the catalogue are there, as stages need them, and with leaders.

use std::collections::BTreeMap;

use tidegate_broker::KafkaSettings;
use tidegate_broker::provisioning::same_policy;
use tidegate_broker::survey::{Cluster, Found, cleanup_policies};
use tidegate_schemas::Topic;

use super::finding::Finding;

const CHECK: &str = "topics";
/// These keep a node's records in one place only where they have equal numbers of partitions.
const EQUAL: [Topic; 3] = [Topic::Forecasts, Topic::Quotas, Topic::Alerts];

/// What was found, and whether all topics are there.
pub(super) fn check(kafka: &KafkaSettings, cluster: Cluster) -> (Vec<Finding>, bool) {
    let mut topics = cluster.topics;
    topics.retain(|name, _| Topic::from_name(name, &kafka.prefix).is_some());
    let names: Vec<String> = topics.keys().cloned().collect();
    // Where brokers do not tell, as the demo's, the policies stay unknown.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let policies = runtime.ok().and_then(|runtime| runtime.block_on(cleanup_policies(kafka, &names)).ok());
    for (name, policy) in policies.into_iter().flatten() {
        if let Some(found) = topics.get_mut(&name) {
            found.cleanup = Some(policy);
        }
    }
    (judge(&kafka.prefix, &topics), topics.len() == Topic::ALL.len())
}

fn judge(prefix: &str, topics: &BTreeMap<String, Found>) -> Vec<Finding> {
    let mut found = Vec::new();
    let missing: Vec<String> =
        Topic::ALL.iter().map(|t| t.name(prefix)).filter(|name| !topics.contains_key(name)).collect();
    if !missing.is_empty() {
        let said = format!("missing: {}", missing.join(", "));
        found.push(Finding::wrong(CHECK, said).advise("tidegate topics apply, or another --prefix"));
    }
    for (name, topic) in topics {
        found.extend(judge_one(prefix, name, topic));
    }
    let counts: Vec<(String, i32)> = EQUAL
        .iter()
        .map(|t| t.name(prefix))
        .filter_map(|name| Some((name.clone(), topics.get(&name)?.partitions)))
        .collect();
    if counts.iter().any(|(_, count)| *count != counts[0].1) {
        let each: Vec<String> = counts.iter().map(|(name, count)| format!("{name} has {count}")).collect();
        let said = format!("numbers of partitions must be equal, and {}", each.join(", "));
        found.push(
            Finding::wrong(CHECK, said).advise("begin anew under another --prefix; partitions cannot be taken away"),
        );
    }
    if found.is_empty() {
        let partitions = topics.get(&Topic::Load.name(prefix)).map_or(0, |topic| topic.partitions);
        found.push(Finding::ok(CHECK, format!("all {} there, {partitions} partitions of load", Topic::ALL.len())));
    }
    found
}

fn judge_one(prefix: &str, name: &str, topic: &Found) -> Vec<Finding> {
    let mut found = Vec::new();
    if topic.leaderless > 0 {
        let said = format!("{name}: {} of {} partitions have no leader", topic.leaderless, topic.partitions);
        found.push(Finding::wrong(CHECK, said).advise("look for brokers that are down"));
    } else if topic.out_of_sync > 0 {
        let said = format!("{name}: {} of {} partitions lack replicas in sync", topic.out_of_sync, topic.partitions);
        found.push(Finding::warning(CHECK, said).advise("look for brokers that are down or behind"));
    }
    let wanted = Topic::from_name(name, prefix).map(|topic| topic.cleanup().policy());
    if let (Some(has), Some(wanted)) = (&topic.cleanup, wanted)
        && !same_policy(has, wanted)
    {
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

    fn all() -> BTreeMap<String, Found> {
        let found = |topic: &Topic| {
            let cleanup = Some(topic.cleanup().policy().to_owned());
            (topic.name("t."), Found { partitions: 6, replication_factor: 3, cleanup, ..Found::default() })
        };
        Topic::ALL.iter().map(found).collect()
    }

    /// What is said once a topic was changed, a finding a line.
    fn said(change: impl FnOnce(&mut BTreeMap<String, Found>)) -> String {
        let mut topics = all();
        change(&mut topics);
        judge("t.", &topics).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_wrong_with_topics_is_said_with_what_to_do() {
        let mut shown = vec![said(|_| ())];
        shown.push(said(|topics| topics.retain(|name, _| name != "t.load" && name != "t.quotas")));
        shown.push(said(|topics| topics.get_mut("t.quotas").unwrap().partitions = 3));
        shown.push(said(|topics| topics.get_mut("t.quotas").unwrap().cleanup = Some("delete".into())));
        shown.push(said(|topics| topics.get_mut("t.load").unwrap().leaderless = 2));
        shown.push(said(|topics| topics.get_mut("t.load").unwrap().out_of_sync = 1));
        insta::assert_snapshot!(shown.join("\n"));
    }
}
