//! What is being restored: some partitions, the steps that are left, and how far the reading of now is. Plain data; `mod.rs` and
//! `standby.rs` beside it move it on.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use tidegate_schemas::Decoder;
use tidegate_schemas::codec::SchemaIds;

use crate::group::Resume;
use crate::stable::Settling;
use crate::tail::Tail;

/// What is read one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Outputs,
    Checkpoints,
    Input,
    /// Input after that, which its owner has processed.
    Follow,
}

impl Step {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Outputs => "saved outputs",
            Self::Checkpoints => "checkpoints",
            Self::Input => "the input before the committed offset",
            Self::Follow => "the input since",
        }
    }
}

/// Partitions that came together, on their way back.
pub(in crate::driver) struct Restoration {
    pub(super) partitions: Vec<Resume>,
    pub(super) steps: VecDeque<Step>,
    /// What of the input, or of the outputs, is read again, once that is known.
    pub(super) input: Option<Vec<(i32, Range<i64>)>>,
    /// What is saved is read when no transaction on it is open.
    pub(super) settling: Option<Settling>,
    pub(super) reading: Option<Tail>,
    pub(super) decoder: Decoder,
    pub(super) begun: Instant,
    pub(super) told: Instant,
    pub(super) heard: Instant,
    pub(super) not_before: Instant,
    pub(super) read: u64,
    /// It goes on from where its state stands.
    pub(super) is_going_on: bool,
}

impl Restoration {
    pub(super) fn new(partitions: Vec<Resume>, steps: VecDeque<Step>, ids: Arc<dyn SchemaIds>) -> Self {
        let now = Instant::now();
        Self {
            partitions,
            steps,
            input: None,
            settling: None,
            reading: None,
            decoder: Decoder::new(ids),
            begun: now,
            told: now,
            heard: now,
            not_before: now,
            read: 0,
            is_going_on: false,
        }
    }

    pub(super) fn numbers(&self) -> Vec<i32> {
        self.partitions.iter().map(|p| p.partition).collect()
    }

    pub(super) fn place(&self, partition: i32) -> Option<Resume> {
        self.partitions.iter().find(|p| p.partition == partition).copied()
    }

    pub(super) fn left(&self) -> u64 {
        self.reading.as_ref().map_or(0, Tail::remaining)
    }

    /// Whether there is something to do now.
    pub(in crate::driver) fn is_due(&self) -> bool {
        self.not_before <= Instant::now()
    }
}
