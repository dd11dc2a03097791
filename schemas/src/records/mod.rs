//! The records as Rust types, one file each. Field docs, units and defaults stand in `avro/*.avsc`; the tests below hold
//! the types to the schemas.

use serde::Serialize;
use serde::de::DeserializeOwned;

mod alert;
mod checkpoint;
mod control;
mod forecast;
mod load_report;
mod opaque;
mod quota_command;
mod shared;
mod span;

pub use alert::{Alert, AlertStatus};
pub use checkpoint::Checkpoint;
pub use control::{Control, ControlMode, InvalidControl, Target};
pub use forecast::{Forecast, ForecastState, ForecastsByState, Load, MeasuredAt, Quantiles};
pub use load_report::{CLOCK_AHEAD_ALLOWED_MS, InvalidReport, LoadReport};
pub use quota_command::{QuotaCommand, QuotaMode};
pub use span::{Attribute, AttributeValue, Span, SpanEvent, SpanKind, SpanLink, SpanStatus, StatusCode};

use crate::catalogue::RecordKind;

/// A record of the catalogue.
pub trait Record: Serialize + DeserializeOwned + Send + 'static {
    /// Its kind.
    const KIND: RecordKind;
}

/// Position of the load report that led to a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[expect(missing_docs, reason = "documented in the schema")]
pub struct Cause {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// Implements [`Record`].
macro_rules! record {
    ($type:ident) => {
        impl crate::records::Record for $type {
            const KIND: crate::catalogue::RecordKind = crate::catalogue::RecordKind::$type;
        }
    };
}
use record;
