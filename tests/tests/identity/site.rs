//! A pipeline under a prefix of its own whose outputs can be made again from the same load topic.

use std::ops::Deref;

use tidegate_schemas::Topic;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::{self, Counter};
use tidegate_tests::groups::{Position, Progress};
use tidegate_tests::pipeline::Pipeline;
pub(crate) use tidegate_tests::process::PATIENCE;
use tidegate_tests::process::wait_until;
use tidegate_tests::removal;

/// A pipeline, with what is needed to make its outputs again.
#[derive(Debug)]
pub(crate) struct Site<'a> {
    broker: &'a TestBroker,
    pipeline: Pipeline,
}

impl Deref for Site<'_> {
    type Target = Pipeline;

    fn deref(&self) -> &Pipeline {
        &self.pipeline
    }
}

impl<'a> Site<'a> {
    /// Topics under `name.`
    pub(crate) fn new(broker: &'a TestBroker, name: &str) -> Self {
        Self { broker, pipeline: Pipeline::new(broker, name) }
    }

    /// Records on a topic so far.
    pub(crate) fn counter(&self, topic: Topic) -> Counter {
        Counter::new(self.bootstrap(), &self.topic(topic)).unwrap()
    }

    /// How far a stage is with its input.
    pub(crate) fn positions(&self, stage: &str) -> Vec<Position> {
        let input = if stage == "forecast" { Topic::Load } else { Topic::Forecasts };
        Progress::of(self.bootstrap(), &self.group(stage), &self.topic(input)).unwrap().positions().unwrap()
    }

    /// Whether everything is answered and committed: forecasts first, for they are the input of the quotas.
    pub(crate) fn is_done(&self) -> bool {
        ["forecast", "quota"].iter().all(|stage| {
            let positions = self.positions(stage);
            for p in &positions {
                assert!(p.committed.unwrap_or(0) <= p.end, "{stage} committed more than there is: {p:?}");
            }
            positions.iter().all(|p| p.committed == Some(p.end) || p.end == 0)
        })
    }

    /// Waits until each of `members` processes has one of the three partitions, in both groups.
    pub(crate) fn wait_until_shared(&self, members: usize) {
        let shared = |stage| self.shares(stage) == vec![1; members];
        let done = wait_until(PATIENCE, || shared("forecast") && shared("quota"));
        done.unwrap_or_else(|e| panic!("{e}: {:?}, {:?}", self.shares("forecast"), self.shares("quota")));
    }

    /// Takes the outputs and the groups away, makes the topics anew, and waits until they can be read.
    pub(crate) fn reset(&self) {
        let all = [Topic::Forecasts, Topic::Quotas, Topic::Checkpoints, Topic::DeadLetters];
        let outputs = all.map(|topic| self.topic(topic));
        removal::delete_topics(self.bootstrap(), &outputs.each_ref().map(String::as_str)).unwrap();
        let stages = ["forecast", "quota"].map(|stage| self.group(stage));
        removal::delete_groups(self.bootstrap(), &stages.each_ref().map(String::as_str)).unwrap();
        self.broker.provision(self.prefix());
        let is_empty =
            |topic: &String| client::read_all(self.bootstrap(), topic).is_ok_and(|records| records.is_empty());
        wait_until(PATIENCE, || outputs.iter().all(is_empty)).unwrap();
    }
}
