//! What a stage is: synchronous, without I/O. It is given batches of decoded records and returns outputs.

use std::fmt;
use std::sync::Arc;

use tidegate_schemas::Topic;
use tidegate_schemas::records::{Alert, Cause, Checkpoint, Control, Forecast, LoadReport, QuotaCommand, Record};
use tidegate_schemas::trace::TraceContext;

use crate::past::Past;

/// Position of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl Source {
    /// The position as the `cause` of an output.
    #[must_use]
    pub fn cause(&self) -> Cause {
        Cause { topic: self.topic.to_string(), partition: self.partition, offset: self.offset }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// A decoded record with where it stood.
#[derive(Debug, Clone)]
pub struct Received<T> {
    /// The record.
    pub record: T,
    /// Its position.
    pub source: Source,
    /// Kafka timestamp in ms since the epoch.
    pub kafka_timestamp: Option<i64>,
    /// Its place in a trace.
    pub trace: Option<TraceContext>,
}

/// Why a record is set aside: it becomes a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Stable name, the `error.class` header.
    pub class: &'static str,
    /// For people, the `error.message` header.
    pub message: String,
}

/// Why a valid record leads to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// At or below the node's last sequence.
    Repeated,
}

impl DropReason {
    /// Label in metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Repeated => "repeated",
        }
    }
}

/// What a stage made of one input; an input may have several or none.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict<O> {
    /// A record to publish.
    Output(O),
    /// A record for the topic `checkpoints`, in the partition of the input, under the node's name; `None`: there is nothing
    /// to keep of that node any more.
    Keep(Box<str>, Option<Box<Checkpoint>>),
    /// Counted and dropped.
    Drop(DropReason),
}

/// What was found under a node's name on the topic `checkpoints`.
#[derive(Debug, Clone, PartialEq)]
pub enum Saved {
    /// A checkpoint.
    Checkpoint(Checkpoint),
    /// A tombstone.
    Gone,
    /// Bytes that are none; why.
    Foreign(String),
}

/// A record that knows its key and what decides its partition.
pub trait Keyed: Record {
    /// The record's key.
    fn key(&self) -> &str;
    /// What decides its partition.
    fn partition_key(&self) -> &str;
}

impl Keyed for LoadReport {
    fn key(&self) -> &str {
        &self.node_id
    }
    fn partition_key(&self) -> &str {
        &self.node_id
    }
}

/// Records that meet by pool.
macro_rules! keyed_by_pool {
    ($($type:ty),*) => {$(
        impl Keyed for $type {
            fn key(&self) -> &str {
                &self.node_id
            }
            fn partition_key(&self) -> &str {
                if self.pool.is_empty() { &self.node_id } else { &self.pool }
            }
        }
    )*};
}
keyed_by_pool!(Forecast, QuotaCommand);

/// Where the forecasts of its node or pool are, so that what fires can be read back beside them.
impl Keyed for Alert {
    fn key(&self) -> &str {
        &self.fingerprint
    }
    fn partition_key(&self) -> &str {
        self.labels.get("pool").filter(|pool| !pool.is_empty()).unwrap_or(&self.node_id)
    }
}

/// A stage of the pipeline.
///
/// The driver decodes, sets bad input aside, publishes, commits and restores. What a stage returns must be a function of
/// the records it was given per partition, in their order: never of the batch sizes, the clock or the host.
pub trait Stage: Send {
    /// Records it reads.
    type Input: Keyed;
    /// Records it publishes.
    type Output: Keyed;

    /// Its name: consumer group, metrics, spans.
    fn name(&self) -> &'static str;
    /// Topic it reads.
    fn input(&self) -> Topic;
    /// Topic it publishes to.
    fn output(&self) -> Topic;

    /// Checks a record against what carried it; a rejected one never reaches [`Stage::process`].
    ///
    /// # Errors
    /// Why it is set aside.
    fn check(&self, record: &Self::Input, key: Option<&[u8]>, kafka_timestamp: Option<i64>) -> Result<(), Rejection>;

    /// Processes a batch; each verdict names the index of its input, in ascending order.
    fn process(&mut self, batch: &[Received<Self::Input>]) -> Vec<(usize, Verdict<Self::Output>)>;

    /// By what an output is counted ([`Metrics::counting`](crate::Metrics::counting)), e.g. the state of a forecast.
    fn label(&self, output: &Self::Output) -> Option<&'static str> {
        let _ = output;
        None
    }

    /// This output of this input is about to be published: for metrics, nothing may depend on it.
    fn published(&self, input: &Self::Input, output: &Self::Output) {
        let _ = (input, output);
    }

    /// Whether the trace of this output is to be recorded whatever its head decided, and all later ones of its node.
    fn traces_whole(&self, output: &Self::Output) -> bool {
        let _ = output;
        false
    }

    /// A topic that is read beside the input, whole, by every process: the driver reads it to its end before the first
    /// [`Stage::process`] of an assignment, and takes what has come before each batch.
    fn side_input(&self) -> Option<Topic> {
        None
    }

    /// Checks a record of the side input against its key; a rejected one is logged, counted and passed over.
    ///
    /// # Errors
    /// Why it counts for nothing.
    fn check_side(&self, key: &str, control: &Control) -> Result<(), Rejection> {
        let _ = (key, control);
        Ok(())
    }

    /// Takes a record of the side input in the order of its topic; `None`: a tombstone. The same may come again.
    fn side(&mut self, key: &str, value: Option<Control>) {
        let _ = (key, value);
    }

    /// Controls in force by the stage's newest event time.
    fn controls_in_force(&self) -> usize {
        0
    }

    /// Whether the last output of each node, read from the output topic, is this stage's saved state.
    fn restores_from_output(&self) -> bool {
        false
    }

    /// Takes one saved output of a partition, before the first [`Stage::process`] of that partition.
    fn restore(&mut self, partition: i32, output: Self::Output) {
        let _ = (partition, output);
    }

    /// Whether the state depends on earlier records: then the driver has it rebuilt before the partition is processed.
    fn depends_on_past(&self) -> bool {
        false
    }

    /// Whether it keeps checkpoints ([`Verdict::Keep`]) and takes them back.
    fn keeps_checkpoints(&self) -> bool {
        false
    }

    /// Takes what was found under the name of a node, in the order of the topic; `past` is the first offset that will
    /// be processed, so that a checkpoint behind it is of no use, and what was committed with it.
    ///
    /// # Errors
    /// Why it is of no use to anybody.
    fn restore_checkpoint(
        &mut self,
        partition: i32,
        past: (i64, Past),
        node_id: &str,
        saved: Saved,
    ) -> Result<(), String> {
        let _ = (partition, past, node_id, saved);
        Ok(())
    }

    /// All checkpoints were given: the first offset that is missing beyond them, by what was committed.
    fn rebuild_from(&mut self, partition: i32, past: Past) -> i64 {
        let _ = partition;
        past.rewind
    }

    /// Takes records that were processed before into the state; nothing is published.
    fn rebuild(&mut self, batch: &[Received<Self::Input>]) {
        drop(self.process(batch));
    }

    /// The partition's state is back: it is processed from now on.
    fn restored(&mut self, partition: i32) {
        let _ = partition;
    }

    /// From where the state could be rebuilt now; `None`: it does not depend on the past.
    fn rewind_to(&mut self, partition: i32) -> Option<Past> {
        let _ = partition;
        None
    }

    /// The partition now belongs to somebody else: its state is of no use any more.
    fn revoked(&mut self, partition: i32);
}
