//! The reports of one node that Kafka has not acknowledged.

use std::collections::VecDeque;

use tidegate_schemas::records::LoadReport;

/// Reports of one node at most: more than the requests of one sender hold that was not answered.
const MOST: usize = 4_096;

/// Reports in the order of their times.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Waiting(VecDeque<One>);

#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
struct One {
    report: LoadReport,
    /// Whether somebody waits for its acknowledgement.
    is_out: bool,
}

impl Waiting {
    /// Adds one; gives whether another had to go for it.
    pub(super) fn push(&mut self, report: LoadReport) -> bool {
        let is_full = self.0.len() == MOST;
        if is_full {
            self.0.pop_front();
        }
        self.0.push_back(One { report, is_out: false });
        is_full
    }

    /// Those that a request is to publish: new ones, those that failed, and those whose samples it repeated, from this time on.
    pub(super) fn due(&mut self, repeated_ms: Option<i64>) -> Vec<LoadReport> {
        let due = |one: &&mut One| !one.is_out || repeated_ms.is_some_and(|at| at <= one.report.timestamp);
        let hand_out = |one: &mut One| {
            one.is_out = true;
            one.report.clone()
        };
        self.0.iter_mut().filter(due).map(hand_out).collect()
    }

    /// What became of one.
    pub(super) fn settle(&mut self, timestamp: i64, is_acknowledged: bool) {
        if is_acknowledged {
            self.0.retain(|one| one.report.timestamp != timestamp);
        } else if let Some(one) = self.0.iter_mut().find(|one| one.report.timestamp == timestamp) {
            one.is_out = false;
        }
    }
}
