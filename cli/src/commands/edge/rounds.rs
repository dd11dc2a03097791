//! The agent's rounds: one report every interval, until it is to stop.
//!
//! ```text
//! host counters, requests ─> report ─┬─> keeper (policy local goes by it)
//!                                    └─> centre
//! ```

use std::time::{Duration, Instant};

use tidegate_broker::Stop;
use tidegate_producers::edge::{Reporter, Sampler};

use super::centre::Centre;
use super::keeper::Keeper;
use super::requests::Requests;

/// How often the end of a lease is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// All that reports are made of.
pub(super) struct Rounds {
    pub(super) sampler: Sampler,
    pub(super) reporter: Reporter,
    pub(super) requests: Requests,
    pub(super) interval: Duration,
}

impl Rounds {
    /// Reports until the agent is to stop, or nobody sends any more.
    pub(super) fn go_on(mut self, keeper: &Keeper, centre: &Centre, stop: &Stop) {
        let started = Instant::now();
        // The first reading has nothing to compare with: it only begins the rates.
        self.sampler.sample(started.elapsed());
        let mut due = self.interval.min(Duration::from_secs(1));
        while wait(started, due, stop, keeper) {
            let mut usage = self.sampler.sample(started.elapsed());
            self.requests.measure(&mut usage);
            let mut report = self.reporter.report(&usage, keeper.in_force(), keeper.now().wall_ms);
            self.requests.put_into(&mut report);
            keeper.reported(&report);
            if !centre.send(report) {
                break;
            }
            due += self.interval;
        }
    }
}

/// Waits until `due` after `started`, with an eye on the lease; `false` where we were asked to stop.
fn wait(started: Instant, due: Duration, stop: &Stop, keeper: &Keeper) -> bool {
    while started.elapsed() < due {
        if stop.is_set() {
            return false;
        }
        std::thread::sleep(LOOK.min(due.saturating_sub(started.elapsed())));
        keeper.settle();
    }
    !stop.is_set()
}
