//! What the demo sees: readers of the topics, feeding the page, the scorecard, the latency and the fleet.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tidegate_broker::{From, KafkaSettings, RawRecord, Stop, Tail};
use tidegate_producers::Speed;
use tidegate_schemas::records::{Alert, Control, Forecast, LoadReport, QuotaCommand, Record, Span};
use tidegate_schemas::trace::TraceContext;
use tidegate_schemas::{Decoder, SchemaIds, Topic};
use tidegate_sinks::page::{Beside, Limits, Page};
use tidegate_sinks::scorecard::Scorecard;
use tidegate_traces::Origin;

use super::latency::Latency;

/// Takes a record as it came, and what it holds; `None`: a tombstone.
type Take<T> = fn(&Observer, &RawRecord, Option<T>);

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

    /// Starts the readers, each from the end of its topic as of now; of controls and alerts, what was said before counts too.
    pub(crate) fn watch(
        self: &Arc<Self>,
        kafka: &KafkaSettings,
        ids: &Arc<dyn SchemaIds>,
        stop: &Stop,
    ) -> anyhow::Result<Vec<JoinHandle<()>>> {
        let unhurried = kafka.unhurried();
        Ok(vec![
            self.reader(Topic::Load, From::End, kafka, ids, stop, |o, _, report: Option<LoadReport>| {
                report.iter().for_each(|report| o.report(report));
            })?,
            self.reader(Topic::Forecasts, From::End, kafka, ids, stop, |o, _, forecast: Option<Forecast>| {
                forecast.iter().for_each(|forecast| o.forecast(forecast));
            })?,
            self.reader(Topic::Quotas, From::End, kafka, ids, stop, |o, raw, command: Option<QuotaCommand>| {
                command.into_iter().for_each(|command| o.command(command, raw.trace().as_ref()));
            })?,
            self.reader(
                Topic::Controls,
                From::Beginning,
                &unhurried,
                ids,
                stop,
                |o, raw, control: Option<Control>| {
                    o.page.control(&String::from_utf8_lossy(raw.key.as_deref().unwrap_or_default()), control);
                },
            )?,
            self.reader(Topic::Alerts, From::Beginning, &unhurried, ids, stop, |o, raw, alert: Option<Alert>| {
                alert.iter().for_each(|alert| o.page.alert(alert, raw.trace().as_ref().map(TraceContext::trace_id)));
            })?,
            self.reader(Topic::Spans, From::End, &unhurried, ids, stop, |o, _, span: Option<Span>| {
                span.iter().for_each(|span| o.page.span(span));
            })?,
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
        let latency_ms = self.latency.answered(&command.node_id, command.sequence);
        self.commands.fetch_add(1, Ordering::Relaxed);
        self.page.command(&command, Beside { latency_ms, trace: trace.map(TraceContext::trace_id) });
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
                        match record.value.as_deref().map(|value| decoder.decode::<T>(value)).transpose() {
                            Ok(value) => take(&observer, &record, value),
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
