//! `tidegate run`: stages and sinks, as many as named, until a signal.

use std::sync::Arc;
use std::time::Duration;

use tidegate_broker::Registry;
use tidegate_quota::PolicyName;
use tidegate_sinks::registry;

use crate::args::{Common, ExportFlags, MetricsFlag};
use crate::config::{Guarantee, Settings, Share};
use crate::pipeline::{self, Pipeline, Work};
use crate::{http, own_spans, shutdown, telemetry, watchdog};

/// Run the processors and sinks.
///
/// Stages share work by partitions: start as many processes as you like, up to the number of partitions. A process that
/// ends is replaced by the others; nothing is lost, and what is done twice is the same, byte for byte.
#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// What to run; none named means all that is configured
    #[arg(value_enum, value_name = "STAGE")]
    stages: Vec<Work>,
    /// Model to forecast with [default: the shipped one]
    #[arg(long, value_name = "FILE", env = "TIDEGATE_MODEL")]
    model: Option<std::path::PathBuf>,
    /// How forecasts become quotas: threshold or headroom [default: threshold]
    #[arg(long, value_name = "POLICY", env = "TIDEGATE_POLICY")]
    policy: Option<PolicyName>,
    /// headroom: the share of outcomes that may pass the quota, as 0.01 or 1% [default: 1%]
    #[arg(long, value_name = "SHARE", env = "TIDEGATE_TARGET")]
    target: Option<Share>,
    /// Smallest quota, as a multiple of the base quota [default: 0.005]
    #[arg(long, value_name = "SCALE", env = "TIDEGATE_MIN_SCALE")]
    min_scale: Option<f64>,
    /// Largest quota, as a multiple of the base quota [default: 3]
    #[arg(long, value_name = "SCALE", env = "TIDEGATE_MAX_SCALE")]
    max_scale: Option<f64>,
    /// How long a quota holds without news, in event time [default: 5m]
    #[arg(long, value_parser = humantime::parse_duration, value_name = "TIME", env = "TIDEGATE_LEASE")]
    lease: Option<Duration>,
    /// deliver: POST quota commands to this address
    #[arg(long, value_name = "URL", env = "TIDEGATE_WEBHOOK")]
    webhook: Option<String>,
    /// deliver: write one file a node into this folder
    #[arg(long, value_name = "DIR", env = "TIDEGATE_FOLDER")]
    folder: Option<std::path::PathBuf>,
    /// export: send spans to this OTLP backend, as http://localhost:4318, or http://localhost:4317 by gRPC; over HTTP, /v1/traces is
    /// added to a base address
    #[arg(long, value_name = "URL", env = "TIDEGATE_OTLP")]
    otlp: Option<String>,
    #[command(flatten)]
    export: ExportFlags,
    /// alerts: watch by the rules of this file, in Prometheus' format; may be given again [default: the shipped rules]
    #[arg(long, value_name = "FILE", env = "TIDEGATE_RULES", value_delimiter = ',')]
    rules: Vec<std::path::PathBuf>,
    /// alertmanager: send alerts to these Alertmanagers, as http://HOST:9093
    #[arg(long, value_name = "URL,…", env = "TIDEGATE_ALERTMANAGER")]
    alertmanager: Option<String>,
    /// alertmanager: the address of the live page, to which alerts lead
    #[arg(long, value_name = "URL", env = "TIDEGATE_PAGE_URL")]
    page_url: Option<String>,
    /// How often an answer may stand on the topics; exactly_once wants a real Kafka [default: at_least_once]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "GUARANTEE", env = "TIDEGATE_GUARANTEE")]
    guarantee: Option<Guarantee>,
    /// Follow the state of partitions that other processes hold, to take them over within seconds; costs each process the memory of
    /// the whole fleet
    #[arg(long, env = "TIDEGATE_STANDBY")]
    standby: bool,
    /// Serve the schema registry's REST API for our catalogue here
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_LISTEN")]
    listen: Option<String>,
    /// Records in one batch at most [default: 5000]
    #[arg(long, value_name = "N", hide = true)]
    max_batch: Option<usize>,
    #[command(flatten)]
    metrics: MetricsFlag,
}

impl Run {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let settings = self.settings(common)?;
        let kafka = settings.kafka()?;
        let stop = shutdown::on_signals_of_service()?;
        super::reach(&kafka)?;
        if settings.processing.promise()?.is_exactly_once() {
            kafka.check_transactions()?;
        }
        if let Some(address) = &self.listen {
            let at = http::serve(address, registry::router(&kafka.prefix), &stop)?;
            tracing::info!("schema registry at http://{at}");
        }
        let metrics = Registry::new();
        let ids = settings.schema_ids(&kafka, &stop);
        let _spans = own_spans::to_kafka(&kafka, &ids, &metrics)?;
        let pipeline = Pipeline { settings: &settings, kafka: &kafka, ids, registry: &metrics, stop: &stop };
        let mut running = Vec::new();
        for work in self.wanted(&settings) {
            running.push(pipeline.start(work)?);
        }
        let statuses: Vec<_> = running.iter().map(|r| Arc::clone(&r.status)).collect();
        let ready_lag = settings.processing.ready_lag();
        let ready: telemetry::Ready = Arc::new(move || statuses.iter().all(|s| s.is_ready(ready_lag)));
        telemetry::serve(
            self.metrics.metrics_listen.as_ref().or(settings.metrics_listen.as_ref()),
            metrics.clone(),
            ready,
            &stop,
        )?;
        watchdog::start(&stop)?;
        pipeline::join(running)
    }

    /// The file's settings with this command's flags laid over them.
    pub(super) fn settings(&self, common: &Common) -> anyhow::Result<Settings> {
        let mut settings = Settings::load(common)?;
        settings.forecast.model = self.model.clone().or(settings.forecast.model);
        settings.forecast.max_batch = self.max_batch.or(settings.forecast.max_batch);
        settings.processing.guarantee = self.guarantee.or(settings.processing.guarantee);
        settings.processing.standby = self.standby.then_some(true).or(settings.processing.standby);
        settings.quota.policy = self.policy.or(settings.quota.policy);
        settings.quota.target = self.target.or(settings.quota.target);
        settings.quota.min_scale = self.min_scale.or(settings.quota.min_scale);
        settings.quota.max_scale = self.max_scale.or(settings.quota.max_scale);
        settings.quota.lease_s = self.lease.map(|l| l.as_secs_f64()).or(settings.quota.lease_s);
        settings.deliver.webhook = self.webhook.clone().or(settings.deliver.webhook);
        self.export.lay_over(&mut settings.export);
        settings.export.otlp = self.otlp.clone().or(settings.export.otlp);
        settings.deliver.folder = self.folder.clone().or(settings.deliver.folder);
        settings.alerts.lay_over(&self.rules, self.alertmanager.as_deref(), self.page_url.as_deref());
        Ok(settings)
    }

    fn wanted(&self, settings: &Settings) -> Vec<Work> {
        let mut wanted = self.stages.clone();
        wanted.dedup();
        if wanted.is_empty() {
            wanted = vec![Work::Forecast, Work::Quota, Work::Alerts];
            if settings.deliver.has_target() {
                wanted.push(Work::Deliver);
            }
            if settings.export.otlp.is_some() {
                wanted.push(Work::Export);
            }
            if !settings.alerts.alertmanagers().is_empty() {
                wanted.push(Work::Alertmanager);
            }
        }
        wanted
    }
}
