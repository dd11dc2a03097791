//! `tidegate demo`: the whole pipeline in one process, with a fleet and a live page.
//!
//! ```text
//! fleet or file ─> load ─> forecast ─> quota ─> quotas ─> back to the fleet
//!                   └─────────┴── Observer ──┘  (page, scorecard, latency)
//!                             └─> alerts ─> alerts ─> the page, and Alertmanager, where one is named
//! spans of all of it ─> the page, and an OTLP backend, likewise
//! ```
//!
//! Producer, stages and page know each other only through the topics, as in production.

mod feed;
mod latency;
mod observe;
mod summary;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_broker::embedded::EmbeddedBroker;
use tidegate_broker::provisioning::{self, Wanted};
use tidegate_broker::{KafkaSettings, Registry, Stop};
use tidegate_producers::Speed;
use tidegate_sinks::page;
use tidegate_traces::Origin;

use self::feed::Feed;
use self::observe::Observer;
use super::simulate::FleetArgs;
use crate::args::{Common, ExportFlags, MetricsFlag, TraceFlag};
use crate::config::Settings;
use crate::pipeline::{self, Pipeline, Running, Work};
use crate::{http, own_spans, shutdown, telemetry};

/// Partitions of the demo's topics: one process reads them, and few large batches cost less than many small ones.
const PARTITIONS: i32 = 2;

/// Show the whole pipeline: a fleet, its forecasts, its quotas, on a live page.
///
/// Everything runs in this process, on an embedded broker; some hours of event time are published first, so that the
/// forecasts are ready within seconds. Quotas are decided by the `[quota]` settings of --config, as in `run`. Ctrl-C ends it.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    #[command(flatten)]
    fleet: FleetArgs,
    /// How fast event time passes: 1, 60, … or max
    #[arg(long, default_value = "60")]
    speed: Speed,
    /// End by itself after this time and print a summary
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Replay this CSV file instead of a made-up fleet
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
    /// Event time published before the page goes live
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "3h")]
    history: Duration,
    /// Address of the page
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Broker: embedded, or HOST:PORT of a real Kafka
    #[arg(long, value_name = "embedded|HOST:PORT", default_value = "embedded")]
    broker: String,
    /// Send alerts to these Alertmanagers, as http://HOST:9093
    #[arg(long, value_name = "URL,…", env = "TIDEGATE_ALERTMANAGER")]
    alertmanager: Option<String>,
    /// Send spans to this OTLP backend; then the traces of all reports are recorded [default: 1%]
    #[arg(long, value_name = "URL", env = "TIDEGATE_OTLP")]
    otlp: Option<String>,
    #[command(flatten)]
    export: ExportFlags,
    #[command(flatten)]
    trace: TraceFlag,
    #[command(flatten)]
    metrics: MetricsFlag,
}

impl Demo {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let mut settings = Settings::load(common)?;
        settings.alerts.lay_over(&[], self.alertmanager.as_deref(), None);
        settings.export.otlp = self.otlp.clone().or(settings.export.otlp);
        self.export.lay_over(&mut settings.export);
        self.trace.lay_over(&mut settings.trace);
        if settings.export.otlp.is_some() {
            settings.trace.sample_all();
        }
        let stop = shutdown::on_signals()?;
        let listener = http::bind(&self.listen)?;
        let (embedded, kafka) = self.broker(&settings)?;
        let origin = Origin::new("tidegate-demo", settings.trace.head(self.fleet.seed));
        let observer = Arc::new(Observer::new(&kafka, self.speed, origin.clone()));
        let address = listener.local_addr()?;
        let registry = Registry::new();
        let metrics = telemetry::serve(
            self.metrics.metrics_listen.as_ref().or(settings.metrics_listen.as_ref()),
            registry.clone(),
            Arc::new(|| true),
            &stop,
        )?;
        self.announce(common.json, &format!("http://{address}/"), metrics, &kafka)?;
        // The page outlives the stages by a moment, so it stops on a word of its own.
        let page_stop = Stop::default();
        let (shown, until) = (Arc::clone(&observer.page), page_stop.clone());
        let page_thread = http::spawn(move || async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            page::serve(listener, shown, http::stopped(until)).await
        })?;
        let ids = settings.schema_ids(&kafka, &stop);
        let spans = own_spans::to_kafka(&kafka, &ids, &registry)?;
        let pipeline =
            Pipeline { settings: &settings, kafka: &kafka, ids: Arc::clone(&ids), registry: &registry, stop: &stop };
        let watching = observer.watch(&kafka, &ids, &stop)?;
        let running = vec![pipeline.start(Work::Forecast)?, pipeline.start(Work::Quota)?];
        // They answer nobody: the feed does not wait for them.
        let mut beside = vec![pipeline.start(Work::Alerts)?];
        if !settings.alerts.alertmanagers().is_empty() {
            beside.push(pipeline.start(Work::Alertmanager)?);
        }
        if settings.export.otlp.is_some() {
            beside.push(pipeline.start(Work::Export)?);
        }
        let mut feed = Feed::new(&self, &kafka, &ids, origin, Arc::clone(&observer), &stop)?;
        let fed = feed.run(self.duration, &running);
        let summary = summary::of(&kafka, &observer, &running, &feed);
        drop(spans);
        stop.stop();
        let ended = pipeline::join(running).and(pipeline::join(beside));
        for thread in watching {
            thread.join().unwrap_or_default();
        }
        page_stop.stop();
        page_thread.join().unwrap_or_default();
        drop(feed);
        drop(embedded);
        ended?;
        fed?;
        summary.print(common.json)
    }

    /// The broker to use, with the topics there.
    fn broker(&self, settings: &Settings) -> anyhow::Result<(Option<EmbeddedBroker>, KafkaSettings)> {
        if self.broker == "embedded" {
            let embedded = EmbeddedBroker::start(settings.prefix().unwrap_or("tidegate."), PARTITIONS)?;
            let mut kafka = embedded.settings();
            kafka.extra = settings.kafka()?.extra;
            if settings.processing.promise()?.is_exactly_once() {
                kafka.check_transactions()?;
            }
            return Ok((Some(embedded), kafka));
        }
        let mut kafka = settings.kafka()?;
        kafka.brokers.clone_from(&self.broker);
        if settings.prefix().is_none() {
            // The demo's event times repeat, so every run has topics of its own.
            kafka.prefix = format!("tidegate-demo-{}.", std::process::id());
        }
        super::reach(&kafka)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(provisioning::apply(&kafka, Wanted { partitions: PARTITIONS, replication_factor: None }))?;
        Ok((None, kafka))
    }

    fn announce(
        &self,
        as_json: bool,
        page: &str,
        metrics: Option<SocketAddr>,
        kafka: &KafkaSettings,
    ) -> anyhow::Result<()> {
        let broker = if kafka.embedded { "embedded broker" } else { "broker" };
        let metrics = metrics.map(|at| format!("metrics http://{at}/metrics"));
        let lines = [
            Some(format!("page    {page}")),
            metrics,
            Some(format!("{broker}  {}  (topics {}*)", kafka.brokers, kafka.prefix)),
            Some("Ctrl-C ends it".to_owned()),
        ];
        for line in lines.into_iter().flatten() {
            // With --json, stdout holds one object and nothing else.
            if as_json {
                super::tell(line);
            } else {
                super::say(line)?;
            }
        }
        Ok(())
    }
}

/// Lag of all stages together.
fn lag(running: &[Running]) -> i64 {
    running.iter().map(|r| r.status.lag()).sum()
}
