//! What a group tells its member: which partitions come, where each goes on, and which go.

use rdkafka::topic_partition_list::Offset;

use crate::past::Past;

/// What happened to the assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GroupEvent {
    /// Partitions are ours now, each to be read from `resume` once its state is back.
    Assigned(Vec<Resume>),
    /// Partitions are no longer ours.
    Revoked(Vec<i32>),
}

/// Where a partition goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Resume {
    pub(crate) partition: i32,
    /// First offset to process; 0 where nothing was committed.
    pub(crate) resume: i64,
    /// From where its state comes back.
    pub(crate) past: Option<Past>,
}

impl Resume {
    /// From where its state comes back; the beginning where nothing says it.
    pub(crate) fn past(self) -> Past {
        self.past.unwrap_or(Past::from(0))
    }

    /// Where to begin to read.
    pub(crate) fn start(self) -> Offset {
        if self.resume > 0 { Offset::Offset(self.resume) } else { Offset::Beginning }
    }
}
