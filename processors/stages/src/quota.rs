//! The quota stage: forecasts in, one command a forecast out, changed or not: it renews the lease.
//!
//! Its state is the last command of each node, which the compacted quotas topic keeps: a forecast at or below the
//! sequence of the last command was answered already. Operators' controls come from the side input.

use std::collections::HashMap;

use tidegate_broker::{DropReason, Received, Rejection, Stage, Verdict};
use tidegate_quota::{Decision, InForce, Inputs, Settings, decide};
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Control, Forecast, ForecastState, QuotaCommand};

use crate::controls::ControlTable;

/// The stage.
#[derive(Debug)]
pub struct QuotaStage {
    settings: Settings,
    /// Sequence of each node's last command, by partition.
    answered: HashMap<i32, HashMap<Box<str>, i64>>,
    controls: ControlTable,
    /// Newest event time processed: what is told of the controls goes by it, never a decision.
    newest: i64,
}

impl QuotaStage {
    /// A stage that decides by `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, answered: HashMap::new(), controls: ControlTable::default(), newest: i64::MIN }
    }

    /// The controls that are in force for a forecast.
    #[must_use]
    pub fn in_force(&self, forecast: &Forecast) -> InForce {
        self.controls.in_force(&forecast.node_id, &forecast.pool, forecast.timestamp)
    }

    /// The decision that [`Stage::process`] would make for this forecast now; nothing changes.
    #[must_use]
    pub fn decision(&self, _partition: i32, forecast: &Forecast) -> Decision {
        decide(&self.settings, &inputs(forecast))
    }

    /// Notes the sequence; `false` where it was answered before.
    fn is_new(&mut self, partition: i32, node_id: &str, sequence: i64) -> bool {
        let nodes = self.answered.entry(partition).or_default();
        match nodes.get_mut(node_id) {
            Some(last) if sequence <= *last => false,
            Some(last) => {
                *last = sequence;
                true
            }
            None => {
                nodes.insert(node_id.into(), sequence);
                true
            }
        }
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
        let reject = |class, message: &str| Err(Rejection { class, message: message.to_owned() });
        if forecast.node_id.is_empty() {
            return reject("empty-node-id", "the node id is empty");
        }
        let numbers = [forecast.peak_cpu.p50, forecast.peak_memory.p50, forecast.current.cpu, forecast.current.memory];
        if numbers.iter().any(|x| !x.is_finite()) {
            return reject("bad-number", "a forecast value is not a finite number");
        }
        if !(forecast.base_quota.is_finite() && forecast.base_quota > 0.0) {
            return reject("bad-base-quota", "base_quota is not a finite number above 0");
        }
        Ok(())
    }

    fn process(&mut self, batch: &[Received<Forecast>]) -> Vec<(usize, Verdict<QuotaCommand>)> {
        let mut verdicts = Vec::with_capacity(batch.len());
        for (index, received) in batch.iter().enumerate() {
            let forecast = &received.record;
            self.newest = self.newest.max(forecast.timestamp);
            let new = self.is_new(received.source.partition, &forecast.node_id, forecast.sequence);
            verdicts.push((
                index,
                if new {
                    Verdict::Output(command(forecast, self.decision(received.source.partition, forecast)))
                } else {
                    Verdict::Drop(DropReason::Repeated)
                },
            ));
        }
        verdicts
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
        self.is_new(partition, &command.node_id, command.sequence);
    }

    fn revoked(&mut self, partition: i32) {
        self.answered.remove(&partition);
    }
}

fn inputs(forecast: &Forecast) -> Inputs {
    Inputs {
        timestamp: forecast.timestamp,
        base_quota: forecast.base_quota,
        peak_cpu: forecast.peak_cpu.p50,
        peak_memory: forecast.peak_memory.p50,
        current_cpu: forecast.current.cpu,
        current_memory: forecast.current.memory,
        from_model: forecast.state == ForecastState::Ready,
    }
}

fn command(forecast: &Forecast, decision: Decision) -> QuotaCommand {
    let inputs = inputs(forecast);
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
        predicted_load: inputs.predicted_load(),
        current_load: inputs.current_load(),
        margin: 0.0,
        hold_until: None,
        model: forecast.model.clone(),
        policy: decision.policy.to_owned(),
        valid_until: decision.valid_until,
        cause: forecast.cause.clone(),
    }
}
