//! The same load topic gives byte-identical forecasts and quotas, whatever the batch sizes, the number of processes and
//! the restarts: on real Kafka, over a simulated fleet and over recorded load.
//!
//! ```text
//! publish once ─> load ─┬─> processes of one variant ─> forecasts, quotas ─> answers ─┐
//!                       └─> of the next, once outputs and groups are taken away ──────┴─> the same bytes
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "test support: a panic is the report, and so are the times"
)]

mod answers;
mod processes;
mod site;
mod variants;
mod way_back;

use tidegate_tests::brokers::TestBroker;
use tidegate_tests::parts;

use crate::site::Site;
use crate::variants::Plan;

/// More than twice the reach of the state, so that a restart rebuilds from the middle of the topic.
const FLEET: [&str; 8] = ["--nodes", "10", "--interval", "1m", "--for", "168h", "--speed", "max"];

#[test]
fn a_simulated_fleet_gets_the_same_answers_every_time() {
    let Some(broker) = TestBroker::kafka() else { return };
    let publish = [&["simulate", "--no-quotas"], &FLEET[..]].concat();
    let plan = Plan { publish: &publish, middle: 0.7, pace: 6_000, ready: 0.9, outlasts_the_reach: true };
    variants::agree(&Site::new(&broker, "identity-fleet"), &plan);
}

#[test]
fn the_recorded_cluster_gets_the_same_answers_every_time() {
    let Some(file) = parts::recorded("loads/exathlon_10s.csv.gz") else { return };
    let Some(broker) = TestBroker::kafka() else { return };
    let publish = ["replay", file.to_str().unwrap(), "--speed", "max"];
    // A node is READY from its 504th to its 759th report of 1728, and once more for a while. Half of the four share a
    // partition.
    let plan = Plan { publish: &publish, middle: 0.2, pace: 800, ready: 0.5, outlasts_the_reach: false };
    variants::agree(&Site::new(&broker, "identity-recorded"), &plan);
}
