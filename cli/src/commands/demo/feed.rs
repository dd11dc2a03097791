//! The demo's producer: some hours of history as fast as the pipeline answers, then live at the wanted speed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use tidegate_broker::{Deliveries, KafkaSettings, Publisher, Stop};
use tidegate_producers::clock::SystemClock;
use tidegate_producers::csv::{CsvOptions, by_time, open};
use tidegate_producers::pacing::wait_until_due;
use tidegate_producers::simulate::{DEFAULT_START_MS, Fleet};
use tidegate_producers::{Pacer, ReportPublisher, ReportSink, Speed};
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_schemas::{SchemaIds, Topic};
use tidegate_sinks::page::PageStats;
use tidegate_traces::Origin;

use super::observe::Observer;
use super::{Demo, lag};
use crate::exit::{self, failure};
use crate::pipeline::Running;
use crate::{commands, progress};

/// Reports on their way at most while the history is published: the embedded broker keeps little.
const IN_FLIGHT: u64 = 10_000;
/// During the history a node reports once in this time.
const HISTORY_INTERVAL_MS: i64 = 60_000;

/// 05:00 of the simulated fleet's first day: the page goes live on a morning, when load rises.
const MORNING_MS: i64 = DEFAULT_START_MS + 5 * 3_600_000;

/// Where reports come from, in event-time order.
enum Reports {
    Fleet(Box<Fleet>, Option<Receiver<QuotaCommand>>),
    File(Box<std::iter::Peekable<std::vec::IntoIter<LoadReport>>>),
}

impl Reports {
    fn next_event_ms(&mut self) -> Option<i64> {
        match self {
            Self::Fleet(fleet, _) => Some(fleet.next_event_ms()),
            Self::File(rows) => rows.peek().map(|r| r.timestamp),
        }
    }

    fn next(&mut self) -> Option<LoadReport> {
        match self {
            Self::Fleet(fleet, commands) => {
                commands.iter().for_each(|c| commands::simulate::take(c, fleet));
                Some(fleet.next_report())
            }
            Self::File(rows) => rows.next(),
        }
    }
}

/// The producer.
pub(crate) struct Feed {
    source: Reports,
    sink: ReportPublisher<Arc<Publisher>>,
    /// What takes its place after the history.
    live: Option<ReportPublisher<Arc<Publisher>>>,
    pub(crate) publisher: Arc<Publisher>,
    observer: Arc<Observer>,
    speed: Speed,
    history_ms: i64,
    stop: Stop,
    pub(crate) sent: u64,
    pub(crate) json_bytes: u64,
    /// Counters at the last second: reports, forecasts, commands.
    last: (Instant, u64, u64, u64),
}

impl Feed {
    pub(crate) fn new(
        demo: &Demo,
        kafka: &KafkaSettings,
        ids: &Arc<dyn SchemaIds>,
        origin: Origin,
        observer: Arc<Observer>,
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let source = match &demo.replay {
            Some(path) => {
                let options = CsvOptions { base_quota: demo.fleet.base_quota, ..CsvOptions::default() };
                let rows: Result<Vec<LoadReport>, _> = open(path, options)?.0.collect();
                let rows = rows.map_err(|e| failure(exit::DATA, e.to_string()))?;
                Reports::File(Box::new(by_time(rows).into_iter().peekable()))
            }
            None => {
                let fleet = demo.fleet.fleet(demo.fleet.start.unwrap_or(MORNING_MS))?;
                Reports::Fleet(Box::new(fleet), observer.commands_for_fleet())
            }
        };
        let every = Some(Duration::from_millis(500));
        let publisher = Arc::new(Publisher::with_statistics(kafka, Arc::new(Deliveries::default()), every)?);
        let sink = |origin| ReportPublisher::new(Arc::clone(&publisher), kafka.topic(Topic::Load), &**ids, origin);
        // Traces of the history would tell how fast it is published.
        let (sink, live) = (sink(origin.silent())?, Some(sink(origin)?));
        Ok(Self {
            source,
            sink,
            live,
            publisher,
            observer,
            speed: demo.speed,
            history_ms: i64::try_from(demo.history.as_millis()).unwrap_or(i64::MAX),
            stop: stop.clone(),
            sent: 0,
            json_bytes: 0,
            last: (Instant::now(), 0, 0, 0),
        })
    }

    /// Publishes the history, then live until `duration` is over, the file ends or somebody stops us.
    pub(crate) fn run(&mut self, duration: Option<Duration>, running: &[Running]) -> anyhow::Result<()> {
        self.history(running)?;
        self.wait_for_answers(0, running);
        self.observer.latency.go_live();
        if let Some(live) = self.live.take() {
            self.sink = live;
        }
        let clock = SystemClock::start();
        let started = Instant::now();
        let mut pacer = Pacer::new(self.speed);
        while let Some(at) = self.source.next_event_ms() {
            if duration.is_some_and(|d| started.elapsed() >= d) {
                break;
            }
            if self.speed == Speed::Max {
                self.wait_for_answers(IN_FLIGHT, running);
            }
            if !wait_until_due(&mut pacer, at, &clock, self.stop.flag()) {
                break;
            }
            if let Some(report) = self.source.next() {
                self.send(&report)?;
            }
            self.tick(at, running);
        }
        if !self.stop.is_set() {
            commands::drain(&self.publisher, || self.stop.is_set())?;
            self.wait_for_answers(0, running);
            // The client library tells what it sent every half second.
            std::thread::sleep(Duration::from_millis(600));
        }
        Ok(())
    }

    /// Some hours of event time, a report a minute and node, no faster than the pipeline answers.
    fn history(&mut self, running: &[Running]) -> anyhow::Result<()> {
        let Some(begin) = self.source.next_event_ms() else {
            return Err(failure(exit::DATA, "the file to replay holds no reports"));
        };
        let end = begin.saturating_add(self.history_ms);
        let bar = progress::bar(
            (self.history_ms / 60_000).unsigned_abs(),
            "{elapsed_precise} {wide_bar} {pos} of {len} minutes of history",
        );
        let mut last_minute = std::collections::HashMap::new();
        while let Some(at) = self.source.next_event_ms().filter(|at| *at < end) {
            if self.stop.is_set() {
                break;
            }
            let Some(mut report) = self.source.next() else { break };
            let minute = at.div_euclid(HISTORY_INTERVAL_MS);
            if last_minute.insert(report.node_id.clone(), minute) == Some(minute) {
                continue;
            }
            report.interval_ms = report.interval_ms.max(HISTORY_INTERVAL_MS);
            self.send(&report)?;
            bar.set_position(((at - begin) / 60_000).unsigned_abs());
            self.wait_for_answers(IN_FLIGHT, running);
            self.tick(at, running);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn send(&mut self, report: &LoadReport) -> anyhow::Result<()> {
        self.json_bytes += serde_json::to_vec(report)?.len() as u64;
        self.observer.latency.sent(&report.node_id, report.sequence);
        self.sink.send(report)?;
        self.sent += 1;
        Ok(())
    }

    /// Waits until at most `open` reports have no command yet; those set aside or dropped count as answered.
    fn wait_for_answers(&mut self, open: u64, running: &[Running]) {
        let mut progress = (0, Instant::now());
        loop {
            let without = running.iter().map(|r| r.status.dead_letters() + r.status.dropped()).sum::<u64>();
            let answered = self.observer.commands.load(Ordering::Relaxed) + without;
            let stuck = progress.1.elapsed() > Duration::from_secs(30);
            if answered + open >= self.sent || stuck || self.stop.is_set() {
                return;
            }
            if progress.0 != answered {
                progress = (answered, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Once a second: the figures of the page.
    fn tick(&mut self, event_time: i64, running: &[Running]) {
        let (at, reports, forecasts, commands) = self.last;
        let seconds = at.elapsed().as_secs_f64();
        if seconds < 1.0 {
            return;
        }
        let now = (
            Instant::now(),
            self.sent,
            self.observer.forecasts.load(Ordering::Relaxed),
            self.observer.commands.load(Ordering::Relaxed),
        );
        let rate = |now: u64, before: u64| (now.saturating_sub(before)) as f64 / seconds;
        self.observer.page.stats(PageStats {
            reports_per_s: rate(now.1, reports),
            forecasts_per_s: rate(now.2, forecasts),
            commands_per_s: rate(now.3, commands),
            lag: Some(lag(running)),
            latency_p50_ms: self.observer.latency.quantile_ms(0.5),
            latency_p99_ms: self.observer.latency.quantile_ms(0.99),
            dead_letters: running.iter().map(|r| r.status.dead_letters()).sum(),
            broker: self.observer.broker.clone(),
            event_time: Some(event_time),
            speed: self.observer.speed,
        });
        self.last = now;
    }
}
