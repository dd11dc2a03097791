//! The made-up load: the simulator's fleet, its reports numbered; first a history at once, then a pace for as long as faults
//! are done.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tidegate_producers::simulate::{Fleet, FleetOptions};
use tidegate_schemas::records::LoadReport;

use crate::pipeline;

use super::sender::Sender;

/// Event time between two reports of a node: a model's window of an hour is seen within a few minutes.
const INTERVAL_MS: i64 = 60_000;
/// Rounds of all nodes that come at once, before the faults: more than two windows, so that nodes are READY.
pub const HISTORY_ROUNDS: u64 = 130;
/// The event time begins so long before now, and so all of it has passed, however long the run.
const BEGIN_BEFORE_MS: i64 = 20 * 24 * 3_600_000;

/// The made-up load.
#[derive(Debug)]
pub struct Load {
    fleet: Fleet,
    nodes: u64,
    count: u64,
}

impl Load {
    /// A fleet of so many nodes.
    ///
    /// # Errors
    /// Where there can be no such fleet.
    pub fn new(nodes: usize, seed: u64) -> anyhow::Result<Self> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
        let start_ms = (now - BEGIN_BEFORE_MS) / 3_600_000 * 3_600_000;
        let options = FleetOptions { nodes, seed, interval_ms: INTERVAL_MS, start_ms, ..FleetOptions::default() };
        Ok(Self { fleet: Fleet::new(options)?, nodes: nodes as u64, count: 0 })
    }

    /// The next report; the sequence of a node counts its reports, from 1.
    fn next(&mut self) -> anyhow::Result<LoadReport> {
        let mut report = self.fleet.next_report();
        report.sequence = i64::try_from(self.count / self.nodes + 1)?;
        self.count += 1;
        Ok(report)
    }

    fn send(&mut self, sender: &Sender) -> anyhow::Result<()> {
        let report = self.next()?;
        let name = (report.node_id.as_str().into(), report.sequence);
        sender.send(&pipeline::record(&report), Some(name)).map(drop)
    }

    /// Sends the history, as fast as it goes.
    ///
    /// # Errors
    /// What the client refuses.
    pub fn send_history(&mut self, sender: &Sender) -> anyhow::Result<()> {
        (0..HISTORY_ROUNDS * self.nodes).try_for_each(|_| self.send(sender))?;
        sender.flush()
    }

    /// Sends at a pace until `stop` says so, then to the end of the round.
    ///
    /// # Errors
    /// What the client refuses, or where not all is acknowledged in the end.
    pub fn send_paced(&mut self, sender: &Sender, a_second: u64, stop: &AtomicBool) -> anyhow::Result<()> {
        let started = Instant::now();
        let mut sent = 0;
        while !stop.load(Ordering::SeqCst) || !self.count.is_multiple_of(self.nodes) {
            let due = (started.elapsed().as_secs_f64() * a_second as f64) as u64;
            // After an outage what is due comes at once, but no faster than this.
            let until = due.min(sent + a_second);
            while sent < until {
                self.send(sender)?;
                sent += 1;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        sender.flush()
    }
}
