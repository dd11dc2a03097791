//! The quota stage: forecasts in, one command a forecast out, changed or not: it renews the lease.
//!
//! Its state is the last command of each node, which the compacted quotas topic keeps: what a node's last command left
//! goes into its next decision, and a forecast at or below that command's sequence was answered already. Operators' controls come from
//! the side input.

use std::collections::HashMap;

use tidegate_broker::{DropReason, Received, Rejection, Stage, Verdict};
use tidegate_quota::{Before, Decision, Figures, InForce, Inputs, Mode, Settings, decide};
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Control, Forecast, ForecastState, Quantiles, QuotaCommand, QuotaMode};

use crate::checked;
use crate::controls::ControlTable;
use crate::quota_metrics::QuotaMetrics;

/// The stage.
#[derive(Debug)]
pub struct QuotaStage {
    settings: Settings,
    /// Each node's last command, by partition.
    nodes: HashMap<i32, HashMap<Box<str>, Answered>>,
    controls: ControlTable,
    /// Newest event time processed: what is told of the controls goes by it, never a decision.
    newest: i64,
    metrics: Option<QuotaMetrics>,
}

/// The last answer of a node.
#[derive(Debug)]
struct Answered {
    sequence: i64,
    before: Before,
}

impl QuotaStage {
    /// A stage that decides by `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, nodes: HashMap::new(), controls: ControlTable::default(), newest: i64::MIN, metrics: None }
    }

    /// The same stage, which also counts what it publishes.
    #[must_use]
    pub fn with_metrics(self, metrics: QuotaMetrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// The controls that are in force for a forecast.
    #[must_use]
    pub fn in_force(&self, forecast: &Forecast) -> InForce {
        self.controls.in_force(&forecast.node_id, &forecast.pool, forecast.timestamp)
    }

    /// The decision that [`Stage::process`] would make for this forecast now; nothing changes.
    #[must_use]
    pub fn decision(&self, partition: i32, forecast: &Forecast) -> Decision {
        let last = self.nodes.get(&partition).and_then(|nodes| nodes.get(forecast.node_id.as_str()));
        let before = last.map(|last| &last.before);
        decide(&self.settings, &inputs(forecast), before, &self.in_force(forecast))
    }

    /// Answers a forecast; `None` where it was answered before.
    fn answer(&mut self, partition: i32, forecast: &Forecast) -> Option<QuotaCommand> {
        let known = self.nodes.get(&partition).and_then(|nodes| nodes.get(forecast.node_id.as_str()));
        if known.is_some_and(|last| forecast.sequence <= last.sequence) {
            return None;
        }
        let decision = self.decision(partition, forecast);
        let answered = Answered { sequence: forecast.sequence, before: decision.leaves() };
        let nodes = self.nodes.entry(partition).or_default();
        match nodes.get_mut(forecast.node_id.as_str()) {
            Some(last) => *last = answered,
            None => {
                nodes.insert(forecast.node_id.as_str().into(), answered);
            }
        }
        Some(command(forecast, decision))
    }
}

impl Stage for QuotaStage {
    type Input = Forecast;
    type Output = QuotaCommand;

    fn name(&self) -> &'static str {
        "quota"
    }

    fn input(&self) -> Topic {
        Topic::Forecasts
    }

    fn output(&self) -> Topic {
        Topic::Quotas
    }

    fn check(&self, forecast: &Forecast, _: Option<&[u8]>, _: Option<i64>) -> Result<(), Rejection> {
        checked::forecast(forecast)
    }

    fn process(&mut self, batch: &[Received<Forecast>]) -> Vec<(usize, Verdict<QuotaCommand>)> {
        let mut verdicts = Vec::with_capacity(batch.len());
        for (index, received) in batch.iter().enumerate() {
            self.newest = self.newest.max(received.record.timestamp);
            let answer = self.answer(received.source.partition, &received.record);
            verdicts.push((index, answer.map_or(Verdict::Drop(DropReason::Repeated), Verdict::Output)));
        }
        verdicts
    }

    fn published(&self, forecast: &Forecast, command: &QuotaCommand) {
        if let Some(metrics) = &self.metrics {
            metrics.published(forecast, command);
        }
    }

    fn traces_whole(&self, command: &QuotaCommand) -> bool {
        self.controls.traces(&command.node_id, &command.pool, command.timestamp)
    }

    fn side_input(&self) -> Option<Topic> {
        Some(Topic::Controls)
    }

    fn check_side(&self, key: &str, control: &Control) -> Result<(), Rejection> {
        ControlTable::check(key, control)
    }

    fn side(&mut self, key: &str, value: Option<Control>) {
        self.controls.take(key, value);
    }

    fn controls_in_force(&self) -> usize {
        self.controls.in_force_at(self.newest)
    }

    fn restores_from_output(&self) -> bool {
        true
    }

    fn restore(&mut self, partition: i32, command: QuotaCommand) {
        let nodes = self.nodes.entry(partition).or_default();
        if nodes.get(command.node_id.as_str()).is_none_or(|last| last.sequence < command.sequence) {
            let before = Before {
                quota: command.quota,
                hold_until: command.hold_until,
                valid_until: command.valid_until,
                steering: command.steering,
            };
            nodes.insert(command.node_id.into(), Answered { sequence: command.sequence, before });
        }
    }

    fn revoked(&mut self, partition: i32) {
        self.nodes.remove(&partition);
    }
}

fn inputs(forecast: &Forecast) -> Inputs {
    let Forecast { current, peak_cpu, peak_memory, measured_at, .. } = forecast;
    let figures =
        |current, peak: &Quantiles, measured_at| Figures { current, p50: peak.p50, p90: peak.p90, measured_at };
    Inputs {
        timestamp: forecast.timestamp,
        base_quota: forecast.base_quota,
        cpu: figures(current.cpu, peak_cpu, measured_at.cpu),
        memory: figures(current.memory, peak_memory, measured_at.memory),
        from_model: forecast.state == ForecastState::Ready,
    }
}

fn command(forecast: &Forecast, decision: Decision) -> QuotaCommand {
    QuotaCommand {
        node_id: forecast.node_id.clone(),
        pool: forecast.pool.clone(),
        timestamp: forecast.timestamp,
        sequence: forecast.sequence,
        base_quota: forecast.base_quota,
        quota: decision.quota,
        scale_factor: decision.scale_factor,
        reason: decision.reason,
        limits_hit: decision.bounds.iter().map(|bound| bound.limit.to_owned()).collect(),
        predicted_load: decision.predicted_load,
        forecast_p90: decision.forecast_p90,
        current_load: decision.current_load,
        margin: decision.margin,
        hold_until: decision.hold_until,
        model: forecast.model.clone(),
        policy: decision.policy.to_string(),
        mode: match decision.mode {
            Mode::Enforce => QuotaMode::Enforce,
            Mode::Recommend => QuotaMode::Recommend,
        },
        steering: decision.steering,
        valid_until: decision.valid_until,
        cause: forecast.cause.clone(),
    }
}
