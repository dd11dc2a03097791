//! The catalogue: every topic with its key, partitioning and cleanup, and every schema with its id.
//!
//! Ids are the catalogue's own and never change: a new version of a record is a new row of [`VERSIONS`], and readers of
//! this build can still read every older row.

use std::fmt;
use std::sync::LazyLock;

use apache_avro::Schema;

/// Kinds of records that stand on our topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// [`crate::records::LoadReport`]
    LoadReport,
    /// [`crate::records::Forecast`]
    Forecast,
    /// [`crate::records::QuotaCommand`]
    QuotaCommand,
    /// [`crate::records::Alert`]
    Alert,
    /// [`crate::records::Span`]
    Span,
    /// [`crate::records::Control`]
    Control,
    /// [`crate::records::Checkpoint`]
    Checkpoint,
}

/// One version of one record's schema.
#[derive(Debug, Clone, Copy)]
pub struct SchemaVersion {
    /// Id in the wire format, unique in the catalogue.
    pub id: u32,
    /// Record that it describes.
    pub kind: RecordKind,
    /// Version of the subject, from 1.
    pub version: u32,
    /// The schema as JSON.
    pub text: &'static str,
}

/// All versions, oldest first.
pub const VERSIONS: [SchemaVersion; 13] = [
    version(1, RecordKind::LoadReport, 1, include_str!("../avro/load_report.avsc")),
    version(2, RecordKind::Forecast, 1, include_str!("../avro/forecast.avsc")),
    version(3, RecordKind::QuotaCommand, 1, include_str!("../avro/quota_command.avsc")),
    version(4, RecordKind::Alert, 1, include_str!("../avro/alert.avsc")),
    version(5, RecordKind::Span, 1, include_str!("../avro/span.avsc")),
    version(6, RecordKind::Control, 1, include_str!("../avro/control.avsc")),
    version(7, RecordKind::Forecast, 2, include_str!("../avro/forecast_v2.avsc")),
    version(8, RecordKind::QuotaCommand, 2, include_str!("../avro/quota_command_v2.avsc")),
    version(9, RecordKind::Checkpoint, 1, include_str!("../avro/checkpoint.avsc")),
    version(10, RecordKind::Forecast, 3, include_str!("../avro/forecast_v3.avsc")),
    version(11, RecordKind::Alert, 2, include_str!("../avro/alert_v2.avsc")),
    version(12, RecordKind::Span, 2, include_str!("../avro/span_v2.avsc")),
    version(13, RecordKind::Control, 2, include_str!("../avro/control_v2.avsc")),
];

const fn version(id: u32, kind: RecordKind, version: u32, text: &'static str) -> SchemaVersion {
    SchemaVersion { id, kind, version, text }
}

static PARSED: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    VERSIONS.iter().map(|v| Schema::parse_str(v.text).unwrap_or_else(|e| unreachable!("{}: {e}", v.kind))).collect()
});

impl RecordKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::LoadReport,
        Self::Forecast,
        Self::QuotaCommand,
        Self::Alert,
        Self::Span,
        Self::Control,
        Self::Checkpoint,
    ];

    /// Name of the Avro record, without its namespace.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::LoadReport => "LoadReport",
            Self::Forecast => "Forecast",
            Self::QuotaCommand => "QuotaCommand",
            Self::Alert => "Alert",
            Self::Span => "Span",
            Self::Control => "Control",
            Self::Checkpoint => "Checkpoint",
        }
    }

    /// The newest version, which this build writes.
    #[must_use]
    pub fn current(self) -> SchemaVersion {
        let mut newest = VERSIONS[0];
        for v in VERSIONS {
            if v.kind == self {
                newest = v;
            }
        }
        newest
    }

    /// The newest schema, parsed.
    #[must_use]
    pub fn schema(self) -> &'static Schema {
        parsed(self.current().id).unwrap_or_else(|| unreachable!("every kind has a schema"))
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The catalogue's schema of an id, parsed.
#[must_use]
pub fn parsed(id: u32) -> Option<&'static Schema> {
    let at = VERSIONS.iter().position(|v| v.id == id)?;
    PARSED.get(at)
}

/// What decides the partition of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartitionBy {
    /// The record's key.
    Key,
    /// The pool, or the node where the pool is empty: all nodes of a pool meet in one partition.
    PoolOrNode,
    /// The topic has a single partition.
    Single,
    /// The number of the partition that the record came from.
    Source,
}

/// How Kafka cleans the topic up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cleanup {
    /// By age or size.
    Delete,
    /// The last record of a key stays.
    Compact,
    /// Both.
    CompactDelete,
}

impl Cleanup {
    /// Value of `cleanup.policy`.
    #[must_use]
    pub fn policy(self) -> &'static str {
        match self {
            Self::Delete => "delete",
            Self::Compact => "compact",
            Self::CompactDelete => "compact,delete",
        }
    }
}

/// Topics of the pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Load reports of the edges.
    Load,
    /// Trace spans.
    Spans,
    /// Forecasts.
    Forecasts,
    /// Quota commands: the last one of each node is the state of its decisions.
    Quotas,
    /// State of the forecast stage, written at window boundaries.
    Checkpoints,
    /// Operators' words.
    Controls,
    /// Alerts: those that fire are the state of the alerts stage.
    Alerts,
    /// Records that could not be processed.
    DeadLetters,
}

/// Prefix of topic names where none is configured.
pub const DEFAULT_PREFIX: &str = "tidegate.";

impl Topic {
    /// All topics.
    pub const ALL: [Self; 8] = [
        Self::Load,
        Self::Spans,
        Self::Forecasts,
        Self::Quotas,
        Self::Checkpoints,
        Self::Controls,
        Self::Alerts,
        Self::DeadLetters,
    ];

    /// Name without the prefix.
    #[must_use]
    pub fn short_name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Spans => "spans",
            Self::Forecasts => "forecasts",
            Self::Quotas => "quotas",
            Self::Checkpoints => "checkpoints",
            Self::Controls => "controls",
            Self::Alerts => "alerts",
            Self::DeadLetters => "dead-letters",
        }
    }

    /// Full name.
    #[must_use]
    pub fn name(self, prefix: &str) -> String {
        format!("{prefix}{}", self.short_name())
    }

    /// The topic of a short or full name.
    #[must_use]
    pub fn from_name(name: &str, prefix: &str) -> Option<Self> {
        let short = name.strip_prefix(prefix).unwrap_or(name);
        Self::ALL.into_iter().find(|t| t.short_name() == short)
    }

    /// Record on the topic; `None` where the value is not one of ours.
    #[must_use]
    pub fn record(self) -> Option<RecordKind> {
        match self {
            Self::Load => Some(RecordKind::LoadReport),
            Self::Spans => Some(RecordKind::Span),
            Self::Forecasts => Some(RecordKind::Forecast),
            Self::Quotas => Some(RecordKind::QuotaCommand),
            Self::Controls => Some(RecordKind::Control),
            Self::Alerts => Some(RecordKind::Alert),
            Self::Checkpoints => Some(RecordKind::Checkpoint),
            Self::DeadLetters => None,
        }
    }

    /// What the record's key is.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Load | Self::Forecasts | Self::Quotas | Self::Checkpoints => "node_id",
            Self::Spans => "trace_id",
            Self::Controls => "node_id or pool:NAME",
            Self::Alerts => "fingerprint",
            Self::DeadLetters => "as the source",
        }
    }

    /// What decides the partition.
    #[must_use]
    pub fn partition_by(self) -> PartitionBy {
        match self {
            Self::Load | Self::Spans => PartitionBy::Key,
            Self::Forecasts | Self::Quotas | Self::Alerts => PartitionBy::PoolOrNode,
            Self::Controls => PartitionBy::Single,
            Self::Checkpoints | Self::DeadLetters => PartitionBy::Source,
        }
    }

    /// How the topic is cleaned up.
    #[must_use]
    pub fn cleanup(self) -> Cleanup {
        match self {
            Self::Load | Self::Spans | Self::Forecasts | Self::DeadLetters => Cleanup::Delete,
            Self::Quotas | Self::Checkpoints | Self::Controls => Cleanup::Compact,
            Self::Alerts => Cleanup::CompactDelete,
        }
    }

    /// Registry subject of the topic's values (TopicNameStrategy).
    #[must_use]
    pub fn subject(self, prefix: &str) -> String {
        format!("{}-value", self.name(prefix))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short_name())
    }
}
