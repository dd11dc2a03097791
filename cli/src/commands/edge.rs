//! `tidegate edge`: the agent beside a workload, straight to Kafka.
//!
//! ```text
//! host counters ─> report, every interval ─> load
//! quotas ─> (own thread) newest command ─> quota file, log, metrics
//! ```

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus::Registry;
use tidegate_broker::{Deliveries, From, Publisher, Stop, Tail};
use tidegate_producers::edge::{Applied, EdgeMetrics, EdgeState, Identity, QuotaFile, Reporter, Sampler};
use tidegate_producers::{ReportPublisher, ReportSink};
use tidegate_schemas::records::QuotaCommand;
use tidegate_schemas::{Decoder, SchemaIds, Topic};

use crate::args::{Common, MetricsFlag};
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::{shutdown, telemetry};

/// Report this host's load and apply its quotas.
///
/// CPU, memory, network and disk of this host, within the limits of its control group, as fractions of the base quota.
/// The newest quota command is written to --quota-file as JSON, replaced atomically, and shows on /metrics. A command that
/// only recommends is not obeyed: the base quota holds, and the file's `quota` says so.
#[derive(Debug, clap::Args)]
pub(crate) struct Edge {
    /// Name of this node
    #[arg(long, value_name = "ID", env = "TIDEGATE_NODE_ID")]
    node_id: String,
    /// Pool that the node shares capacity with
    #[arg(long, default_value = "", env = "TIDEGATE_POOL")]
    pool: String,
    /// What the whole host counts as, in resource units [default: its millicores]
    #[arg(long, value_name = "UNITS")]
    base_quota: Option<f64>,
    /// Time between reports
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    interval: Duration,
    /// Write the newest quota command here; its `quota` is what to obey
    #[arg(long, value_name = "FILE")]
    quota_file: Option<PathBuf>,
    #[command(flatten)]
    metrics: MetricsFlag,
}

/// What the reporting and the quota thread share.
struct Shared {
    state: Mutex<EdgeState>,
    metrics: EdgeMetrics,
    file: Option<QuotaFile>,
}

impl Edge {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        if self.interval < Duration::from_secs(1) {
            return Err(failure(exit::USAGE, "the interval must be at least 1s"));
        }
        let settings = Settings::load(common)?;
        let kafka = settings.kafka()?;
        let mut sampler = Sampler::new()?;
        let base_quota = self.base_quota.unwrap_or_else(|| sampler.capacity().millicores());
        let mut reporter = Reporter::new(Identity {
            node_id: self.node_id.clone(),
            pool: self.pool.clone(),
            base_quota,
            interval_ms: i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX),
        })?;
        let registry = Registry::new();
        let shared = Arc::new(Shared {
            state: Mutex::new(EdgeState::new(&self.node_id, base_quota)),
            metrics: EdgeMetrics::register(&registry)?,
            file: self.quota_file.as_deref().map(QuotaFile::new).transpose()?,
        });
        let stop = shutdown::on_signals()?;
        let ids = settings.schema_ids(&kafka, &stop);
        super::reach(&kafka)?;
        telemetry::serve(
            self.metrics.metrics_listen.as_ref().or(settings.metrics_listen.as_ref()),
            registry,
            Arc::new(|| true),
            &stop,
        )?;
        let tail = Tail::topic(&kafka, &kafka.topic(Topic::Quotas), From::Beginning)?;
        let quotas = follow(tail, Arc::clone(&shared), &self.node_id, Arc::clone(&ids), &stop)?;
        let publisher = Arc::new(Publisher::new(&kafka, Arc::new(Deliveries::default()))?);
        let mut sink = ReportPublisher::new(Arc::clone(&publisher), kafka.topic(Topic::Load), &*ids, trace_seed())?;
        tracing::info!(node = self.node_id, base_quota, "reporting every {:?}", self.interval);
        let started = Instant::now();
        // The first reading has nothing to compare with: it only begins the rates.
        sampler.sample(started.elapsed());
        let mut due = self.interval.min(Duration::from_secs(1));
        while wait(started, due, &stop) {
            let now = now_ms();
            let usage = sampler.sample(started.elapsed());
            let in_force = shared.state.lock().unwrap_or_else(PoisonError::into_inner).in_force(now);
            let report = reporter.report(&usage, in_force, now);
            sink.send(&report)?;
            shared.metrics.reported(&report);
            shared.metrics.show(&shared.state.lock().unwrap_or_else(PoisonError::into_inner), now);
            due += self.interval;
        }
        super::drain(&publisher, || true)?;
        // The thread ends with the stop; a panic in it was logged.
        quotas.join().unwrap_or_default();
        Ok(())
    }
}

/// Follows the quotas topic on a thread of its own.
fn follow(
    mut tail: Tail,
    shared: Arc<Shared>,
    node_id: &str,
    ids: Arc<dyn SchemaIds>,
    stop: &Stop,
) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let (key, stop) = (node_id.as_bytes().to_vec(), stop.clone());
    Ok(std::thread::Builder::new().name("quotas".into()).spawn(move || {
        let mut decoder = Decoder::new(ids);
        while !stop.is_set() {
            let record = match tail.next(Duration::from_millis(100)) {
                Ok(Some(record)) if record.key.as_deref() == Some(&key) => record,
                Ok(_) => continue,
                Err(e) => {
                    tracing::error!("quotas are no longer read: {e}");
                    stop.stop();
                    return;
                }
            };
            match decoder.decode::<QuotaCommand>(record.value.as_deref().unwrap_or_default()) {
                Ok(command) => apply(&shared, command),
                Err(e) => tracing::warn!("{}/{}/{}: {e}", record.topic, record.partition, record.offset),
            }
        }
    })?)
}

fn apply(shared: &Shared, command: QuotaCommand) {
    let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    let applied = state.apply(command);
    shared.metrics.commanded(applied);
    shared.metrics.show(&state, now_ms());
    let Some(held) = state.command().filter(|_| applied.is_newest()) else { return };
    match applied {
        Applied::Changed { from, to } => tracing::info!("quota {from:.0} -> {to:.0}: {}", held.reason),
        Applied::Recommended { begins: true } => {
            let base = state.in_force(now_ms()).quota;
            tracing::info!("quotas are recommendations from now on, the base quota {base:.0} holds: {}", held.reason);
        }
        _ => {}
    }
    if let Some(Err(e)) = shared.file.as_ref().map(|file| file.write(held)) {
        tracing::warn!("{e}");
    }
}

/// Waits until `due` after `started`; `false` where we were asked to stop.
fn wait(started: Instant, due: Duration, stop: &Stop) -> bool {
    while started.elapsed() < due {
        if stop.is_set() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(50).min(due.saturating_sub(started.elapsed())));
    }
    !stop.is_set()
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Every start of an edge begins traces of its own.
fn trace_seed() -> u64 {
    now_ms().unsigned_abs() ^ u64::from(std::process::id()) << 40
}
