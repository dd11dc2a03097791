//! Forecast peaks against what came, beside two baselines.
//!
//! A READY forecast of event time t waits until the node's reports reach t + 5 min. Then, for each resource that was
//! measured: the outcome is the highest report in (t, t + 5 min], the baselines are the load at t and the highest report in
//! (t − 5 min, t].

use std::collections::VecDeque;

use tidegate_schemas::records::{Forecast, ForecastState, Load, LoadReport};

use super::{Counts, Errors, PeakError, rounded};

const HORIZON_MS: i64 = 5 * 60 * 1000;
/// Reports and waiting forecasts kept for a node at most: how far its topics may run apart.
pub const SAMPLES_KEPT: usize = 2048;

/// One report; NaN: not measured.
#[derive(Debug, Clone, Copy)]
struct Sample {
    t: i64,
    load: Load,
}

/// One forecast that waits for its 5 minutes.
#[derive(Debug, Clone, Copy)]
struct Claim {
    t: i64,
    peak: Load,
    current: Load,
}

/// One node's reports and waiting forecasts, oldest first.
#[derive(Debug)]
pub(super) struct Judge {
    samples: VecDeque<Sample>,
    waiting: VecDeque<Claim>,
    /// Time of the newest forecast; later ones are newer.
    answered: i64,
    /// Reports up to here were forgotten for want of room.
    forgotten: i64,
}

impl Default for Judge {
    fn default() -> Self {
        Self { samples: VecDeque::new(), waiting: VecDeque::new(), answered: i64::MIN, forgotten: i64::MIN }
    }
}

impl Judge {
    pub(super) fn report(&mut self, report: &LoadReport, sums: &mut Sums, counts: &mut Counts) {
        if self.samples.back().is_some_and(|last| report.timestamp <= last.t) {
            return;
        }
        let load = Load { cpu: report.cpu.unwrap_or(f64::NAN), memory: report.memory.unwrap_or(f64::NAN) };
        self.samples.push_back(Sample { t: report.timestamp, load });
        self.judge_due(sums, counts);
        self.forget();
    }

    pub(super) fn forecast(&mut self, forecast: &Forecast, sums: &mut Sums, counts: &mut Counts) {
        self.answered = self.answered.max(forecast.timestamp);
        if forecast.state == ForecastState::Ready {
            let peak = Load { cpu: forecast.peak_cpu.p50, memory: forecast.peak_memory.p50 };
            self.waiting.push_back(Claim { t: forecast.timestamp, peak, current: forecast.current });
            if self.waiting.len() > SAMPLES_KEPT {
                self.waiting.pop_front();
                counts.unjudged += 1;
            }
        }
        self.judge_due(sums, counts);
        self.forget();
    }

    /// Judges the forecasts whose 5 minutes have passed.
    fn judge_due(&mut self, sums: &mut Sums, counts: &mut Counts) {
        let Some(now) = self.samples.back().map(|sample| sample.t) else { return };
        while let Some(claim) = self.waiting.pop_front_if(|claim| claim.t.saturating_add(HORIZON_MS) <= now) {
            let known = self.forgotten <= claim.t.saturating_sub(HORIZON_MS);
            let judged = known && sums.add(claim, self.highest_before(claim.t), self.highest_after(claim.t));
            counts.judged += u64::from(judged);
            counts.unjudged += u64::from(!judged);
        }
    }

    /// Highest report in (t − 5 min, t].
    fn highest_before(&self, t: i64) -> Load {
        self.highest(t.saturating_sub(HORIZON_MS), t)
    }

    /// Highest report in (t, t + 5 min].
    fn highest_after(&self, t: i64) -> Load {
        self.highest(t, t.saturating_add(HORIZON_MS))
    }

    /// Highest report in (after, until], NaN where none measured.
    fn highest(&self, after: i64, until: i64) -> Load {
        let first = self.samples.partition_point(|sample| sample.t <= after);
        let end = self.samples.partition_point(|sample| sample.t <= until);
        let unknown = Load { cpu: f64::NAN, memory: f64::NAN };
        self.samples.range(first..end).fold(unknown, |most, sample| Load {
            cpu: most.cpu.max(sample.load.cpu),
            memory: most.memory.max(sample.load.memory),
        })
    }

    /// Forgets what no forecast can ask for any more and, if the topics run too far apart, the oldest reports.
    fn forget(&mut self) {
        let needed = self.waiting.front().map_or(self.answered, |claim| claim.t).saturating_sub(HORIZON_MS);
        while self.samples.pop_front_if(|sample| sample.t <= needed).is_some() {}
        while self.samples.len() > SAMPLES_KEPT {
            self.forgotten = self.samples.pop_front().map_or(self.forgotten, |sample| sample.t);
        }
    }
}

/// Sums of absolute errors over the whole fleet.
#[derive(Debug, Default)]
pub(super) struct Sums {
    cpu: Sum,
    memory: Sum,
}

#[derive(Debug, Default)]
struct Sum {
    forecasts: u64,
    model: f64,
    persistence: f64,
    max_last_5m: f64,
}

impl Sums {
    /// Adds a forecast; false if no resource could be judged.
    fn add(&mut self, claim: Claim, before: Load, outcome: Load) -> bool {
        let cpu = self.cpu.add(claim.peak.cpu, claim.current.cpu, before.cpu, outcome.cpu);
        let memory = self.memory.add(claim.peak.memory, claim.current.memory, before.memory, outcome.memory);
        cpu || memory
    }

    pub(super) fn means(&self) -> PeakError {
        PeakError { cpu: self.cpu.means(), memory: self.memory.means() }
    }
}

impl Sum {
    /// Counts only where all three and the outcome are known, so that the means stand over the same forecasts.
    fn add(&mut self, peak: f64, current: f64, before: f64, outcome: f64) -> bool {
        let known = [peak, current, before, outcome].iter().all(|value| value.is_finite());
        if known {
            self.forecasts += 1;
            self.model += (peak - outcome).abs();
            self.persistence += (current - outcome).abs();
            self.max_last_5m += (before - outcome).abs();
        }
        known
    }

    fn means(&self) -> Errors {
        let points = |sum: f64| (self.forecasts > 0).then(|| rounded(100.0 * sum / self.forecasts as f64));
        Errors {
            model: points(self.model),
            persistence: points(self.persistence),
            max_last_5m: points(self.max_last_5m),
        }
    }
}

#[cfg(test)]
impl Judge {
    /// Reports and forecasts held now.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.samples.len(), self.waiting.len())
    }
}
