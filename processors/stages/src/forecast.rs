//! The forecast stage: load reports in, one forecast a report out.
//!
//! ```text
//! batch ─> rounds (the first new report of every node, then the second, …) ─> Model::predict ─> Forecast
//! ```
//!
//! Rounds let the model work on many nodes at once without ever changing what a single node sees: the result of a row
//! does not depend on the other rows of its batch, bit for bit.

use std::collections::HashMap;
use std::sync::Arc;

use tidegate_broker::{DropReason, Received, Rejection, Stage, Verdict};
use tidegate_forecast::{Model, NodeState, Prediction, Resource, ResourceForecast, Sample, Status};
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Forecast, ForecastState, Load, LoadReport, MeasuredAt, Quantiles};

use crate::nodes::{Nodes, Standing};

/// A report of a round: its index in the batch, and whether its node begins afresh with it.
type Turn = (usize, bool);

/// The stage.
#[derive(Debug)]
pub struct ForecastStage {
    model: Arc<Model>,
    partitions: HashMap<i32, Nodes>,
}

impl ForecastStage {
    /// A stage that forecasts with `model`.
    #[must_use]
    pub fn new(model: Arc<Model>) -> Self {
        Self { model, partitions: HashMap::new() }
    }

    /// What is kept of a node of a partition; `None` where it was never heard of.
    #[must_use]
    pub fn node(&self, partition: i32, node_id: &str) -> Option<&NodeState> {
        self.partitions.get(&partition)?.get(node_id)?.state.as_deref()
    }

    /// Sorts the new reports of a batch into rounds of distinct nodes; repeated ones become verdicts at once.
    fn rounds(&mut self, batch: &[Received<LoadReport>], verdicts: &mut [Option<Verdict<Forecast>>]) -> Vec<Vec<Turn>> {
        let mut rounds: Vec<Vec<Turn>> = Vec::new();
        let mut taken: HashMap<(i32, &str), usize> = HashMap::with_capacity(batch.len());
        for (index, received) in batch.iter().enumerate() {
            let (report, source) = (&received.record, &received.source);
            let nodes = self.partitions.entry(source.partition).or_default();
            let (id, at) = (report.node_id.as_str(), report.timestamp);
            let standing = nodes.accept(id, report.sequence, source.offset, at, received.kafka_timestamp);
            if standing == Standing::Repeated {
                verdicts[index] = Some(Verdict::Drop(DropReason::Repeated));
                continue;
            }
            let round = taken.entry((source.partition, id)).or_default();
            if rounds.len() <= *round {
                rounds.push(Vec::new());
            }
            rounds[*round].push((index, standing == Standing::Afresh));
            *round += 1;
        }
        rounds
    }

    /// Forecasts one round: reports of distinct nodes.
    fn predict(&mut self, round: &[Turn], batch: &[Received<LoadReport>], verdicts: &mut [Option<Verdict<Forecast>>]) {
        let mut states: Vec<Box<NodeState>> = round.iter().map(|turn| self.take_state(*turn, batch)).collect();
        let mut rows: Vec<(&mut NodeState, Sample)> = states
            .iter_mut()
            .zip(round)
            .map(|(state, (index, _))| (&mut **state, sample(&batch[*index].record)))
            .collect();
        let predictions = self.model.predict(&mut rows);
        for (((index, _), state), prediction) in round.iter().zip(states).zip(predictions) {
            let received = &batch[*index];
            self.put_state(received, state);
            verdicts[*index] = Some(Verdict::Output(forecast(received, &prediction, self.model.name())));
        }
    }

    fn take_state(&mut self, (index, afresh): Turn, batch: &[Received<LoadReport>]) -> Box<NodeState> {
        let received = &batch[index];
        let node = self.partitions.get_mut(&received.source.partition);
        let left = node.and_then(|nodes| nodes.get_mut(&received.record.node_id)?.state.take());
        left.filter(|_| !afresh).unwrap_or_default()
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
        let mut verdicts: Vec<Option<Verdict<Forecast>>> = batch.iter().map(|_| None).collect();
        for round in self.rounds(batch, &mut verdicts) {
            self.predict(&round, batch, &mut verdicts);
        }
        verdicts.into_iter().enumerate().filter_map(|(index, verdict)| Some((index, verdict?))).collect()
    }

    fn label(&self, forecast: &Forecast) -> Option<&'static str> {
        Some(forecast.state.name())
    }

    fn depends_on_past(&self) -> bool {
        true
    }

    fn rewind_to(&mut self, partition: i32) -> Option<i64> {
        self.partitions.get_mut(&partition)?.rewind_to()
    }

    fn revoked(&mut self, partition: i32) {
        self.partitions.remove(&partition);
    }
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
