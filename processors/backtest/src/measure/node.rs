//! What is measured on one node while its reports pass.
//!
//! A decision waits until its 5 minutes have passed: each sample on the way is held against its quotas, and at the end the
//! outcome is held against its forecasts. So memory holds 5 minutes of decisions a node, whatever the file, and the loads.

use std::collections::VecDeque;

use tidegate_forecast::baseline::{Baselines, Linear, Row};
use tidegate_forecast::{Horizon, Outcome, Resource, Sample};
use tidegate_quota::Counted;
use tidegate_schemas::records::{Forecast, ForecastState, ForecastsByState, LoadReport};
use tidegate_stages::sample;

use super::Options;
use super::errors::{Claim, Errors};
use super::policy::PolicySums;
use super::trace::TracePoint;
use crate::demand::load;
use crate::runner::Decided;

/// Model and simple forecasts.
pub(super) const FORECASTERS: usize = 5;
/// Decisions of one node that wait at most; beyond, the oldest is given up.
const WAITING: usize = 20_000;
const DAY_MS: i64 = 86_400_000;

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) reports: u64,
    pub(super) states: ForecastsByState,
    /// By resource, then forecaster: the model, then the simple ones in their order.
    pub(super) errors: [[Errors; FORECASTERS]; 2],
    /// Errors of what was published, warming included, by resource.
    pub(super) all_states: [Errors; 2],
    pub(super) policies: Vec<PolicySums>,
    /// Load that counts and base quota of each measured sample.
    pub(super) demands: Vec<(f32, f32)>,
    pub(super) trace: Vec<TracePoint>,
    simple: Baselines,
    waiting: VecDeque<Waiting>,
    first_ms: i64,
    last_ms: i64,
    last_measured_ms: Option<i64>,
    newest: Vec<Option<Held>>,
}

/// The newest command of a policy.
#[derive(Debug, Clone, Copy)]
struct Held {
    quota: f64,
    valid_until: i64,
}

/// A decision whose 5 minutes have not passed.
#[derive(Debug)]
struct Waiting {
    at_ms: i64,
    counted: bool,
    later: bool,
    state: ForecastState,
    quotas: Vec<f64>,
    resources: [Option<Expected>; 2],
    load: Option<f64>,
}

#[derive(Debug)]
struct Expected {
    horizon: Horizon,
    row: Option<Row>,
    claims: [Claim; FORECASTERS],
}

impl Node {
    pub(super) fn new(first_ms: i64, policies: usize) -> Self {
        Self {
            reports: 0,
            states: ForecastsByState::default(),
            errors: Default::default(),
            all_states: Default::default(),
            policies: vec![PolicySums::default(); policies],
            demands: Vec::new(),
            trace: Vec::new(),
            simple: Baselines::new(),
            waiting: VecDeque::new(),
            first_ms,
            last_ms: first_ms,
            last_measured_ms: None,
            newest: vec![None; policies],
        }
    }

    /// Takes a decision in; its report is a sample for those before it.
    pub(super) fn take(&mut self, decided: &Decided, options: &Options, linear: &mut Linear) {
        let report = &decided.received.record;
        let counted = options.from_ms.is_none_or(|from| report.timestamp >= from);
        self.sample(report, options.resource, counted);
        self.last_ms = self.last_ms.max(report.timestamp);
        while self.waiting.front().is_some_and(|oldest| oldest.end_ms() <= self.last_ms) {
            self.judge_oldest(options, linear);
        }
        if self.waiting.len() >= WAITING {
            self.judge_oldest(options, linear);
        }
        let sample = sample(report);
        self.simple.observe(&sample);
        let waiting = self.expect(decided, &sample, options.resource, counted, linear);
        if counted {
            self.count(decided);
        }
        for (newest, command) in self.newest.iter_mut().zip(&decided.commands) {
            let quota = command.quota / command.base_quota;
            *newest = Some(Held { quota, valid_until: command.valid_until });
        }
        self.waiting.push_back(waiting);
    }

    /// Judges what still waits.
    pub(super) fn finish(&mut self, options: &Options, linear: &mut Linear) {
        while !self.waiting.is_empty() {
            self.judge_oldest(options, linear);
        }
    }

    /// Holds a report against the quotas before it.
    fn sample(&mut self, report: &LoadReport, resource: Counted, counted: bool) {
        let at = report.timestamp;
        let load = load(resource, report);
        let measured = [report.cpu, report.memory];
        for waiting in &mut self.waiting {
            for (expected, load) in waiting.resources.iter_mut().zip(measured) {
                if let Some((expected, load)) = expected.as_mut().zip(load) {
                    expected.horizon.see(at, load as f32);
                }
            }
            if let Some(load) = load.filter(|_| waiting.counted && waiting.holds(at)) {
                for (sums, quota) in self.policies.iter_mut().zip(&waiting.quotas) {
                    sums.horizon(*quota, load, waiting.later);
                }
            }
        }
        let Some(load) = load.filter(|_| counted) else { return };
        self.demands.push((load as f32, report.base_quota as f32));
        for (sums, newest) in self.policies.iter_mut().zip(&self.newest) {
            let held = newest.filter(|held| at <= held.valid_until);
            sums.in_force(held.map_or(1.0, |held| held.quota), load, report.base_quota);
        }
    }

    fn count(&mut self, decided: &Decided) {
        let at = decided.received.record.timestamp;
        self.reports += 1;
        self.states.count(decided.forecast.state);
        if let Some(last) = self.last_measured_ms {
            for ((sums, newest), command) in self.policies.iter_mut().zip(&self.newest).zip(&decided.commands) {
                let quota = command.quota / command.base_quota;
                let changed = newest.is_some_and(|held| held.quota.to_bits() != quota.to_bits());
                sums.decided(at.saturating_sub(last), changed);
            }
        }
        self.last_measured_ms = Some(at);
    }

    fn expect(&self, decided: &Decided, sample: &Sample, resource: Counted, counted: bool, linear: &Linear) -> Waiting {
        let report = &decided.received.record;
        let expected = |which: Resource| {
            which.of(sample)?;
            let row = self.simple.row(which);
            let simple = self.simple.forecasts(which, row.as_ref(), linear);
            let mut claims = [published(&decided.forecast, which); FORECASTERS];
            for (claim, forecast) in claims[1..].iter_mut().zip(&simple) {
                *claim = Claim::of(forecast);
            }
            Some(Expected { horizon: Horizon::new(report.timestamp, report.interval_ms), row, claims })
        };
        Waiting {
            at_ms: report.timestamp,
            counted,
            later: report.timestamp.saturating_sub(self.first_ms) > DAY_MS,
            state: decided.forecast.state,
            quotas: decided.commands.iter().map(|command| command.quota / command.base_quota).collect(),
            resources: Resource::ALL.map(expected),
            load: load(resource, report),
        }
    }

    fn judge_oldest(&mut self, options: &Options, linear: &mut Linear) {
        let Some(waiting) = self.waiting.pop_front() else { return };
        let may_learn = options.from_ms.is_none_or(|from| waiting.end_ms() <= from);
        let mut peaks = [None; 2];
        for (resource, expected) in Resource::ALL.into_iter().zip(&waiting.resources) {
            let Some((expected, outcome)) = expected.as_ref().and_then(|e| Some((e, e.horizon.outcome(self.last_ms)?)))
            else {
                continue;
            };
            peaks[resource as usize] = Some((expected.claims[0], outcome));
            if let Some(row) = expected.row.as_ref().filter(|_| may_learn) {
                linear.learn(resource, row, &outcome);
            }
            if waiting.counted {
                self.all_states[resource as usize].add(&expected.claims[0], &outcome);
            }
            if waiting.counted && waiting.state != ForecastState::Warming {
                for (errors, claim) in self.errors[resource as usize].iter_mut().zip(&expected.claims) {
                    errors.add(claim, &outcome);
                }
            }
        }
        if let Some(policy) = options.traces.filter(|_| waiting.counted) {
            self.trace.extend(traced(&waiting, peaks, options.resource, policy));
        }
    }
}

/// A point of the trace: of memory where it alone counts, else of CPU.
fn traced(
    waiting: &Waiting,
    peaks: [Option<(Claim, Outcome)>; 2],
    resource: Counted,
    policy: usize,
) -> Option<TracePoint> {
    let quota = |policy: usize| waiting.quotas.get(policy).map(|quota| *quota as f32);
    let (claim, outcome) = peaks[usize::from(resource == Counted::Memory)]?;
    Some(TracePoint {
        at_ms: waiting.at_ms,
        load: waiting.load.unwrap_or_default() as f32,
        p50: claim.p50 as f32,
        p90: claim.p90 as f32,
        peak: outcome.peak,
        quota: quota(policy)?,
        against: if policy > 0 { quota(0) } else { None },
        warming: waiting.state == ForecastState::Warming,
    })
}

fn published(forecast: &Forecast, resource: Resource) -> Claim {
    let (path, peak) = match resource {
        Resource::Cpu => (&forecast.path_cpu, &forecast.peak_cpu),
        Resource::Memory => (&forecast.path_memory, &forecast.peak_memory),
    };
    Claim { p50: peak.p50, p90: peak.p90, at_5m: path.last().copied().unwrap_or_default() }
}

impl Waiting {
    fn end_ms(&self) -> i64 {
        self.at_ms.saturating_add(crate::HORIZON_MS)
    }

    fn holds(&self, at: i64) -> bool {
        at > self.at_ms && at <= self.end_ms()
    }
}
