//! A clock that jumps: seen by the Kafka timestamps of what the process publishes, or by its word that the clock was set back, or
//! that a part of it hangs. While the clock is ahead the client library may wait where it connects again, and then nothing is
//! published; under exactly-once it may wait where a transaction ends, until the process's watchdog ends that.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use tidegate_schemas::Topic;

use crate::client;
use crate::process::wait_until;

use super::super::kinds::CLOCKED;
use super::super::member::Member;
use super::super::schedule::Planned;
use super::super::site::{HIT, PARTITIONS, Site};
use super::{Effect, SHOWS};

/// How long what is published may take to show the jump.
const STAMPED: Duration = Duration::from_secs(10);
/// What a process says.
const SET_BACK: &str = "the clock was set back by";
pub(in super::super) const HANGS: &str = "hangs, it has not moved";
/// A watchdog waits for a minute.
const TOLD: Duration = Duration::from_secs(90);

/// Smallest jump, s; a broker refuses timestamps that are more than an hour ahead.
const SMALLEST_S: u64 = 600;
const LARGEST_S: u64 = 3_000;

/// Forward or back, and right again after a while.
pub(super) fn jump(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let clock = site.clock.as_ref().context("there is no clock to move")?;
    let size = i64::try_from(SMALLEST_S + fault.salt % (LARGEST_S - SMALLEST_S))?;
    let by = if fault.salt >> 32 & 1 == 0 { size } else { -size };
    let process = &site.processes[CLOCKED];
    let works = || process.pid().is_some_and(|pid| site.members("forecast").is_ok_and(|m| m.contains(&pid)));
    if wait_until(SHOWS, works).is_err() {
        return Ok(Effect::NotSeen(format!("{} had no partition", process.name())));
    }
    let probe = Probe::at_the_end(site)?;
    let told = |process: &Member| {
        [SET_BACK, HANGS].map(|said| process.whole_log().matches(said).count()).iter().sum::<usize>()
    };
    let before = told(process);
    clock.move_by(by)?;
    std::thread::sleep(fault.lasts);
    let stamped = probe.sees(by);
    clock.move_by(0)?;
    if stamped? {
        return Ok(Effect::Seen(format!("forecasts were stamped {by:+} s off")));
    }
    let said = wait_until(TOLD, || told(process) > before);
    Ok(Effect::when(said.is_ok(), format!("{by:+} s, and it said so"), "nobody noticed"))
}

/// Reads what is published from now on.
struct Probe(BaseConsumer);

impl Probe {
    fn at_the_end(site: &Site) -> anyhow::Result<Self> {
        let mut config = client::config(&site.cluster.bootstrap());
        config.set("group.id", "tests-probe").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create()?;
        let mut assignment = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            assignment.add_partition_offset(&Topic::Forecasts.name(HIT), partition, Offset::End)?;
        }
        consumer.assign(&assignment)?;
        Ok(Self(consumer))
    }

    /// Waits for a record of about this offset to our clock.
    fn sees(&self, by: i64) -> anyhow::Result<bool> {
        let started = Instant::now();
        while started.elapsed() < STAMPED {
            let Some(Ok(message)) = self.0.poll(Duration::from_millis(100)) else { continue };
            let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
            let off = message.timestamp().to_millis().unwrap_or(now) - now;
            // What waited in a queue is a few seconds old.
            if off.signum() == by.signum() && (off - by * 1000).abs() < 300_000 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
