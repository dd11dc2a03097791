//! The forecast stage: load reports in, one forecast a report out.
//!
//! ```text
//! batch ─> rounds (the first new report of every node, then the second, …) ─> Model::predict ─> Forecast
//!                                                                          └> before it, where due: Checkpoint
//! restored: checkpoints ─> nodes ─> Model::rebuild with the load since
//! ```
//!
//! Rounds let the model work on many nodes at once without ever changing what a single node sees: the result of a row
//! does not depend on the other rows of its batch, bit for bit.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_broker::{DropReason, Past, Received, Rejection, Saved, Stage, Verdict};
use tidegate_forecast::{Model, NodeState, Prediction, Resource, ResourceForecast, Sample, Status};
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Checkpoint, Forecast, ForecastState, Load, LoadReport, MeasuredAt, Quantiles};

use crate::checkpoints::{self, Found};
use crate::forecast_metrics::ForecastErrors;
use crate::nodes::{Nodes, Standing, Turn};

/// A report of a round: its index in the batch, and the turn that is its node's; `None` where the node begins afresh with it.
type InRound = (usize, Option<Turn>);

/// The stage.
#[derive(Debug)]
pub struct ForecastStage {
    model: Arc<Model>,
    partitions: HashMap<i32, Nodes>,
    keeps_checkpoints: bool,
    /// Checkpoints of partitions that are restored.
    found: HashMap<i32, Found>,
    errors: Option<ForecastErrors>,
}

impl ForecastStage {
    /// A stage that forecasts with `model`.
    #[must_use]
    pub fn new(model: Arc<Model>) -> Self {
        Self { model, partitions: HashMap::new(), keeps_checkpoints: false, found: HashMap::new(), errors: None }
    }

    /// The same stage, which also makes checkpoints and takes them back.
    #[must_use]
    pub fn with_checkpoints(self) -> Self {
        Self { keeps_checkpoints: true, ..self }
    }

    /// The same stage, which also counts how far off its forecasts were.
    #[must_use]
    pub fn with_metrics(self, errors: ForecastErrors) -> Self {
        Self { errors: Some(errors), ..self }
    }

    /// What is kept of a node of a partition; `None` where it was never heard of.
    #[must_use]
    pub fn node(&self, partition: i32, node_id: &str) -> Option<&NodeState> {
        self.partitions.get(&partition)?.get(node_id)?.state.as_deref()
    }

    /// Sorts the new reports of a batch into rounds of distinct nodes; the indices of repeated ones are left.
    fn rounds(&mut self, batch: &[Received<LoadReport>], repeated: &mut Vec<usize>) -> Vec<Vec<InRound>> {
        let mut rounds: Vec<Vec<InRound>> = Vec::new();
        let mut taken: HashMap<(i32, &str), usize> = HashMap::with_capacity(batch.len());
        for (index, received) in batch.iter().enumerate() {
            let (report, source) = (&received.record, &received.source);
            let nodes = self.partitions.entry(source.partition).or_default();
            let (id, at) = (report.node_id.as_str(), report.timestamp);
            let standing = nodes.accept(id, report.sequence, source.offset, at, received.kafka_timestamp);
            let turn = match standing {
                Standing::Repeated => {
                    repeated.push(index);
                    continue;
                }
                Standing::GoesOn(turn) => Some(turn),
                Standing::Afresh => None,
            };
            let round = taken.entry((source.partition, id)).or_default();
            if rounds.len() <= *round {
                rounds.push(Vec::new());
            }
            rounds[*round].push((index, turn));
            *round += 1;
        }
        rounds
    }

    /// Forecasts one round: reports of distinct nodes.
    fn predict(&mut self, round: &[InRound], batch: &[Received<LoadReport>], verdicts: &mut Verdicts) {
        let mut states = self.take_states(round, batch);
        if self.keeps_checkpoints {
            self.keep(round, batch, &states, verdicts);
        }
        let counts = self.errors.is_some();
        let marks: Vec<_> = states.iter().map(|state| counts.then(|| state.marks())).collect();
        let predictions = self.model.predict(&mut rows(&mut states, round, batch));
        for ((((index, _), state), marks), prediction) in round.iter().zip(states).zip(marks).zip(predictions) {
            let received = &batch[*index];
            if let (Some(errors), Some(marks)) = (&mut self.errors, marks) {
                errors.note(&received.record, state.known_since(&marks));
            }
            self.put_state(received, state);
            let made = forecast(received, &prediction, self.model.name());
            verdicts.push((*index, Verdict::Output(made)));
        }
    }

    /// Makes the checkpoints that are due before these reports.
    fn keep(
        &mut self,
        round: &[InRound],
        batch: &[Received<LoadReport>],
        states: &[Box<NodeState>],
        verdicts: &mut Verdicts,
    ) {
        for ((index, turn), state) in round.iter().zip(states) {
            let (received, Some(turn)) = (&batch[*index], turn) else { continue };
            let Some(nodes) = self.partitions.get_mut(&received.source.partition) else { continue };
            if let Some(checkpoint) = checkpoints::before(received, *turn, state, nodes, &self.model) {
                verdicts.push((*index, kept(checkpoint)));
            }
        }
    }

    /// Checkpoints of nodes that went silent, and tombstones of those that were forgotten: with the first record of their
    /// partition in the batch, for they have none of their own.
    fn keep_silent(&mut self, batch: &[Received<LoadReport>], verdicts: &mut Verdicts) {
        for (partition, nodes) in self.partitions.iter_mut().filter(|(_, nodes)| nodes.has_silent()) {
            let Some(first) = batch.iter().position(|r| r.source.partition == *partition) else { continue };
            verdicts.extend(nodes.take_forgotten().into_iter().map(|node_id| (first, Verdict::Keep(node_id, None))));
            for node_id in nodes.take_silent() {
                let by = batch[first].source.offset;
                let made = checkpoints::silent(&node_id, by, nodes, &self.model);
                verdicts.extend(made.map(|checkpoint| (first, kept(checkpoint))));
            }
        }
    }

    fn take_states(&mut self, round: &[InRound], batch: &[Received<LoadReport>]) -> Vec<Box<NodeState>> {
        let take = |(index, turn): &InRound| {
            let received = &batch[*index];
            let node = self.partitions.get_mut(&received.source.partition);
            let left = node.and_then(|nodes| nodes.get_mut(&received.record.node_id)?.state.take());
            left.filter(|_| turn.is_some()).unwrap_or_default()
        };
        round.iter().map(take).collect()
    }

    fn put_state(&mut self, received: &Received<LoadReport>, state: Box<NodeState>) {
        let nodes = self.partitions.entry(received.source.partition).or_default();
        if let Some(node) = nodes.get_mut(&received.record.node_id) {
            node.state = Some(state);
        }
    }
}

impl Stage for ForecastStage {
    type Input = LoadReport;
    type Output = Forecast;

    fn name(&self) -> &'static str {
        "forecast"
    }

    fn input(&self) -> Topic {
        Topic::Load
    }

    fn output(&self) -> Topic {
        Topic::Forecasts
    }

    fn check(&self, report: &LoadReport, key: Option<&[u8]>, kafka_timestamp: Option<i64>) -> Result<(), Rejection> {
        let checked = report.validate_in_log(key, kafka_timestamp);
        checked.map_err(|e| Rejection { class: e.class(), message: e.to_string() })
    }

    fn process(&mut self, batch: &[Received<LoadReport>]) -> Vec<(usize, Verdict<Forecast>)> {
        let (mut verdicts, mut repeated) = (Verdicts::with_capacity(batch.len()), Vec::new());
        if let Some(errors) = &mut self.errors {
            errors.begin();
        }
        if self.keeps_checkpoints {
            self.keep_silent(batch, &mut verdicts);
        }
        for round in self.rounds(batch, &mut repeated) {
            self.predict(&round, batch, &mut verdicts);
        }
        verdicts.extend(repeated.into_iter().map(|index| (index, Verdict::Drop(DropReason::Repeated))));
        // A checkpoint stays before the forecast of its report.
        verdicts.sort_by_key(|(index, _)| *index);
        verdicts
    }

    fn label(&self, forecast: &Forecast) -> Option<&'static str> {
        Some(forecast.state.name())
    }

    fn published(&self, report: &LoadReport, _: &Forecast) {
        if let Some(errors) = &self.errors {
            errors.published(report);
        }
    }

    fn depends_on_past(&self) -> bool {
        true
    }

    fn keeps_checkpoints(&self) -> bool {
        self.keeps_checkpoints
    }

    fn restore_checkpoint(
        &mut self,
        partition: i32,
        past: (i64, Past),
        node_id: &str,
        saved: Saved,
    ) -> Result<(), String> {
        self.found.entry(partition).or_default().take(node_id, saved, past, self.model.name())
    }

    fn rebuild_from(&mut self, partition: i32, past: Past) -> i64 {
        let found = self.found.remove(&partition).unwrap_or_default();
        let (nodes, from) = found.nodes(past, &self.model);
        self.partitions.insert(partition, nodes);
        from
    }

    fn rebuild(&mut self, batch: &[Received<LoadReport>]) {
        for round in self.rounds(batch, &mut Vec::new()) {
            let mut states = self.take_states(&round, batch);
            self.model.rebuild(&mut rows(&mut states, &round, batch));
            for ((index, _), state) in round.iter().zip(states) {
                self.put_state(&batch[*index], state);
            }
        }
    }

    fn restored(&mut self, partition: i32) {
        if let Some(nodes) = self.partitions.get_mut(&partition) {
            self.model.settle(nodes.states_mut());
        }
    }

    fn rewind_to(&mut self, partition: i32) -> Option<Past> {
        let past = self.partitions.get_mut(&partition)?.past()?;
        Some(if self.keeps_checkpoints { past } else { Past::from(past.rewind) })
    }

    fn revoked(&mut self, partition: i32) {
        self.partitions.remove(&partition);
        self.found.remove(&partition);
    }
}

/// Verdicts of a batch, each with the index of its report.
type Verdicts = Vec<(usize, Verdict<Forecast>)>;

fn kept(checkpoint: Checkpoint) -> Verdict<Forecast> {
    Verdict::Keep(checkpoint.node_id.as_str().into(), Some(Box::new(checkpoint)))
}

/// What the model takes of a round.
fn rows<'s>(
    states: &'s mut [Box<NodeState>],
    round: &[InRound],
    batch: &[Received<LoadReport>],
) -> Vec<(&'s mut NodeState, Sample)> {
    let samples = round.iter().map(|(index, _)| sample(&batch[*index].record));
    states.iter_mut().map(|state| &mut **state).zip(samples).collect()
}

/// What a model sees of a report.
#[must_use]
pub fn sample(report: &LoadReport) -> Sample {
    Sample {
        timestamp_ms: report.timestamp,
        interval_ms: report.interval_ms,
        cpu: report.cpu.map(|x| x as f32),
        memory: report.memory.map(|x| x as f32),
    }
}

fn forecast(received: &Received<LoadReport>, prediction: &Prediction, model: &str) -> Forecast {
    let report = &received.record;
    let (path_cpu, peak_cpu) = parts(&prediction.cpu);
    let (path_memory, peak_memory) = parts(&prediction.memory);
    Forecast {
        node_id: report.node_id.clone(),
        pool: report.pool.clone(),
        timestamp: report.timestamp,
        sequence: report.sequence,
        base_quota: report.base_quota,
        quota_in_force: report.quota_in_force,
        quota_sequence: report.quota_sequence,
        requests_total: report.requests_total,
        requests_failed_total: report.requests_failed_total,
        current: Load { cpu: widen(prediction.cpu.current), memory: widen(prediction.memory.current) },
        measured_at: MeasuredAt {
            cpu: prediction.measured_ms[Resource::Cpu as usize].unwrap_or(0),
            memory: prediction.measured_ms[Resource::Memory as usize].unwrap_or(0),
        },
        path_cpu,
        path_memory,
        peak_cpu,
        peak_memory,
        state: match prediction.status {
            Status::Warming => ForecastState::Warming,
            Status::Ready => ForecastState::Ready,
            Status::Demoted => ForecastState::Demoted,
        },
        model: model.to_owned(),
        cause: received.source.cause(),
    }
}

fn parts(forecast: &ResourceForecast) -> (Vec<f64>, Quantiles) {
    let path = forecast.path.iter().map(|x| widen(*x)).collect();
    (path, Quantiles { p50: widen(forecast.peak.p50), p90: widen(forecast.peak.p90) })
}

/// An f32 rounded to 1e-4, as the nearest f64 with four decimals.
fn widen(x: f32) -> f64 {
    (f64::from(x) * 1e4).round() / 1e4
}
