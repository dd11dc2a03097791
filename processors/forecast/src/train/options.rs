//! What training can be told, and what it tells while it runs.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ensemble::MOST_MEMBERS;
use crate::error::ForecastError;
use crate::load::Resource;

/// How to train. [`TrainOptions::default`] is what `tidegate train` does without options.
#[derive(Debug, Clone)]
pub struct TrainOptions {
    /// The model's name, kept in the artifact; default `tide-2`.
    pub name: String,
    /// The command line to record in the artifact; default empty.
    pub command: String,
    /// Seed of everything random; default 1.
    pub seed: u64,
    /// Size of the LSTM's state, a multiple of 8 from 8 to 256; default 32.
    pub hidden: usize,
    /// Networks a resource, 1 to 4, whose outputs are averaged; default 1.
    pub members: usize,
    /// Steps for each network, from 1; default 1,500.
    pub steps: usize,
    /// Sequences in a step, from 1; default 48.
    pub batch: usize,
    /// Share of each file's span to learn from, above 0 and below 1; default 0.7. The rest, after a gap of
    /// one horizon, is held out.
    pub train_share: f64,
    /// Nodes of which nothing is learned, by name.
    pub held_out_nodes: Vec<String>,
    /// Simulated nodes to learn from besides the recorded ones; default 48.
    pub simulated_nodes: usize,
    /// Whether recorded sequences are also scaled, mixed, warped in time and thinned; default true.
    pub augment: bool,
    /// Most time to spend; default none.
    pub time_budget: Option<TimeBudget>,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            name: "tide-2".to_owned(),
            command: String::new(),
            seed: 1,
            hidden: 32,
            members: 1,
            steps: 1_500,
            batch: 48,
            train_share: 0.7,
            held_out_nodes: Vec::new(),
            simulated_nodes: 48,
            augment: true,
            time_budget: None,
        }
    }
}

impl TrainOptions {
    pub(crate) fn check(&self) -> Result<(), ForecastError> {
        let fault = |option, reason: &str| {
            let reason = reason.to_owned();
            Err(ForecastError::Option { option, reason })
        };
        if !(8..=256).contains(&self.hidden) || !self.hidden.is_multiple_of(8) {
            return fault("hidden", "must be a multiple of 8 between 8 and 256");
        }
        if !(1..=MOST_MEMBERS).contains(&self.members) {
            return fault("members", "must be between 1 and 4");
        }
        if self.steps == 0 {
            return fault("steps", "must be at least 1");
        }
        if self.batch == 0 || self.batch > 4_096 {
            return fault("batch", "must be between 1 and 4096");
        }
        if !(self.train_share > 0.0 && self.train_share < 1.0) {
            return fault("train_share", "must lie between 0 and 1");
        }
        if self.time_budget.as_ref().is_some_and(|budget| budget.limit.is_zero()) {
            return fault("time_budget", "must be longer than no time at all, e.g. 20m");
        }
        Ok(())
    }
}

/// The time that training may take. Time is passed in: this crate reads no clock.
///
/// After 20 steps of each run of the optimiser the steps that fit into its share are counted, and the learning rate is planned for those. The
/// scores at the end take some seconds more.
#[derive(Clone)]
pub struct TimeBudget {
    /// The time for all of it.
    pub limit: Duration,
    /// Tells how long the training has run.
    pub elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl fmt::Debug for TimeBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeBudget").field("limit", &self.limit).finish_non_exhaustive()
    }
}

/// Where training stands after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainProgress {
    /// The resource whose network is trained.
    pub resource: Resource,
    /// Which of the resource's networks, from 0.
    pub member: usize,
    /// Steps done for it, from 1.
    pub step: usize,
    /// Steps planned for it.
    pub steps: usize,
    /// Loss, averaged over about the last 20 steps; pinball and path error in units of a node's own scale.
    pub loss: f32,
    /// Share of the whole training that is done, 0 to 1.
    pub fraction: f32,
}
