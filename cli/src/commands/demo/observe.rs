//! What the demo sees: four readers of the topics, feeding the page, the scorecard, the latency and the fleet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tidegate_broker::{From, KafkaSettings, Stop, Tail};
use tidegate_producers::Speed;
use tidegate_schemas::records::{Control, Forecast, LoadReport, QuotaCommand, Record};
use tidegate_schemas::trace::TraceContext;
use tidegate_schemas::{Decoder, SchemaIds, Topic};
use tidegate_sinks::page::{Limits, Page};
use tidegate_sinks::scorecard::Scorecard;
use tidegate_traces::Origin;

use super::latency::Latency;

/// Takes a record's key and value (`None`: a tombstone), and its place in a trace.
type Take<T> = fn(&Observer, &str, Option<T>, Option<&TraceContext>);

/// Shared by the readers, the feed and the summary.
pub(crate) struct Observer {
    pub(crate) page: Arc<Page>,
    pub(crate) latency: Latency,
    pub(crate) scorecard: Mutex<Scorecard>,
    pub(crate) forecasts: AtomicU64,
    pub(crate) commands: AtomicU64,
    pub(crate) broker: String,
    pub(crate) speed: Option<f64>,
    origin: Origin,
    quotas: String,
    to_fleet: Sender<QuotaCommand>,
    from_stages: Mutex<Option<Receiver<QuotaCommand>>>,
}

impl Observer {
    pub(crate) fn new(kafka: &KafkaSettings, speed: Speed, origin: Origin) -> Self {
        let (to_fleet, from_stages) = channel();
        Self {
            page: Arc::new(Page::new(Limits::default())),
            latency: Latency::new(),
            scorecard: Mutex::new(Scorecard::default()),
            forecasts: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            broker: kafka.brokers.clone(),
            speed: match speed {
                Speed::Times(times) => Some(times),
                Speed::Max => None,
            },
            origin,
            quotas: kafka.topic(Topic::Quotas),
            to_fleet,
            from_stages: Mutex::new(Some(from_stages)),
        }
    }

    /// The commands for the fleet; the first caller has them.
    pub(crate) fn commands_for_fleet(&self) -> Option<Receiver<QuotaCommand>> {
        self.from_stages.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Starts the readers, each from the end of its topic as of now; of controls, what was said before counts too.
    pub(crate) fn watch(
        self: &Arc<Self>,
        kafka: &KafkaSettings,
        ids: &Arc<dyn SchemaIds>,
        stop: &Stop,
    ) -> anyhow::Result<Vec<JoinHandle<()>>> {
        Ok(vec![
            self.reader(Topic::Load, From::End, kafka, ids, stop, |o, _, report: Option<LoadReport>, _| {
                report.iter().for_each(|report| o.report(report));
            })?,
            self.reader(Topic::Forecasts, From::End, kafka, ids, stop, |o, _, forecast: Option<Forecast>, _| {
                forecast.iter().for_each(|forecast| o.forecast(forecast));
            })?,
            self.reader(Topic::Quotas, From::End, kafka, ids, stop, |o, _, command: Option<QuotaCommand>, trace| {
                command.into_iter().for_each(|command| o.command(command, trace));
            })?,
            self.reader(
                Topic::Controls,
                From::Beginning,
                &kafka.unhurried(),
                ids,
                stop,
                |o, key, control: Option<Control>, _| {
                    o.page.control(key, control);
                },
            )?,
        ])
    }

    fn report(&self, report: &LoadReport) {
        self.page.report(report);
        self.scorecard.lock().unwrap_or_else(PoisonError::into_inner).report(report);
    }

    fn forecast(&self, forecast: &Forecast) {
        self.forecasts.fetch_add(1, Ordering::Relaxed);
        self.page.forecast(forecast);
        self.scorecard.lock().unwrap_or_else(PoisonError::into_inner).forecast(forecast);
    }

    fn command(&self, command: QuotaCommand, trace: Option<&TraceContext>) {
        let _hop = self.origin.hears(&self.quotas, &command.node_id, trace);
        let latency = self.latency.answered(&command.node_id, command.sequence);
        self.commands.fetch_add(1, Ordering::Relaxed);
        self.page.command(&command, latency);
        // A recorded fleet has nobody who takes commands.
        self.to_fleet.send(command).unwrap_or_default();
    }

    fn reader<T: Record>(
        self: &Arc<Self>,
        topic: Topic,
        from: From,
        kafka: &KafkaSettings,
        ids: &Arc<dyn SchemaIds>,
        stop: &Stop,
        take: Take<T>,
    ) -> anyhow::Result<JoinHandle<()>> {
        let mut tail = Tail::topic(kafka, &kafka.topic(topic), from)?;
        let (observer, stop) = (Arc::clone(self), stop.clone());
        let mut decoder = Decoder::new(Arc::clone(ids));
        Ok(std::thread::Builder::new().name(format!("page-{topic}")).spawn(move || {
            while !stop.is_set() {
                match tail.next(Duration::from_millis(100)) {
                    Ok(None) => {}
                    Ok(Some(record)) => {
                        let key = String::from_utf8_lossy(record.key.as_deref().unwrap_or_default());
                        match record.value.as_deref().map(|value| decoder.decode::<T>(value)).transpose() {
                            Ok(value) => take(&observer, &key, value, record.trace().as_ref()),
                            // Foreign bytes are dead letters of the stages; the page shows only what they took.
                            Err(_) => tracing::debug!("{topic}/{}/{}: not shown", record.partition, record.offset),
                        }
                    }
                    Err(e) => {
                        tracing::error!("the page no longer reads {topic}: {e}");
                        stop.stop();
                        return;
                    }
                }
            }
        })?)
    }
}
