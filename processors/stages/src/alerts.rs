//! The alerts stage: forecasts in, alerts that began to fire or were resolved out.
//!
//! ```text
//! Forecast ─> readings.rs ─> Watch (tidegate-alerts), one a partition ─> Change ─> Alert
//! restored: alerts that were told ─> Watch::recall, the forecasts of the rules' reach again ─> Watch::observe, Watch::settle
//! ```
//!
//! A partition of forecasts holds whole pools, so that rules may aggregate over one. Its clock is the newest event time in it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use prometheus::{IntCounter, IntGaugeVec, Opts};

use tidegate_alerts::{Change, Recalled, Report, Rules, Watch};
use tidegate_broker::Registry;
use tidegate_broker::{DropReason, Past, Received, Rejection, Stage, Verdict};
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Alert, AlertStatus, Cause, Forecast};

use crate::checked;
use crate::readings::readings;

/// Granularity of the way back into the log, in ms of event time.
const MARK_MS: i64 = 60_000;

/// The stage.
#[derive(Debug)]
pub struct AlertsStage {
    rules: Arc<Rules>,
    max_scale: f64,
    partitions: HashMap<i32, Partition>,
    firing: Option<Firing>,
    counted: u64,
}

/// What is kept of a partition.
#[derive(Debug)]
struct Partition {
    watch: Watch<Tag>,
    /// Newest event time and the offset at which it was reached, once a minute.
    marks: VecDeque<(i64, i64)>,
    /// What was told before, until the state is back.
    told: Vec<Recalled<Tag>>,
}

/// What an alert tells of the report behind it.
#[derive(Debug, Clone, PartialEq)]
struct Tag {
    topic: Arc<str>,
    partition: i32,
    offset: i64,
    quota: Option<f64>,
    quota_sequence: Option<i64>,
}

/// What `/metrics` tells of alerts.
#[derive(Debug)]
pub struct Firing {
    firing: IntGaugeVec,
    evaluations: IntCounter,
}

impl Firing {
    /// Registers the metrics.
    ///
    /// # Errors
    /// Where the registry already has them.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let firing = Opts::new("tidegate_alerts_firing", "Alerts that fire, by rule, of the partitions held.");
        let evaluations = Opts::new("tidegate_alert_evaluations_total", "Evaluations of alert rules.");
        let metrics =
            Self { firing: IntGaugeVec::new(firing, &["rule"])?, evaluations: IntCounter::with_opts(evaluations)? };
        registry.register(Box::new(metrics.firing.clone()))?;
        registry.register(Box::new(metrics.evaluations.clone()))?;
        Ok(metrics)
    }
}

impl AlertsStage {
    /// A stage that watches by `rules`; `max_scale` is the largest quota that the quota stage's settings allow, as a multiple of the
    /// base quota.
    #[must_use]
    pub fn new(rules: Arc<Rules>, max_scale: f64) -> Self {
        Self { rules, max_scale, partitions: HashMap::new(), firing: None, counted: 0 }
    }

    /// The same stage, which also tells what fires.
    #[must_use]
    pub fn with_metrics(self, firing: Firing) -> Self {
        Self { firing: Some(firing), ..self }
    }

    fn partition(&mut self, partition: i32) -> &mut Partition {
        let rules = &self.rules;
        let new = || Partition { watch: Watch::new(Arc::clone(rules)), marks: VecDeque::new(), told: Vec::new() };
        self.partitions.entry(partition).or_insert_with(new)
    }

    /// Takes one forecast; `None` where it is a repeated one.
    fn take(&mut self, received: &Received<Forecast>) -> Option<Vec<Change<Tag>>> {
        let (forecast, offset) = (&received.record, received.source.offset);
        let readings = readings(forecast, self.max_scale);
        let held = self.partition(received.source.partition);
        let topic = held.topic(&forecast.cause.topic);
        let Cause { partition, offset: of_report, .. } = forecast.cause;
        let (quota, quota_sequence) = (forecast.quota_in_force, forecast.quota_sequence);
        let tag = Tag { topic, partition, offset: of_report, quota, quota_sequence };
        let report = Report {
            node: &forecast.node_id,
            pool: &forecast.pool,
            at: forecast.timestamp,
            heard: received.kafka_timestamp.unwrap_or(forecast.timestamp),
            readings: &readings,
        };
        let changes = held.watch.observe(&report, tag)?;
        held.mark(offset);
        Some(changes)
    }

    fn tell(&mut self) {
        let Some(metrics) = &self.firing else { return };
        for (number, name) in self.rules.names().enumerate() {
            let firing = self.partitions.values().filter_map(|p| p.watch.firing().get(number)).sum::<usize>();
            metrics.firing.with_label_values(&[name]).set(firing as i64);
        }
        let evaluations = self.partitions.values().map(|p| p.watch.evaluations()).sum::<u64>();
        // A partition that went away takes its share with it: a counter never goes back.
        metrics.evaluations.inc_by(evaluations.saturating_sub(self.counted));
        self.counted = evaluations;
    }
}

impl Partition {
    /// The name of the topic of reports, as the last report had it where it is the same.
    fn topic(&self, name: &str) -> Arc<str> {
        match self.watch.last_tag() {
            Some(tag) if &*tag.topic == name => Arc::clone(&tag.topic),
            _ => name.into(),
        }
    }

    /// Notes where in the log the newest event time was reached.
    fn mark(&mut self, offset: i64) {
        let Some(newest) = self.watch.newest() else { return };
        if self.marks.back().is_none_or(|(last, _)| newest.div_euclid(MARK_MS) > last.div_euclid(MARK_MS)) {
            self.marks.push_back((newest, offset));
        }
    }

    /// The offset from which on all reports since an event time stand.
    fn since(&mut self, event_time: i64) -> Option<i64> {
        while self.marks.get(1).is_some_and(|(reached, _)| *reached <= event_time) {
            self.marks.pop_front();
        }
        self.marks.front().map(|(_, offset)| *offset)
    }
}

impl Stage for AlertsStage {
    type Input = Forecast;
    type Output = Alert;

    fn name(&self) -> &'static str {
        "alerts"
    }

    fn input(&self) -> Topic {
        Topic::Forecasts
    }

    fn output(&self) -> Topic {
        Topic::Alerts
    }

    fn check(&self, forecast: &Forecast, _: Option<&[u8]>, _: Option<i64>) -> Result<(), Rejection> {
        checked::forecast(forecast)
    }

    fn process(&mut self, batch: &[Received<Forecast>]) -> Vec<(usize, Verdict<Alert>)> {
        let mut verdicts = Vec::new();
        for (index, received) in batch.iter().enumerate() {
            match self.take(received) {
                None => verdicts.push((index, Verdict::Drop(DropReason::Repeated))),
                Some(changes) => verdicts.extend(changes.into_iter().map(|c| (index, Verdict::Output(alert(c))))),
            }
        }
        self.tell();
        verdicts
    }

    fn label(&self, alert: &Alert) -> Option<&'static str> {
        Some(match alert.status {
            AlertStatus::Firing => "FIRING",
            AlertStatus::Resolved => "RESOLVED",
        })
    }

    fn restores_from_output(&self) -> bool {
        true
    }

    fn restore(&mut self, partition: i32, alert: Alert) {
        let told = &mut self.partition(partition).told;
        let ended = alert.ends_at;
        let change = change(alert);
        // The topic keeps the last record of an alert: that it ended says when it began as well.
        if let Some(at) = ended {
            let began = Change { reported_at: change.reported_at.min(change.fired_at), ..change.clone() };
            told.push(Recalled { change: began });
            told.push(Recalled { change: Change { at, firing: false, ..change } });
        } else {
            told.push(Recalled { change });
        }
    }

    fn depends_on_past(&self) -> bool {
        true
    }

    fn rebuild(&mut self, batch: &[Received<Forecast>]) {
        for received in batch {
            let partition = self.partition(received.source.partition);
            if partition.watch.newest().is_none() {
                let told = std::mem::take(&mut partition.told);
                partition.watch.recall(told);
                if received.source.offset > 0 {
                    partition.watch.begin_in_the_middle();
                }
            }
            self.take(received);
        }
    }

    fn restored(&mut self, partition: i32) {
        let held = self.partition(partition);
        if held.watch.newest().is_none() {
            let told = std::mem::take(&mut held.told);
            held.watch.recall(told);
        }
        held.watch.settle();
        self.counted = self.partitions.values().map(|p| p.watch.evaluations()).sum();
        self.tell();
    }

    fn rewind_to(&mut self, partition: i32) -> Option<Past> {
        let reach = self.rules.reach_ms();
        let held = self.partitions.get_mut(&partition)?;
        let oldest = held.watch.oldest();
        held.since(oldest.saturating_sub(reach)).map(Past::from)
    }

    fn revoked(&mut self, partition: i32) {
        self.partitions.remove(&partition);
        self.counted = self.partitions.values().map(|p| p.watch.evaluations()).sum();
    }
}

fn alert(change: Change<Tag>) -> Alert {
    let mut annotations = change.annotations;
    let node_id = change.labels.get("node").cloned().unwrap_or_default();
    if let Some(tag) = change.tag.as_ref().filter(|_| !node_id.is_empty()) {
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                annotations.entry(name.to_owned()).or_insert(value);
            }
        };
        put("quota", tag.quota.map(|quota| quota.to_string()));
        put("quota_sequence", tag.quota_sequence.map(|sequence| sequence.to_string()));
    }
    Alert {
        fingerprint: change.fingerprint,
        rule: change.rule,
        status: if change.firing { AlertStatus::Firing } else { AlertStatus::Resolved },
        node_id,
        labels: change.labels,
        annotations,
        value: change.value,
        starts_at: change.active_at,
        fired_at: change.fired_at,
        reported_at: change.reported_at,
        ends_at: (!change.firing).then_some(change.at),
        cause: change.tag.map_or_else(Cause::default, |tag| Cause {
            topic: tag.topic.to_string(),
            partition: tag.partition,
            offset: tag.offset,
        }),
    }
}

/// The change by which an alert began to fire.
fn change(alert: Alert) -> Change<Tag> {
    let Cause { topic, partition, offset } = alert.cause;
    let number = |name: &str| alert.annotations.get(name).and_then(|text| text.parse::<f64>().ok());
    let sequence = |name: &str| alert.annotations.get(name).and_then(|text| text.parse::<i64>().ok());
    let (quota, quota_sequence) = (number("quota"), sequence("quota_sequence"));
    Change {
        at: alert.fired_at,
        firing: true,
        rule: alert.rule,
        fingerprint: alert.fingerprint,
        tag: Some(Tag { topic: topic.into(), partition, offset, quota, quota_sequence }),
        labels: alert.labels,
        annotations: alert.annotations,
        value: alert.value,
        active_at: alert.starts_at,
        fired_at: alert.fired_at,
        reported_at: alert.reported_at,
    }
}
