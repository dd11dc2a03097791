//! Throughput: how long a pipeline takes for what already stands on its input, and what CPU time that costs.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::pipelines::Running;
use crate::client::Counter;
use crate::kafka::Kafka;
use crate::process::cpu_seconds;

/// A pipeline that does not move for so long has failed.
const STALL: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What draining the input took, from the first record between the two processes to the last output.
#[derive(Debug, Clone)]
pub(super) struct Drain {
    /// Outputs, all of them in that time.
    pub(super) records: u64,
    /// Seconds from the first record between the two processes to the last output.
    pub(super) seconds: f64,
    /// Seconds from the start of the first process to the last output.
    pub(super) seconds_with_start: f64,
    /// CPU seconds of each process of the pipeline.
    pub(super) cpu: Vec<(&'static str, f64)>,
    /// CPU seconds of the broker.
    pub(super) broker_cpu: f64,
}

impl Drain {
    /// Outputs a second.
    #[must_use]
    pub(super) fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }

    /// CPU time in µs for each output, out of seconds.
    #[must_use]
    pub(super) fn micros_each(&self, seconds: f64) -> f64 {
        seconds * 1e6 / self.records as f64
    }

    /// CPU seconds of all processes of the pipeline.
    #[must_use]
    pub(super) fn cpu_of_all(&self) -> f64 {
        self.cpu.iter().map(|(_, seconds)| seconds).sum()
    }
}

/// Waits until the output topic holds `wanted` records. The first process has just been started.
pub(super) fn drain(kafka: &Kafka, running: &Running, wanted: u64) -> anyhow::Result<Drain> {
    let started = Instant::now();
    let (middle, output) = (counter(kafka, &running.middle)?, counter(kafka, &running.output)?);
    while middle.count()? == 0 {
        running.check()?;
        ensure!(started.elapsed() < STALL, "{} stays empty", running.middle);
        std::thread::sleep(LOOK_EVERY);
    }
    let begin = Moment::now(kafka, running)?;
    let mut last = (0, Instant::now());
    loop {
        let held = output.count()?;
        if held >= wanted {
            return Ok(between(started, wanted, &begin, &Moment::now(kafka, running)?));
        }
        if held > last.0 {
            last = (held, Instant::now());
        }
        running.check()?;
        ensure!(last.1.elapsed() < STALL, "{} stands at {held} of {wanted} records", running.output);
        std::thread::sleep(LOOK_EVERY);
    }
}

fn counter(kafka: &Kafka, topic: &str) -> anyhow::Result<Counter> {
    Counter::new(kafka.bootstrap(), topic)
}

/// A moment, and the CPU time spent by then.
struct Moment {
    at: Instant,
    cpu: Vec<(&'static str, f64)>,
    broker_cpu: f64,
}

impl Moment {
    fn now(kafka: &Kafka, running: &Running) -> anyhow::Result<Self> {
        let of_each = running.processes().map(|(name, pid)| Ok((name, cpu_seconds(pid)?)));
        let cpu = of_each.collect::<anyhow::Result<_>>()?;
        Ok(Self { at: Instant::now(), cpu, broker_cpu: cpu_seconds(kafka.pid())? })
    }
}

fn between(started: Instant, records: u64, begin: &Moment, end: &Moment) -> Drain {
    let spent = |((name, before), (_, after)): (&(&'static str, f64), &(&'static str, f64))| (*name, after - before);
    Drain {
        records,
        seconds: (end.at - begin.at).as_secs_f64(),
        seconds_with_start: (end.at - started).as_secs_f64(),
        cpu: begin.cpu.iter().zip(&end.cpu).map(spent).collect(),
        broker_cpu: end.broker_cpu - begin.broker_cpu,
    }
}
