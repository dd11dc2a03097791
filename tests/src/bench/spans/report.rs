//! What the benchmark of spans found, as tables and as one object. Field names of the object are an interface.

use std::fmt;

use serde::Serialize;

use super::SpansOptions;
use super::traffic::PER_REQUEST;
use super::ways::{Kind, WAYS};

/// One hop of one way in one round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hop {
    pub(super) kind: Kind,
    pub(super) to_topic: bool,
    pub(super) spans: u64,
    pub(super) seconds: f64,
    pub(super) cpu: f64,
}

/// All figures of one run.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct SpansReport {
    pub cores: usize,
    pub rounds: u32,
    pub spans: u64,
    pub spans_per_request: u64,
    pub gzip: bool,
    pub receiver_to_topic: Vec<Carried>,
    pub topic_to_backend: Vec<Carried>,
}

/// One hop of one way, all rounds together.
#[derive(Debug, Clone, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct Carried {
    pub way: &'static str,
    pub spans_per_cpu_second: f64,
    pub spans_per_second: f64,
    pub cpu_us_per_span: f64,
    /// Spans a CPU second of tidegate, over those of this way.
    pub tidegate_over_this: f64,
}

impl SpansReport {
    pub(super) fn new(options: &SpansOptions, hops: &[Hop]) -> Self {
        let carried = |to_topic| carried(hops.iter().filter(|hop| hop.to_topic == to_topic).copied().collect());
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            rounds: options.rounds,
            spans: options.spans,
            spans_per_request: PER_REQUEST,
            gzip: !options.uncompressed,
            receiver_to_topic: carried(true),
            topic_to_backend: carried(false),
        }
    }
}

fn carried(hops: Vec<Hop>) -> Vec<Carried> {
    let of = |kind| {
        let of_kind = || hops.iter().filter(move |hop| hop.kind == kind);
        let spans = of_kind().map(|hop| hop.spans).sum::<u64>() as f64;
        (spans, of_kind().map(|hop| hop.cpu).sum::<f64>(), of_kind().map(|hop| hop.seconds).sum::<f64>())
    };
    let (our_spans, our_cpu, _) = of(Kind::Tidegate);
    let row = |kind: Kind| {
        let (spans, cpu, seconds) = of(kind);
        Carried {
            way: kind.name(),
            spans_per_cpu_second: spans / cpu,
            spans_per_second: spans / seconds,
            cpu_us_per_span: cpu * 1e6 / spans,
            tidegate_over_this: (our_spans / our_cpu) / (spans / cpu),
        }
    };
    WAYS.map(row).into()
}

impl fmt::Display for SpansReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, rounds, spans, spans_per_request, gzip, .. } = self;
        let compression = if *gzip { "gzip" } else { "no compression" };
        writeln!(
            f,
            "{rounds} rounds of {spans} spans, {spans_per_request} a request, everything on {cores} cores with Kafka; to the backend with {compression}"
        )?;
        for (hop, rows) in
            [("OTLP/gRPC to topic", &self.receiver_to_topic), ("topic to OTLP/gRPC", &self.topic_to_backend)]
        {
            writeln!(f, "\n{hop:<27}{:>15}{:>14}{:>15}{:>17}", "spans/CPU s", "µs of CPU", "spans/s", "tidegate is")?;
            for row in rows {
                let Carried { way, spans_per_cpu_second, spans_per_second, cpu_us_per_span, tidegate_over_this } = row;
                writeln!(
                    f,
                    "{way:<27}{spans_per_cpu_second:>15.0}{cpu_us_per_span:>14.2}{spans_per_second:>15.0}{tidegate_over_this:>15.2} ×"
                )?;
            }
        }
        Ok(())
    }
}
