//! The explanation of one decision; serialised, it is what `tidegate explain --json` prints.

use serde::Serialize;
use tidegate_forecast::{ResourceView, Status};
use tidegate_schemas::records::{LoadReport, QuotaCommand};

use crate::alerts::AlertView;

/// Everything that is known of one decision. Times are Unix ms, loads are fractions of the base quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The node.
    pub node_id: String,
    /// Sequence of the report that the decision answers.
    pub sequence: i64,
    /// Event time of the decision.
    pub timestamp: i64,
    /// Trace from report to quota; `None` where the report began none.
    pub trace_id: Option<String>,
    /// Where the report stands.
    pub cause: Position,
    /// The report.
    pub report: LoadReport,
    /// The reports that the decision depends on.
    pub stretch: Stretch,
    /// What the model saw of them.
    pub saw: Saw,
    /// The forecast.
    pub said: Said,
    /// The way from the forecast to the quota.
    pub decided: Decided,
    /// The node's alerts within an hour of the decision, in the order in which they fired.
    pub alerts: Vec<AlertView>,
    /// The alert that was asked about; the decision is the last before it fired.
    pub alert: Option<AlertView>,
    /// Whether the decision came out again.
    pub reproduced: Reproduced,
}

/// Position of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Kafka timestamp, Unix ms.
    pub kafka_timestamp: Option<i64>,
}

/// The stretch of load that the decision was made again from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stretch {
    /// Event time from which on reports count.
    pub since: i64,
    /// Reports in it.
    pub reports: usize,
    /// Those that the stage repeated, dropped or set aside.
    pub left_out: usize,
    /// Why it may not be whole; `None`: it is.
    pub missing: Option<String>,
}

/// What the model saw; `None` for a resource that was not measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Saw {
    /// CPU.
    pub cpu: Option<ResourceView>,
    /// Memory.
    pub memory: Option<ResourceView>,
}

/// The forecast of a decision.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Said {
    /// The node's state.
    pub state: Status,
    /// Name and checksum of the model.
    pub model: String,
    /// As it was published.
    pub cpu: WhatModelSaid,
    /// As it was published.
    pub memory: WhatModelSaid,
    /// What the model says of a demoted resource, whose published forecast is the baseline's.
    pub underneath: Option<ByResource>,
}

/// The forecasts of both resources.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ByResource {
    /// CPU.
    pub cpu: WhatModelSaid,
    /// Memory.
    pub memory: WhatModelSaid,
}

/// The forecast of one resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhatModelSaid {
    /// Peak of the next 5 minutes, median.
    pub peak_p50: f64,
    /// Its 0.9 quantile.
    pub peak_p90: f64,
    /// In 1, 2, 3, 4 and 5 minutes.
    pub path: Vec<f64>,
}

/// From the forecast to the quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decided {
    /// The command before it; `None` where it is not known.
    pub before: Option<QuotaCommand>,
    /// Each step in its order.
    pub steps: Vec<StepView>,
    /// Operators' controls in force, in words.
    pub controls: Vec<String>,
    /// The command.
    pub command: QuotaCommand,
}

/// One step; values are multiples of the base quota.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepView {
    /// `policy`, or the guard rail or control as `limits_hit` names it.
    pub name: String,
    /// The value it was given.
    pub before: f64,
    /// What it made of it.
    pub after: f64,
    /// Why.
    pub why: String,
}

/// Whether forecast and command came out as they stand on their topics, byte for byte; `None` where one is not there to be
/// compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reproduced {
    /// The forecast.
    pub forecast: Option<bool>,
    /// The command.
    pub quota: Option<bool>,
    /// Fields that came out otherwise.
    pub differences: Vec<Difference>,
}

impl Reproduced {
    /// Both are there and came out the same.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.forecast == Some(true) && self.quota == Some(true)
    }

    /// One of them came out otherwise.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.forecast == Some(false) || self.quota == Some(false)
    }
}

/// A field that came out otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// `forecast` or `quota`, and the field.
    pub field: String,
    /// As it stands on the topic.
    pub recorded: serde_json::Value,
    /// As it came out.
    pub recomputed: serde_json::Value,
}
