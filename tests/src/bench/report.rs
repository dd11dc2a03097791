//! What the benchmark found, as tables and as one object. Field names of the object are an interface.

use std::fmt;

use serde::Serialize;

use super::drain::Drain;
use super::options::BenchOptions;
use super::paced::Latency;

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct Report {
    pub cores: usize,
    pub reports: u64,
    pub nodes: u64,
    pub partitions: i32,
    pub tidegate: Throughput,
    /// The stages under exactly_once, where asked for.
    pub exactly_once: Option<Throughput>,
    pub bare_hops: Throughput,
    /// Rate of tidegate over that of the bare hops.
    pub ratio: f64,
    pub paced: Vec<Paced>,
}

/// One way at full speed.
#[derive(Debug, Clone, Serialize)]
pub struct Throughput {
    pub reports_per_s: f64,
    pub seconds: f64,
    pub seconds_with_start: f64,
    pub cpu_us_per_report: Cpu,
}

/// CPU time, user and system, in µs a report.
#[derive(Debug, Clone, Serialize)]
pub struct Cpu {
    pub first_process: f64,
    pub second_process: f64,
    pub both: f64,
    pub broker: f64,
}

/// Both ways at one rate.
#[derive(Debug, Clone, Serialize)]
pub struct Paced {
    pub reports_per_s: u64,
    pub tidegate: Latency,
    /// The stages under exactly_once, where asked for.
    pub exactly_once: Option<Latency>,
    pub bare_hops: Latency,
    /// p99 of tidegate over that of the bare hops.
    pub p99_ratio: f64,
}

impl Paced {
    pub(super) fn new(
        reports_per_s: u64,
        tidegate: Latency,
        bare_hops: Latency,
        exactly_once: Option<Latency>,
    ) -> Self {
        let p99_ratio = tidegate.p99_ms / bare_hops.p99_ms;
        Self { reports_per_s, tidegate, exactly_once, bare_hops, p99_ratio }
    }
}

impl Throughput {
    fn of(drain: &Drain) -> Self {
        let each = |at: usize| drain.cpu.get(at).map_or(f64::NAN, |(_, seconds)| drain.micros_each(*seconds));
        Self {
            reports_per_s: drain.rate(),
            seconds: drain.seconds,
            seconds_with_start: drain.seconds_with_start,
            cpu_us_per_report: Cpu {
                first_process: each(0),
                second_process: each(1),
                both: drain.micros_each(drain.cpu_of_all()),
                broker: drain.micros_each(drain.broker_cpu),
            },
        }
    }
}

impl Report {
    pub(super) fn new(
        options: &BenchOptions,
        ours: &Drain,
        bare: &[Drain; 2],
        once: Option<&Drain>,
        paced: Vec<Paced>,
    ) -> Self {
        let faster = if bare[0].rate() > bare[1].rate() { &bare[0] } else { &bare[1] };
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            reports: options.reports,
            nodes: options.nodes,
            partitions: options.partitions,
            tidegate: Throughput::of(ours),
            exactly_once: once.map(Throughput::of),
            bare_hops: Throughput::of(faster),
            ratio: ours.rate() / faster.rate(),
            paced,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, reports, nodes, partitions, .. } = self;
        writeln!(
            f,
            "{reports} reports of {nodes} nodes, {partitions} partitions, {cores} cores shared with the broker\n"
        )?;
        writeln!(f, "full speed            reports/s   CPU µs a report: first  second    both  broker   seconds")?;
        let once = self.exactly_once.as_ref().map(|once| ("… exactly once", once));
        let ways = [("forecast + quota", &self.tidegate), ("two bare hops", &self.bare_hops)];
        for (name, way) in ways.into_iter().chain(once) {
            let Cpu { first_process, second_process, both, broker } = way.cpu_us_per_report;
            let (rate, seconds) = (way.reports_per_s, way.seconds);
            let cpu = format!("{first_process:>7.2} {second_process:>7.2} {both:>7.2} {broker:>7.2}");
            writeln!(f, "{name:<20} {rate:>10.0}                   {cpu} {seconds:>9.2}")?;
        }
        writeln!(f, "ratio to the bare hops: {:.2}\n", self.ratio)?;
        writeln!(f, "paced, three hops     reports/s     p50 ms     p99 ms  answered")?;
        for paced in &self.paced {
            let once = paced.exactly_once.as_ref().map(|once| ("… exactly once", once));
            let ways = [("forecast + quota", &paced.tidegate), ("bare hops", &paced.bare_hops)];
            for (name, way) in ways.into_iter().chain(once) {
                let (rate, p50, p99) = (paced.reports_per_s, way.p50_ms, way.p99_ms);
                writeln!(f, "{name:<20} {rate:>10} {p50:>10.2} {p99:>10.2}  {} of {}", way.answered, way.sent)?;
            }
            writeln!(f, "ratio of p99: {:.2}", paced.p99_ratio)?;
        }
        Ok(())
    }
}
