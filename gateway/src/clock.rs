//! The clock of both ends; what is pure is told the time by it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time, ms.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
