//! Topics: what the catalogue wants compared with what is there. Creates what is missing, names what differs, never
//! deletes or changes.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use serde::Serialize;
use tidegate_schemas::Topic;
use tidegate_schemas::catalogue::PartitionBy;

use crate::error::BrokerError;
use crate::logging::QuietContext;
use crate::settings::{KafkaSettings, create};
use crate::survey::{self, Cluster, Found, NO_ADMINISTRATION};

const ASK: Duration = Duration::from_secs(15);
/// Settings of topics that are read whole when a partition is taken over: compaction leaves the newest segment alone, so that
/// it must be small to be of use; and what a commit counts on stands for ten minutes before it gives way to what came after
/// that commit.
const SAVED: [(&str, &str); 4] = [
    ("segment.bytes", "67108864"),
    ("segment.ms", "3600000"),
    ("min.cleanable.dirty.ratio", "0.3"),
    ("min.compaction.lag.ms", "600000"),
];

fn saved(topic: Topic) -> &'static [(&'static str, &'static str)] {
    match topic {
        Topic::Quotas => &SAVED[..3],
        Topic::Checkpoints => &SAVED,
        _ => &[],
    }
}

/// What is wanted of the topics.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// Partitions of every topic that may have more than one.
    pub partitions: i32,
    /// Replicas; `None`: the broker's default.
    pub replication_factor: Option<i32>,
}

/// What is to be done for one topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Step {
    /// It is as wanted.
    Present {
        /// Full name.
        topic: String,
    },
    /// It is missing and will be created.
    Missing {
        /// Full name.
        topic: String,
        /// Partitions it will have.
        partitions: i32,
        /// `cleanup.policy` it will have.
        cleanup: String,
    },
    /// It is there and differs; it stays as it is.
    Differs {
        /// Full name.
        topic: String,
        /// Each difference in words.
        differences: Vec<String>,
    },
}

impl Step {
    /// The topic concerned.
    #[must_use]
    pub fn topic(&self) -> &str {
        match self {
            Self::Present { topic } | Self::Missing { topic, .. } | Self::Differs { topic, .. } => topic,
        }
    }
}

/// Compares what is wanted with what was found: pure, in the order of the catalogue.
#[must_use]
pub fn compare(prefix: &str, wanted: Wanted, found: &BTreeMap<String, Found>) -> Vec<Step> {
    let step = |topic: Topic| {
        let name = topic.name(prefix);
        let partitions = if topic.partition_by() == PartitionBy::Single { 1 } else { wanted.partitions };
        let cleanup = topic.cleanup().policy();
        let Some(has) = found.get(&name) else {
            return Step::Missing { topic: name, partitions, cleanup: cleanup.into() };
        };
        let mut differences = Vec::new();
        if has.partitions != partitions {
            differences.push(format!("it has {} partitions, wanted are {partitions}", has.partitions));
        }
        if let Some(factor) = wanted.replication_factor.filter(|f| *f != has.replication_factor) {
            differences.push(format!("it has {} replicas, wanted are {factor}", has.replication_factor));
        }
        if let Some(policy) = has.cleanup.as_deref().filter(|p| !same_policy(p, cleanup)) {
            differences.push(format!("its cleanup.policy is {policy:?}, wanted is {cleanup:?}"));
        }
        if differences.is_empty() { Step::Present { topic: name } } else { Step::Differs { topic: name, differences } }
    };
    Topic::ALL.into_iter().map(step).collect()
}

/// Whether two values of `cleanup.policy` say the same.
#[must_use]
pub fn same_policy(a: &str, b: &str) -> bool {
    let parts = |s: &str| s.split(',').map(|p| p.trim().to_owned()).collect::<std::collections::BTreeSet<_>>();
    parts(a) == parts(b)
}

/// Looks at the broker and says what is to be done.
///
/// # Errors
/// [`BrokerError::Unreachable`]; [`BrokerError::Embedded`] on the embedded broker, which has no administration.
pub async fn plan(settings: &KafkaSettings, wanted: Wanted) -> Result<Vec<Step>, BrokerError> {
    must_be_real(settings)?;
    let names: Vec<String> = Topic::ALL.iter().map(|t| settings.topic(*t)).collect();
    let mut found = Cluster::ask(settings)?.topics;
    found.retain(|name, _| names.contains(name));
    survey::read_policies(settings, &mut found).await?;
    Ok(compare(&settings.prefix, wanted, &found))
}

/// Creates what is missing and gives the plan that it carried out.
///
/// # Errors
/// As [`plan`]; [`BrokerError::Refused`] where the broker does not create a topic.
pub async fn apply(settings: &KafkaSettings, wanted: Wanted) -> Result<Vec<Step>, BrokerError> {
    let steps = plan(settings, wanted).await?;
    let missing: Vec<NewTopic<'_>> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Missing { topic, partitions, cleanup } => {
                let replication = TopicReplication::Fixed(wanted.replication_factor.unwrap_or(-1));
                let new = NewTopic::new(topic, *partitions, replication).set("cleanup.policy", cleanup);
                let extra = Topic::from_name(topic, &settings.prefix).map_or(&[][..], saved);
                Some(extra.iter().fold(new, |new, (key, value)| new.set(key, value)))
            }
            _ => None,
        })
        .collect();
    if missing.is_empty() {
        return Ok(steps);
    }
    let options = AdminOptions::new().operation_timeout(Some(ASK)).request_timeout(Some(ASK));
    let admin = admin(settings)?;
    let created = admin.create_topics(&missing, &options).await;
    for result in created.map_err(|e| BrokerError::kafka(format!("creating topics ({NO_ADMINISTRATION})"), e))? {
        if let Err((topic, code)) = result {
            // Somebody else was quicker: that is as wanted.
            if code != rdkafka::error::RDKafkaErrorCode::TopicAlreadyExists {
                return Err(BrokerError::Refused { what: format!("creating {topic}"), message: code.to_string() });
            }
        }
    }
    wait_for_leaders(&admin, settings, &steps)?;
    Ok(steps)
}

/// Waits until every partition has a leader, so that the topics can be used at once.
fn wait_for_leaders(
    admin: &AdminClient<QuietContext>,
    settings: &KafkaSettings,
    steps: &[Step],
) -> Result<(), BrokerError> {
    let until = Instant::now() + ASK;
    loop {
        let metadata = admin.inner().fetch_metadata(None, ASK).map_err(|e| settings.unreachable(&e))?;
        let led = |name: &str| {
            let topic = metadata.topics().iter().find(|t| t.name() == name);
            topic.is_some_and(|t| !t.partitions().is_empty() && t.partitions().iter().all(|p| p.leader() >= 0))
        };
        let Some(waiting) = steps.iter().map(Step::topic).find(|name| !led(name)) else { return Ok(()) };
        if Instant::now() > until {
            let message = format!("{waiting} has no leader {} s after it was created", ASK.as_secs());
            return Err(BrokerError::Unreachable { brokers: settings.brokers.clone(), message });
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Refuses the embedded broker before anything is asked.
fn must_be_real(settings: &KafkaSettings) -> Result<(), BrokerError> {
    if settings.embedded { Err(BrokerError::Embedded("topic administration")) } else { Ok(()) }
}

fn admin(settings: &KafkaSettings) -> Result<AdminClient<QuietContext>, BrokerError> {
    must_be_real(settings)?;
    create(&settings.client(), QuietContext::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_topics_are_created_and_differing_ones_named() {
        let wanted = Wanted { partitions: 6, replication_factor: Some(1) };
        let found = |partitions, cleanup: &str| Found {
            partitions,
            replication_factor: 1,
            cleanup: Some(cleanup.into()),
            ..Found::default()
        };
        let has = BTreeMap::from([
            ("t.load".to_owned(), found(6, "delete")),
            ("t.quotas".to_owned(), found(3, "delete")),
            ("t.alerts".to_owned(), found(6, "delete, compact")),
        ]);
        let steps = compare("t.", wanted, &has);
        assert_eq!(steps[0], Step::Present { topic: "t.load".into() });
        let Step::Differs { topic, differences } = &steps[3] else { panic!("{:?}", steps[3]) };
        assert_eq!((topic.as_str(), differences.len()), ("t.quotas", 2));
        assert_eq!(steps[5], Step::Missing { topic: "t.controls".into(), partitions: 1, cleanup: "compact".into() });
        assert_eq!(steps[6], Step::Present { topic: "t.alerts".into() });
    }
}
