//! `tidegate topics plan` and `apply`: creates what is missing, names what differs, deletes and changes nothing.

use tidegate_schemas::Topic;
use tidegate_tests::binary;
use tidegate_tests::client::{self, topic_setting};
use tidegate_tests::kafka;

use crate::fixture::PATIENCE;

fn topics(bootstrap: &str, prefix: &str, verb: &str, partitions: &str) -> binary::Finished {
    let flags = ["--partitions", partitions, "--replication-factor", "1", "--brokers", bootstrap, "--prefix", prefix];
    binary::run(&[&["topics", verb], &flags[..]].concat(), PATIENCE)
}

#[test]
fn apply_creates_every_topic_with_its_cleanup_policy() {
    let Some(kafka) = kafka::shared() else { return };
    let applied = topics(kafka.bootstrap(), "topics-all.", "apply", "3").expect_success();
    for topic in Topic::ALL {
        let name = topic.name("topics-all.");
        assert!(applied.stdout.contains(&name), "{name} is not named in:\n{}", applied.stdout);
        let policy = topic_setting(kafka.bootstrap(), &name, "cleanup.policy").unwrap().unwrap();
        let mut parts: Vec<&str> = policy.split(',').collect();
        parts.sort_unstable();
        assert_eq!(parts.join(","), topic.cleanup().policy(), "{name}");
    }
    let mut wanted: Vec<_> =
        Topic::ALL.map(|t| (t.name("topics-all."), if t == Topic::Controls { 1 } else { 3 })).into();
    wanted.sort();
    assert_eq!(client::topics(kafka.bootstrap(), "topics-all.").unwrap(), wanted);
}

#[test]
fn plan_creates_nothing_and_a_second_apply_changes_nothing() {
    let Some(kafka) = kafka::shared() else { return };
    let prefix = "topics-twice.";
    let _planned = topics(kafka.bootstrap(), prefix, "plan", "2").expect_success();
    assert_eq!(client::topics(kafka.bootstrap(), prefix).unwrap(), []);

    let first = topics(kafka.bootstrap(), prefix, "apply", "2").expect_success();
    let after_first = client::topics(kafka.bootstrap(), prefix).unwrap();
    assert_eq!(after_first.len(), Topic::ALL.len());
    let second = topics(kafka.bootstrap(), prefix, "apply", "2").expect_success();
    assert_eq!(client::topics(kafka.bootstrap(), prefix).unwrap(), after_first);
    assert_ne!(first.stdout, second.stdout, "the second says that nothing was to be done");
}

#[test]
fn a_topic_that_differs_is_named_and_left_as_it_is() {
    let Some(kafka) = kafka::shared() else { return };
    let (prefix, bootstrap) = ("topics-differ.", kafka.bootstrap());
    client::create_topic(bootstrap, "topics-differ.quotas", 2, &[("cleanup.policy", "delete")]).unwrap();
    client::create_topic(bootstrap, "topics-differ.load", 5, &[]).unwrap();
    let applied = topics(bootstrap, prefix, "apply", "2");
    let said = format!("{}{}", applied.stdout, applied.stderr);
    let line_of = |topic: &str| {
        let about = said.split("topics-differ.").find(|part| part.starts_with(topic));
        about.unwrap_or_else(|| panic!("{topic} is not named in:\n{said}")).to_owned()
    };
    assert!(line_of("quotas").contains("compact"), "{said}");
    assert!(line_of("load").contains('5') && line_of("load").contains('2'), "{said}");
    assert_eq!(topic_setting(bootstrap, "topics-differ.quotas", "cleanup.policy").unwrap().unwrap(), "delete");
    let there = client::topics(bootstrap, prefix).unwrap();
    assert!(there.contains(&("topics-differ.load".into(), 5)));
    assert_eq!(there.len(), Topic::ALL.len(), "the missing ones were created all the same");
}
