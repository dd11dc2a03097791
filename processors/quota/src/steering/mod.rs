//! The steering of policy `headroom`: the margin above the forecast p90 that keeps the share of violations at a target.
//!
//! ```text
//! report ─► its load against the p90s of the last 5 minutes' decisions ─► scores (load − p90) ─► the node's histogram
//! margin = quantile 1 − target of (histogram + prior) + catching up ─► this decision's p90 waits for its outcomes
//! ```
//!
//! This is online conformal prediction with the one-sided score load − p90: a quota above the 1 − target quantile of the
//! scores is passed by the target's share of outcomes, however bad the forecast is, as long as scores to come are distributed as
//! those kept (Gibbs and Candès, "Adaptive Conformal Inference Under Distribution Shift", NeurIPS 2021; Angelopoulos, Candès
//! and Tibshirani, "Conformal PID Control for Time Series Prediction", NeurIPS 2023). That the distribution drifts is met by
//! forgetting: weights halve every [`HALF_LIFE_MINUTES`] (decayed histograms as in Rzadca et al., "Autopilot: workload
//! autoscaling at Google", EuroSys 2020), and weighted quantiles keep their coverage up to the drift within that time
//! (Barber, Candès, Ramdas and Tibshirani, "Conformal prediction beyond exchangeability", Annals of Statistics 2023). So
//! that a new node has a margin, the training data's scores stand in, with the weight of [`PRIOR_MINUTES`] of outcomes.
//! A guard bounds what a wrong prior can do: the margin is what the node's own scores alone want, but for what chance
//! explains. Violations come in bursts, so their time is uncertain by about √([`BURST_MINUTES`] · target · time).
//!
//! While no model forecasts for a node, its scores are those of the baseline, and the prior is the baseline's own, with the
//! weight of [`BASELINE_MINUTES`] at most: how a load moves above its last peak differs between nodes far more than
//! how it moves above a forecast p90.
//!
//! Under a steady drift every histogram lags behind. So violations in excess of the target are summed up, never below 0, and
//! from [`PATIENCE_DAYS`] days' worth of the target on they add to the margin, in proportion: the error integration of conformal
//! PID control with its dead zone. While that sum stays within its bound, the share of violations over a time T is at
//! most the target + the bound / T, whatever comes: it comes down to the target. Calm nodes never feel it.
//!
//! An outcome counts as soon as it is measured, for every decision it belongs to; nothing waits for the whole horizon. A
//! report's outcomes together weigh the minutes since the report before it, so a node's interval does not matter.

mod bins;
mod bytes;
mod prior;
#[cfg(test)]
mod tests;

pub use prior::Prior;

use bins::{BINS, bin_of, upper_quantile};

/// How far a decision's outcomes reach, in ms of event time.
pub const HORIZON_MS: i64 = 300_000;
/// Time in which weights halve, in minutes: about 5 days.
pub const HALF_LIFE_MINUTES: f64 = 7_000.0;
/// Weight of the prior at first, in minutes of outcomes.
pub const PRIOR_MINUTES: f32 = 7_000.0;
/// Weight of the baseline's prior while no model forecasts, at most, in minutes of outcomes.
pub const BASELINE_MINUTES: f32 = 10.0;
/// How long a burst of violations is thought to last, in minutes: what the guard puts down to chance.
pub const BURST_MINUTES: f64 = 5.0;
/// Excess that is borne, and excess that adds one spread of the scores to the margin: in days' worth of the target.
pub const PATIENCE_DAYS: f64 = 6.0;
/// Excess is counted up to this, in days' worth of the target.
const MOST_DAYS: f64 = 20.0;
/// Decisions that wait stand at least this far apart, so that at most 60 wait.
const APART_MS: i64 = HORIZON_MS / 60;
/// A weight below this, in minutes, is forgotten.
const LEAST: f32 = 1e-6;
/// Loads count up to this, in 1e-4 of the base quota: 1,000 × base.
const LARGEST: f64 = 1e7;
const LN_2: f64 = std::f64::consts::LN_2;

/// A decision that waits for outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pending {
    /// Its event time.
    at: i64,
    /// Its forecast p90 in 1e-4 of the base quota.
    p90: i64,
    /// Its margin in the same.
    margin: i64,
}

/// What the steering knows of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State {
    /// Weight of the prior, in minutes.
    prior_weight: f32,
    /// Violations in excess of the target, in minutes.
    excess: f32,
    /// Event time of the last report that was taken in.
    last: i64,
    /// The node's own scores: weight of each bin, in minutes.
    own: [f32; BINS],
    /// Newest first.
    pending: Vec<Pending>,
}

impl State {
    /// A node that was never seen.
    pub(crate) fn new() -> Self {
        Self { prior_weight: PRIOR_MINUTES, excess: 0.0, last: 0, own: [0.0; BINS], pending: Vec::new() }
    }

    /// Takes in a report of time `now` and its load, where it measured it, as a fraction of the base quota.
    pub(crate) fn observe(&mut self, now: i64, load: Option<f64>, target: f64) {
        if now < self.last.saturating_sub(HORIZON_MS) {
            // The node's clock was set back: what waits belongs to no time that comes.
            self.pending.clear();
            self.last = now;
        }
        self.pending.retain(|pending| now.saturating_sub(pending.at) <= HORIZON_MS);
        let since = now.saturating_sub(self.last).clamp(0, HORIZON_MS);
        self.last = self.last.max(now);
        let Some(load) = load else { return };
        let load = units(load);
        let before_now = |pending: &&Pending| pending.at < now;
        let count = self.pending.iter().filter(before_now).count();
        if count == 0 || since == 0 {
            return;
        }
        let minutes = since as f64 / 60_000.0;
        self.forget(minutes);
        let weight = (minutes / count as f64) as f32;
        let mut violated = 0.0;
        for pending in self.pending.iter().filter(before_now) {
            let score = load - pending.p90;
            self.own[bin_of(score as f64)] += weight;
            violated += if score > pending.margin { f64::from(weight) } else { 0.0 };
        }
        let excess = f64::from(self.excess) + violated - target * minutes;
        self.excess = excess.clamp(0.0, MOST_DAYS * days_worth(target)) as f32;
    }

    fn forget(&mut self, minutes: f64) {
        // 2^(−minutes / half-life) to first order; at most 5 minutes pass at once.
        let kept = (1.0 - minutes * (LN_2 / HALF_LIFE_MINUTES)) as f32;
        self.prior_weight *= kept;
        for weight in &mut self.own {
            *weight *= kept;
            if *weight < LEAST {
                *weight = 0.0;
            }
        }
    }

    /// The margin for a share `target` of violations, as a fraction of the base quota; may be negative.
    pub(crate) fn margin(&self, prior: &Prior, is_from_model: bool, target: f64) -> f64 {
        let total: f64 = self.own.iter().map(|weight| f64::from(*weight)).sum();
        let own = |bin: usize| f64::from(self.own[bin]);
        let (shares, weight) = if is_from_model {
            (&prior.model, self.prior_weight)
        } else {
            (&prior.baseline, self.prior_weight.min(BASELINE_MINUTES))
        };
        let with_prior = |bin: usize| own(bin) + f64::from(shares[bin]) * f64::from(weight);
        let margin = upper_quantile(with_prior, target * (total + f64::from(weight))).unwrap_or(0.0);
        // The node's own scores alone, with more or fewer violations than wanted: as many as chance explains.
        let wanted = target * total;
        let chance = (BURST_MINUTES * wanted).sqrt();
        let at_least = upper_quantile(own, wanted + chance).unwrap_or(f64::NEG_INFINITY);
        let at_most = Some(wanted - chance).filter(|fewer| *fewer > 0.0).and_then(|fewer| upper_quantile(own, fewer));
        let guarded = margin.min(at_most.unwrap_or(f64::INFINITY)).max(at_least);
        (guarded + self.catching_up(total, target)) / 1e4
    }

    /// What the margin gains while violations stay in excess: spreads of the node's own scores, from median to 0.9 quantile.
    fn catching_up(&self, total: f64, target: f64) -> f64 {
        let borne = PATIENCE_DAYS * days_worth(target);
        let beyond = (f64::from(self.excess) - borne).max(0.0) / borne;
        let at = |share: f64| upper_quantile(|bin| f64::from(self.own[bin]), share * total);
        if beyond == 0.0 { 0.0 } else { at(0.1).zip(at(0.5)).map_or(0.0, |(high, middle)| beyond * (high - middle)) }
    }

    /// Lets a decision of time `now` wait for its outcomes.
    pub(crate) fn wait(&mut self, now: i64, p90: f64, margin: f64) {
        if self.pending.first().is_none_or(|newest| now.saturating_sub(newest.at) >= APART_MS) {
            self.pending.insert(0, Pending { at: now, p90: units(p90), margin: (margin * 1e4).round() as i64 });
        }
    }
}

/// A fraction in 1e-4; what is no load counts as 0.
fn units(fraction: f64) -> i64 {
    (fraction * 1e4).round().clamp(0.0, LARGEST) as i64
}

/// Minutes of violations that the target allows in a day.
fn days_worth(target: f64) -> f64 {
    1_440.0 * target
}
