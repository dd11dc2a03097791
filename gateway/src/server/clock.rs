//! The gateway's clock; what is pure is told the time by it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time, ms.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
