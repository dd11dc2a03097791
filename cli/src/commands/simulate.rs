//! `tidegate simulate`: a made-up fleet that obeys its quotas.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tidegate_broker::{Deliveries, From, KafkaSettings, Publisher, Registry, Stop, Tail};
use tidegate_producers::clock::SystemClock;
use tidegate_producers::csv::CsvFile;
use tidegate_producers::simulate::{DEFAULT_START_MS, Fleet, FleetOptions, drive};
use tidegate_producers::{ReportPublisher, Speed};
use tidegate_schemas::records::QuotaCommand;
use tidegate_schemas::{Decoder, SchemaIds, Topic};
use tidegate_traces::Origin;

use crate::args::{Common, TraceFlag};
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::{event_time, own_spans, progress, shutdown};

/// Quota, × base quota, that no demand reaches.
const UNBOUND: f64 = 1e6;

/// Publish the load of a made-up fleet.
///
/// Daily and weekly shape, noise, correlated pools, flash crowds, drifts, restarts. The nodes obey the quotas they
/// receive: demand above a quota is shed and shows as failed requests. The same seed gives the same demand.
///
/// With --to FILE nothing is published and no Kafka is needed: the demand itself, held by no quota, goes to a CSV file for
/// backtest, what-if, train and replay.
#[derive(Debug, clap::Args)]
pub(crate) struct Simulate {
    #[command(flatten)]
    fleet: FleetArgs,
    /// How fast event time passes: 1, 60, … or max
    #[arg(long, default_value = "1")]
    speed: Speed,
    /// Event time to simulate, then end [default: without end]
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Do not read quotas: every node keeps its base quota, and the same seed gives the same bytes
    #[arg(long)]
    no_quotas: bool,
    /// Write a CSV file instead of publishing (gzip where its name ends in .gz); wants --for
    #[arg(long, value_name = "FILE", requires = "duration", conflicts_with_all = ["no_quotas", "speed"])]
    to: Option<PathBuf>,
    #[command(flatten)]
    trace: TraceFlag,
}

/// The fleet, for `simulate` and `demo`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct FleetArgs {
    /// Number of nodes
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub(crate) nodes: usize,
    /// The same seed gives the same fleet
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Time between two reports of a node
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    pub(crate) interval: Duration,
    /// Pools that share demand; about 7 nodes in 10 belong to one
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub(crate) pools: usize,
    /// Base quota of every node, in resource units
    #[arg(long, value_name = "UNITS", default_value_t = 1000.0)]
    pub(crate) base_quota: f64,
    /// Event time at which the fleet begins [default: now for simulate at speed 1, else 2026-01-05T00:00:00Z; for demo 05:00 of that day]
    #[arg(long, value_name = "TIME", value_parser = event_time::parse)]
    pub(crate) start: Option<i64>,
}

impl FleetArgs {
    /// The fleet, beginning at `start_ms` of event time.
    pub(crate) fn fleet(&self, start_ms: i64) -> anyhow::Result<Fleet> {
        Ok(Fleet::new(FleetOptions {
            nodes: self.nodes,
            seed: self.seed,
            interval_ms: i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX),
            start_ms,
            pools: self.pools,
            base_quota: self.base_quota,
        })?)
    }
}

impl Simulate {
    /// A fleet at speed 1 lives in the present, so that it goes on after a restart; a faster one would run ahead of the
    /// clock, and begins at a fixed time.
    fn start(&self) -> i64 {
        let fixed = || if self.speed == Speed::Times(1.0) { event_time::wall_clock() } else { DEFAULT_START_MS };
        self.fleet.start.unwrap_or_else(fixed)
    }

    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        if let Some(path) = &self.to {
            return self.write(path, common);
        }
        let mut settings = Settings::load(common)?;
        self.trace.lay_over(&mut settings.trace);
        let kafka = settings.kafka()?;
        let start = self.start();
        let mut fleet = self.fleet.fleet(start)?;
        let stop = shutdown::on_signals()?;
        let ids = settings.schema_ids(&kafka, &stop);
        super::reach(&kafka)?;
        let topic = kafka.topic(Topic::Load);
        kafka.partition_count(&topic, super::BROKER_PATIENCE)?;
        let origin = Origin::new("tidegate-simulate", settings.trace.head(self.fleet.seed));
        let _spans = own_spans::to_kafka(&kafka, &ids, &Registry::new())?;
        let listens = !self.no_quotas;
        let quotas = listens.then(|| subscribe(&kafka, Arc::clone(&ids), origin.clone(), &stop)).transpose()?;
        let deliveries = Arc::new(Deliveries::default());
        let publisher = Arc::new(Publisher::new(&kafka, Arc::<Deliveries>::clone(&deliveries))?);
        let mut sink = ReportPublisher::new(Arc::clone(&publisher), topic, &*ids, origin)?;
        let until = self.duration.map(|d| start.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)));
        let length = until.map_or(0, |end| (end - start).max(0) / 1000).cast_unsigned();
        let bar = progress::bar(length, "{elapsed_precise} {wide_bar} {pos} of {len} s simulated");
        let clock = SystemClock::start();
        let flag = stop.flag();
        let mut count = 0_u64;
        let driven = drive(&mut fleet, self.speed, until, &mut sink, &clock, flag, |fleet| {
            quotas.iter().for_each(|commands| take(commands, fleet));
            count += 1;
            if count.is_multiple_of(1000) {
                bar.set_position(((fleet.next_event_ms() - start).max(0) / 1000).cast_unsigned());
            }
        })?;
        super::drain(&publisher, || stop.is_set())?;
        bar.finish_and_clear();
        stop.stop();
        if let Some(why) = deliveries.first_failure() {
            return Err(failure(
                exit::UNAVAILABLE,
                format!("{} reports were not taken: {why}", deliveries.failed_count()),
            ));
        }
        if common.json {
            return super::say_json(&serde_json::json!({ "reports": driven.sent, "nodes": self.fleet.nodes }));
        }
        super::say(format!("{} reports of {} nodes published", driven.sent, self.fleet.nodes))
    }
}

impl Simulate {
    /// Writes the fleet's demand to a file. A quota that nobody reaches keeps the nodes from shedding.
    fn write(&self, path: &Path, common: &Common) -> anyhow::Result<()> {
        let start = self.fleet.start.unwrap_or(DEFAULT_START_MS);
        let mut fleet = self.fleet.fleet(start)?;
        let nodes: Vec<String> = fleet.nodes().map(|(id, _)| id.to_owned()).collect();
        for node in &nodes {
            fleet.apply_quota(node, self.fleet.base_quota * UNBOUND, i64::MIN);
        }
        let length = i64::try_from(self.duration.unwrap_or_default().as_millis()).unwrap_or(i64::MAX);
        let stop = shutdown::on_signals()?;
        let mut file = CsvFile::create(path).map_err(|e| failure(exit::CANNOT_CREATE, e.to_string()))?;
        let (clock, until) = (SystemClock::start(), Some(start.saturating_add(length)));
        let driven = drive(&mut fleet, Speed::Max, until, &mut file, &clock, stop.flag(), |_| {})?;
        file.finish()?;
        if common.json {
            return super::say_json(&serde_json::json!({ "reports": driven.sent, "nodes": nodes.len() }));
        }
        super::say(format!("{} reports of {} nodes in {}", driven.sent, nodes.len(), path.display()))
    }
}

/// Applies the commands that have come.
pub(crate) fn take(commands: &Receiver<QuotaCommand>, fleet: &mut Fleet) {
    while let Ok(command) = commands.try_recv() {
        fleet.apply_command(&command);
    }
}

/// Reads quota commands from now on, on a thread of its own.
fn subscribe(
    kafka: &KafkaSettings,
    ids: Arc<dyn SchemaIds>,
    origin: Origin,
    stop: &Stop,
) -> anyhow::Result<Receiver<QuotaCommand>> {
    let topic = kafka.topic(Topic::Quotas);
    let mut tail = Tail::topic(kafka, &topic, From::End)?;
    let (sender, receiver) = channel();
    let stop = stop.clone();
    std::thread::Builder::new().name("quotas".into()).spawn(move || {
        let mut decoder = Decoder::new(ids);
        while !stop.is_set() {
            match tail.next(Duration::from_millis(100)) {
                Ok(Some(record)) => match decoder.decode::<QuotaCommand>(record.value.as_deref().unwrap_or_default()) {
                    Ok(command) => {
                        let _hop = origin.hears(&topic, &command.node_id, record.trace().as_ref());
                        if sender.send(command).is_err() {
                            return;
                        }
                    }
                    Err(e) => tracing::warn!("{}/{}/{}: {e}", record.topic, record.partition, record.offset),
                },
                Ok(None) => {}
                Err(e) => {
                    tracing::warn!("quotas are no longer read: {e}");
                    return;
                }
            }
        }
    })?;
    Ok(receiver)
}
