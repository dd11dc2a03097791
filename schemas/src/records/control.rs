//! [`Control`]: an operator's word on a node or a pool.

use serde::{Deserialize, Serialize};

/// Whether edges enforce the quotas they receive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ControlMode {
    /// As configured.
    #[default]
    Unchanged,
    /// Quotas are published and not enforced.
    Recommend,
    /// Quotas are enforced.
    Enforce,
}

/// One control; fields, units and defaults in `avro/control_v2.avsc`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Control {
    pub target: String,
    pub timestamp: i64,
    pub override_quota: Option<f64>,
    pub freeze: bool,
    pub min_quota: Option<f64>,
    pub max_quota: Option<f64>,
    pub policy: Option<String>,
    pub mode: ControlMode,
    pub until: Option<i64>,
    pub trace: bool,
    pub by: String,
    pub why: String,
}

super::record!(Control);

/// Whom a control is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target<'a> {
    /// One node, by its id.
    Node(&'a str),
    /// All nodes of a pool, by its name.
    Pool(&'a str),
}

/// What a pool's target begins with.
const POOL: &str = "pool:";
/// Longest target, in bytes.
const TARGET_BYTES: usize = POOL.len() + super::load_report::MOST_NAME_BYTES;
/// Longest name of who said it, in bytes.
const BY_BYTES: usize = 100;
/// Longest reason, in bytes: it stands in every command that the control leads to.
const WHY_BYTES: usize = 500;

impl<'a> Target<'a> {
    /// The target of a text: a node id, or `pool:NAME`. `None` where the text or the pool's name is empty.
    #[must_use]
    pub fn of(text: &'a str) -> Option<Self> {
        let target = text.strip_prefix(POOL).map_or(Self::Node(text), Self::Pool);
        let (Self::Node(name) | Self::Pool(name)) = target;
        (!name.is_empty()).then_some(target)
    }
}

/// Why a control counts for nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidControl {
    /// Nobody is meant.
    #[error("the target is {0:?}; it must be a node id or pool:NAME")]
    BadTarget(String),
    /// The record's key is not the target.
    #[error("the record's key is not the target {0:?}")]
    KeyMismatch(String),
    /// A quota that is NaN, infinite or negative.
    #[error("{field} is {value}; it must be a finite number of at least 0")]
    BadNumber {
        /// Which quota.
        field: &'static str,
        /// Its value.
        value: f64,
    },
    /// The bounds leave no room.
    #[error("min is {min} and max is {max}; min must not be above max")]
    BadBounds {
        /// Lower bound.
        min: f64,
        /// Upper bound.
        max: f64,
    },
    /// It ends before it begins.
    #[error("it ends at {until} ms and begins at {from} ms; the end must be after the beginning")]
    BadSpan {
        /// Its beginning, event time in ms since the Unix epoch.
        from: i64,
        /// Its end, likewise.
        until: i64,
    },
    /// The event time is before the Unix epoch.
    #[error("the event time {0} is before the Unix epoch")]
    BadTimestamp(i64),
    /// Nobody stands for it.
    #[error("{0} is empty; a control says who set it and why")]
    Unsaid(&'static str),
    /// A text that is too long for the commands that it will stand in.
    #[error("{field} has {bytes} bytes; at most {most} are allowed")]
    TooLong {
        /// Which text.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// What is allowed.
        most: usize,
    },
}

impl InvalidControl {
    /// Stable name in metrics.
    #[must_use]
    pub fn class(&self) -> &'static str {
        match self {
            Self::BadTarget(_) => "bad-target",
            Self::KeyMismatch(_) => "key-mismatch",
            Self::BadNumber { .. } | Self::BadBounds { .. } => "bad-number",
            Self::BadSpan { .. } | Self::BadTimestamp(_) => "bad-timestamp",
            Self::Unsaid(_) => "unsaid",
            Self::TooLong { .. } => "too-long",
        }
    }
}

impl Control {
    /// Whether it says nothing: then it clears what was said of its target before.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.words().is_empty()
    }

    /// Whether an event time lies between its beginning and its end.
    #[must_use]
    pub fn spans(&self, event_time: i64) -> bool {
        self.timestamp <= event_time && self.until.is_none_or(|until| event_time < until)
    }

    /// What it asks for, e.g. `["override 1500", "mode recommend"]`; empty for a clear.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        words.extend(self.override_quota.map(|q| format!("override {q}")));
        words.extend(self.freeze.then(|| "freeze".to_owned()));
        words.extend(self.min_quota.map(|q| format!("min {q}")));
        words.extend(self.max_quota.map(|q| format!("max {q}")));
        words.extend(self.policy.as_ref().map(|p| format!("policy {p}")));
        match self.mode {
            ControlMode::Unchanged => {}
            ControlMode::Recommend => words.push("mode recommend".to_owned()),
            ControlMode::Enforce => words.push("mode enforce".to_owned()),
        }
        words.extend(self.trace.then(|| "trace".to_owned()));
        words
    }

    /// Checks the control itself; the name of the policy is checked by who knows the policies.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), InvalidControl> {
        if Target::of(&self.target).is_none() {
            return Err(InvalidControl::BadTarget(self.target.clone()));
        }
        let quotas = [("override", self.override_quota), ("min", self.min_quota), ("max", self.max_quota)];
        for (field, value) in quotas {
            if let Some(value) = value.filter(|v| !(v.is_finite() && *v >= 0.0)) {
                return Err(InvalidControl::BadNumber { field, value });
            }
        }
        if let (Some(min), Some(max)) = (self.min_quota, self.max_quota)
            && min > max
        {
            return Err(InvalidControl::BadBounds { min, max });
        }
        if self.timestamp < 0 {
            return Err(InvalidControl::BadTimestamp(self.timestamp));
        }
        if let Some(until) = self.until.filter(|until| *until <= self.timestamp) {
            return Err(InvalidControl::BadSpan { from: self.timestamp, until });
        }
        let texts = [("target", &self.target, TARGET_BYTES), ("by", &self.by, BY_BYTES), ("why", &self.why, WHY_BYTES)];
        for (field, text, most) in texts {
            if text.trim().is_empty() {
                return Err(InvalidControl::Unsaid(field));
            }
            if text.len() > most {
                return Err(InvalidControl::TooLong { field, bytes: text.len(), most });
            }
        }
        Ok(())
    }

    /// Checks the control against the key of the record that carried it.
    ///
    /// # Errors
    /// As [`Control::validate`]; a key other than the target.
    pub fn validate_in_log(&self, key: &str) -> Result<(), InvalidControl> {
        self.validate()?;
        if key == self.target { Ok(()) } else { Err(InvalidControl::KeyMismatch(self.target.clone())) }
    }
}
