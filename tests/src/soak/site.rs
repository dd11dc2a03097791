//! Three brokers and the pipeline's three processes. The outputs of the stages are on the first broker alone, their input on
//! the others, so that the outputs can be away while the input goes on.

use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use tidegate_schemas::Topic;

use crate::binary::{self, Running};
use crate::groups::Progress;
use crate::kafka::cluster::Cluster;
use crate::process::wait_until;
use crate::receiver::Receiver;
use crate::{client, groups};

/// Prefix of its topics.
pub(super) const PREFIX: &str = "soak.";
const PARTITIONS: i32 = 4;
/// Broker of the stages' outputs, by place; Kafka's number is one more.
pub(super) const OUTPUTS: usize = 0;
const JOIN_TIMEOUT: Duration = Duration::from_secs(240);
/// The pipeline's work, each in a process of its own.
pub(super) const WORK: [&str; 3] = ["forecast", "quota", "deliver"];

/// The running pipeline.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) cluster: Cluster,
    pub(super) webhook: Receiver,
    /// In the order of [`WORK`].
    pub(super) processes: Vec<Running>,
}

impl Site {
    pub(super) fn start() -> anyhow::Result<Self> {
        let cluster = Cluster::start(|_, port| Ok(port))?;
        create_topics(&cluster.bootstrap())?;
        let webhook = Receiver::start(0, 200)?;
        let start = |work: &&str| {
            let mut command = Command::new(binary::path());
            command.args(["run", work, "--brokers", &cluster.bootstrap(), "--prefix", PREFIX]);
            if *work == "deliver" {
                command.args(["--webhook", &webhook.url()]);
            }
            binary::start(command)
        };
        let processes = WORK.iter().map(start).collect::<anyhow::Result<Vec<_>>>()?;
        for (work, running) in WORK.iter().zip(&processes) {
            let group = format!("{PREFIX}{work}");
            let joined = || groups::shares(&cluster.bootstrap(), &group).is_ok_and(|s| s.iter().sum::<usize>() > 0);
            wait_until(JOIN_TIMEOUT, joined).with_context(|| format!("waiting for {group}:\n{}", running.stderr()))?;
        }
        Ok(Self { cluster, webhook, processes })
    }

    /// What each work is behind, to be asked again and again.
    pub(super) fn progress(&self) -> anyhow::Result<Vec<Progress>> {
        let inputs = [Topic::Load, Topic::Forecasts, Topic::Quotas].map(|topic| topic.name(PREFIX));
        let of = |(work, input): (&&str, &String)| {
            Progress::of(&self.cluster.bootstrap(), &format!("{PREFIX}{work}"), input)
        };
        WORK.iter().zip(&inputs).map(of).collect()
    }

    /// Fails where a process has ended.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for (work, running) in WORK.iter().zip(&self.processes) {
            anyhow::ensure!(running.is_running(), "{work} has ended:\n{}", running.stderr());
        }
        Ok(())
    }
}

fn create_topics(bootstrap: &str) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = client::config(bootstrap).create()?;
    for topic in Topic::ALL {
        let partitions = if topic == Topic::Controls { 1 } else { PARTITIONS };
        let outputs = matches!(topic, Topic::Forecasts | Topic::Quotas | Topic::Checkpoints);
        let brokers: Vec<[i32; 1]> = (0..partitions).map(|p| if outputs { [1] } else { [2 + p % 2] }).collect();
        let brokers: Vec<&[i32]> = brokers.iter().map(|broker| &broker[..]).collect();
        let name = topic.name(PREFIX);
        let new = NewTopic::new(&name, partitions, TopicReplication::Variable(&brokers));
        let new = new.set("cleanup.policy", topic.cleanup().policy()).set("min.insync.replicas", "1");
        for result in client::block_on(admin.create_topics([&new], &AdminOptions::new()))? {
            result.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
        }
    }
    Ok(())
}
