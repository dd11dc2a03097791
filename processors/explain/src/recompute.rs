//! The production stages over the stretch of a case: what they say, and where it comes from.

use std::sync::Arc;

use tidegate_broker::{Received, Source, Stage, Verdict};
use tidegate_forecast::{Model, REACH_MS, Resource, Status};
use tidegate_quota::Settings;
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Forecast, ForecastState, LoadReport, QuotaCommand};
use tidegate_schemas::trace::TraceContext;
use tidegate_stages::{ForecastStage, QuotaStage, primed};

use crate::alerts::around;
use crate::case::Case;
use crate::compare::compare;
use crate::error::ExplainError;
use crate::explanation::{
    ByResource, Decided, Explanation, Position, Reproduced, Said, Saw, StepView, Stretch, WhatModelSaid,
};
use crate::held::Held;
use crate::steps::steps;

/// Fresh stages of production.
#[derive(Debug)]
pub struct Stages {
    forecast: ForecastStage,
    /// The same model, never demoted: what it says underneath.
    alone: ForecastStage,
    quota: QuotaStage,
}

/// What the forecast stage made of the stretch.
struct Run {
    forecast: Forecast,
    underneath: Option<Forecast>,
    left_out: usize,
}

impl Stages {
    /// Stages that forecast with `model` and decide by `settings`.
    #[must_use]
    pub fn new(model: Model, settings: Settings) -> Self {
        let quota = QuotaStage::new(primed(settings, &model));
        let alone = ForecastStage::new(Arc::new(model.clone().without_demotion()));
        Self { forecast: ForecastStage::new(Arc::new(model)), alone, quota }
    }

    /// Makes the decision of a case again.
    ///
    /// # Errors
    /// [`ExplainError::NoDecision`] where the report leads to none, [`ExplainError::Schema`] where a record fits no schema.
    pub fn explain(mut self, case: &Case) -> Result<Explanation, ExplainError> {
        let cause = case.stretch.last().ok_or_else(|| ExplainError::Schema("the case holds no report".to_owned()))?;
        let run = self.run(case, cause)?;
        let (command, steps) = self.decide(case, &run.forecast, cause)?;
        let controls = self.quota.in_force(&run.forecast).said;
        let mut differences = Vec::new();
        let forecast = compare("forecast", case.forecast.as_ref(), &run.forecast, Topic::Forecasts, &mut differences)?;
        let quota = compare("quota", case.command.as_ref(), &command, Topic::Quotas, &mut differences)?;
        let view = |resource| self.forecast.node(cause.raw.partition, &cause.record.node_id)?.view(resource);
        Ok(Explanation {
            node_id: cause.record.node_id.clone(),
            sequence: cause.record.sequence,
            timestamp: cause.record.timestamp,
            trace_id: trace_id(case, cause),
            cause: Position {
                topic: cause.raw.topic.clone(),
                partition: cause.raw.partition,
                offset: cause.raw.offset,
                kafka_timestamp: cause.raw.timestamp,
            },
            report: cause.record.clone(),
            stretch: Stretch {
                since: cause.record.timestamp.saturating_sub(REACH_MS),
                reports: case.stretch.len(),
                left_out: run.left_out,
                missing: case.missing.clone(),
            },
            saw: Saw { cpu: view(Resource::Cpu), memory: view(Resource::Memory) },
            said: said(&run),
            decided: Decided { before: case.before.clone(), steps, controls, command },
            alerts: around(&case.alerts, cause.record.timestamp),
            alert: case.alarm.as_ref().map(|alarm| alarm.view(cause.record.timestamp)),
            reproduced: Reproduced { forecast, quota, differences },
        })
    }

    /// The forecast stages over the stretch, report by report: the size of the batches changes nothing.
    fn run(&mut self, case: &Case, cause: &Held<LoadReport>) -> Result<Run, ExplainError> {
        let (mut said, mut left_out) = (None, 0);
        for held in &case.stretch {
            let received = received(held);
            let checked = self.forecast.check(&held.record, held.raw.key.as_deref(), held.raw.timestamp);
            let batch = [received];
            let outcome = match checked {
                Ok(()) => only(self.forecast.process(&batch)),
                Err(rejection) => Err(rejection.message),
            };
            let underneath = outcome.as_ref().ok().and_then(|_| only(self.alone.process(&batch)).ok());
            left_out += usize::from(outcome.is_err());
            said = Some((outcome, underneath));
        }
        let no_decision = |why: String| ExplainError::NoDecision { position: position(cause), why };
        match said {
            Some((Ok(forecast), underneath)) => Ok(Run { forecast, underneath, left_out }),
            Some((Err(why), _)) => Err(no_decision(why)),
            None => Err(no_decision("it is not there".to_owned())),
        }
    }

    /// The quota stage as it stood after the command before, given the forecast.
    fn decide(
        &mut self,
        case: &Case,
        forecast: &Forecast,
        cause: &Held<LoadReport>,
    ) -> Result<(QuotaCommand, Vec<StepView>), ExplainError> {
        let at = case.forecast.as_ref().map_or(0, |held| held.raw.partition);
        let source = Source { topic: Topic::Forecasts.short_name().into(), partition: at, offset: 0 };
        if let Some(before) = &case.before {
            self.quota.restore(at, before.clone());
        }
        for control in &case.controls {
            let key = control.raw.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            self.quota.side(&key, control.record.clone());
        }
        let no_decision = |why: String| ExplainError::NoDecision { position: position(cause), why };
        self.quota.check(forecast, None, None).map_err(|rejection| no_decision(rejection.message))?;
        let decision = self.quota.decision(at, forecast);
        let received = Received { record: forecast.clone(), source, kafka_timestamp: None, trace: None };
        let command = only(self.quota.process(&[received])).map_err(no_decision)?;
        Ok((command, steps(&decision)))
    }
}

/// The verdict on a batch of one, or why it led to nothing.
fn only<T>(verdicts: Vec<(usize, Verdict<T>)>) -> Result<T, String> {
    match verdicts.into_iter().next() {
        Some((_, Verdict::Output(output))) => Ok(output),
        Some((_, Verdict::Drop(reason))) => Err(reason.name().to_owned()),
        Some((_, Verdict::Keep(..))) | None => Err("the stage says nothing".to_owned()),
    }
}

fn received(held: &Held<LoadReport>) -> Received<LoadReport> {
    Received {
        record: held.record.clone(),
        source: Source {
            topic: held.raw.topic.as_str().into(),
            partition: held.raw.partition,
            offset: held.raw.offset,
        },
        kafka_timestamp: held.raw.timestamp,
        trace: None,
    }
}

fn position(held: &Held<LoadReport>) -> String {
    format!("{}/{}/{}", held.raw.topic, held.raw.partition, held.raw.offset)
}

fn said(run: &Run) -> Said {
    let Run { forecast, underneath, .. } = run;
    let cpu = |forecast: &Forecast| WhatModelSaid {
        peak_p50: forecast.peak_cpu.p50,
        peak_p90: forecast.peak_cpu.p90,
        path: forecast.path_cpu.clone(),
    };
    let memory = |forecast: &Forecast| WhatModelSaid {
        peak_p50: forecast.peak_memory.p50,
        peak_p90: forecast.peak_memory.p90,
        path: forecast.path_memory.clone(),
    };
    let state = match forecast.state {
        ForecastState::Warming => Status::Warming,
        ForecastState::Ready => Status::Ready,
        ForecastState::Demoted => Status::Demoted,
    };
    let differs = underneath.as_ref().filter(|alone| (cpu(alone), memory(alone)) != (cpu(forecast), memory(forecast)));
    Said {
        state,
        model: forecast.model.clone(),
        cpu: cpu(forecast),
        memory: memory(forecast),
        underneath: differs.map(|alone| ByResource { cpu: cpu(alone), memory: memory(alone) }),
    }
}

/// The trace of the command, of its forecast, or of the report: they share one.
fn trace_id(case: &Case, cause: &Held<LoadReport>) -> Option<String> {
    let headers = [
        case.command.as_ref().map(|held| &held.raw.headers),
        case.forecast.as_ref().map(|held| &held.raw.headers),
        Some(&cause.raw.headers),
    ];
    headers.into_iter().flatten().find_map(|headers| TraceContext::in_headers(headers)).map(|trace| trace.trace_id())
}
