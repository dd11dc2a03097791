//! The whole way of the data: which stages and sinks run, each on its own thread.
//!
//! ```text
//! load ─> forecast ─> forecasts ─> quota  ─> quotas ─> deliver      ─> webhook, folder
//!                          └────> alerts ─> alerts ─> alertmanager ─> Alertmanagers
//! spans ─> export ─> an OTLP backend
//! ```

mod metrics;

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use tidegate_broker::{BrokerError, Job, KafkaSettings, Registry, Stop, WorkStatus, run_follower, run_sink, run_stage};
use tidegate_forecast::{Artifact, Model};
use tidegate_gateway::otlp::GrpcBackend;
use tidegate_otlp::SpanBackend;
use tidegate_schemas::SchemaIds;
use tidegate_sinks::alertmanager::Alertmanagers;
use tidegate_sinks::deliver::{Folder, QuotaDelivery, Target, Webhook};
use tidegate_sinks::export::{BodyCompression, ExportMetrics, HttpBackend, SpanExport};
use tidegate_stages::{AlertsStage, Firing, ForecastErrors, ForecastStage, QuotaMetrics, QuotaStage, primed};

use crate::config::{self, ExportProtocol, Restore, Settings};
use crate::exit::{self, failure};
pub(crate) use metrics::describe;

/// What a process can run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Work {
    /// Load reports to forecasts.
    Forecast,
    /// Forecasts to quota commands.
    Quota,
    /// Forecasts to alerts, by rules.
    Alerts,
    /// Quota commands to a webhook and to files.
    Deliver,
    /// Alerts to one or several Alertmanagers.
    Alertmanager,
    /// Spans to an OTLP backend.
    Export,
}

impl Work {
    /// Its name in arguments and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Forecast => "forecast",
            Self::Quota => "quota",
            Self::Alerts => "alerts",
            Self::Deliver => "deliver",
            Self::Alertmanager => "alertmanager",
            Self::Export => "export",
        }
    }
}

/// A running stage or sink.
pub(crate) struct Running {
    pub(crate) work: Work,
    pub(crate) status: Arc<WorkStatus>,
    thread: JoinHandle<Result<(), BrokerError>>,
}

/// What all stages share.
pub(crate) struct Pipeline<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) kafka: &'a KafkaSettings,
    pub(crate) ids: Arc<dyn SchemaIds>,
    pub(crate) registry: &'a Registry,
    pub(crate) stop: &'a Stop,
}

impl Pipeline<'_> {
    /// Starts one piece of work on its own thread.
    pub(crate) fn start(&self, work: Work) -> anyhow::Result<Running> {
        match work {
            Work::Forecast => {
                let stage = ForecastStage::new(Arc::new(model(self.settings)?));
                let stage = stage.with_metrics(ForecastErrors::register(self.registry)?);
                let stage = match self.settings.processing.restore {
                    Restore::Checkpoints => stage.with_checkpoints(),
                    Restore::Rewind => stage,
                };
                self.spawn(work, move |job| run_stage(stage, job))
            }
            Work::Quota => {
                let stage = QuotaStage::new(primed(self.settings.quota()?, &model(self.settings)?));
                let stage = stage.with_metrics(QuotaMetrics::register(self.registry)?);
                self.spawn(work, move |job| run_stage(stage, job))
            }
            Work::Alerts => {
                let rules = Arc::new(self.settings.alerts.rules()?);
                let stage = AlertsStage::new(rules, self.settings.quota()?.rails.max_scale);
                let stage = stage.with_metrics(Firing::new(self.registry)?);
                self.spawn(work, move |job| run_stage(stage, job))
            }
            Work::Alertmanager => {
                let alerts = &self.settings.alerts;
                let sink = Alertmanagers::new(
                    &alerts.alertmanagers(),
                    alerts.page_url.clone(),
                    &self.settings.authorities,
                    self.registry,
                )?;
                self.spawn(work, move |job| run_follower(sink, job))
            }
            Work::Deliver => {
                let sink = QuotaDelivery::new(targets(self.settings)?);
                self.spawn(work, move |job| run_sink(sink, job))
            }
            Work::Export => {
                let sink = SpanExport::new(backend(self.settings)?, ExportMetrics::register(self.registry)?);
                self.spawn(work, move |job| run_sink(sink, job))
            }
        }
    }

    fn spawn<F>(&self, work: Work, run: F) -> anyhow::Result<Running>
    where
        F: FnOnce(&Job<'_>) -> Result<(), BrokerError> + Send + 'static,
    {
        let metrics = metrics::of_driver(self.registry, work)?;
        let status = Arc::new(WorkStatus::default());
        let (kafka, ids, stop) = (self.kafka.clone(), Arc::clone(&self.ids), self.stop.clone());
        let processing = self.settings.processing.promise()?;
        let (seen, max_batch) = (Arc::clone(&status), self.settings.max_batch());
        let name = work.name();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _watched = stop.watch(name);
            let (settings, metrics, status) = (&kafka, &metrics, &*seen);
            let result = run(&Job { settings, ids, processing, max_batch, metrics, status, stop: &stop });
            // One piece of work that ends takes the process with it: somebody restarts it whole.
            stop.stop();
            result
        })?;
        Ok(Running { work, status, thread })
    }
}

/// Waits for all work to end; the first error counts.
pub(crate) fn join(running: Vec<Running>) -> anyhow::Result<()> {
    let mut outcome = Ok(());
    for r in running {
        let ended =
            r.thread.join().unwrap_or_else(|_| Err(BrokerError::Thread(format!("{:?} ended in a panic", r.work))));
        if outcome.is_ok() {
            outcome = ended.map_err(anyhow::Error::from);
        }
    }
    outcome
}

/// The model that the settings name, or the shipped one.
pub(crate) fn model(settings: &Settings) -> anyhow::Result<Model> {
    let Some(path) = &settings.forecast.model else { return Ok(Model::shipped()?) };
    let named = || format!("the model file {}", path.display());
    let bytes = std::fs::read(path).map_err(|e| failure(exit::NO_INPUT, format!("{}: {e}", named())))?;
    let artifact = Artifact::from_bytes(&bytes).with_context(named)?;
    Model::from_artifact(&artifact).with_context(named)
}

fn targets(settings: &Settings) -> anyhow::Result<Vec<Box<dyn Target>>> {
    let mut targets: Vec<Box<dyn Target>> = Vec::new();
    if let Some(url) = &settings.deliver.webhook {
        targets.push(Box::new(Webhook::new(url, &settings.authorities)?));
    }
    if let Some(path) = &settings.deliver.folder {
        targets.push(Box::new(Folder::new(path.clone())?));
    }
    if targets.is_empty() {
        return Err(failure(exit::CONFIG, "deliver has no target; give --webhook URL, --folder DIR, or both"));
    }
    Ok(targets)
}

pub(crate) fn backend(settings: &Settings) -> anyhow::Result<Box<dyn SpanBackend>> {
    let export = &settings.export;
    let url = export.otlp.as_deref().ok_or_else(|| {
        failure(exit::CONFIG, "export needs a backend: --otlp http://localhost:4318 (or the setting export.otlp)")
    })?;
    let is_gzip = export.compression != Some(config::BodyCompression::None);
    if export.protocol == Some(ExportProtocol::Grpc) {
        return Ok(Box::new(GrpcBackend::new(url, &export.headers, is_gzip, &settings.authorities)?));
    }
    let compression = if is_gzip { BodyCompression::Gzip } else { BodyCompression::None };
    let backend = HttpBackend::new(url, export.headers.clone(), &settings.authorities)?;
    Ok(Box::new(backend.with_compression(compression)))
}
