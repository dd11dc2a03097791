//! Event times as people write and read them: RFC 3339 in UTC, or ms since the Unix epoch.

use std::time::{Duration, UNIX_EPOCH};

/// An instant as ms since the epoch: RFC 3339, or a number of ms.
pub(crate) fn parse(text: &str) -> Result<i64, String> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    let at = humantime::parse_rfc3339_weak(text)
        .map_err(|e| format!("{e}; it wants 2026-01-05T00:00:00Z or milliseconds"))?;
    let since = at.duration_since(UNIX_EPOCH).map_err(|_| "it is before 1970".to_owned())?;
    i64::try_from(since.as_millis()).map_err(|e| e.to_string())
}

/// RFC 3339 with milliseconds.
pub(crate) fn show(ms: i64) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(ms.max(0).unsigned_abs()));
    // humantime writes years up to 9999.
    let written = at.filter(|_| ms < 253_402_300_800_000).map(|at| humantime::format_rfc3339_millis(at).to_string());
    written.unwrap_or_else(|| format!("{ms} ms"))
}

/// RFC 3339 with microseconds, of nanoseconds since the epoch.
pub(crate) fn with_micros(nanos: i64) -> String {
    // i64 reaches the year 2262.
    let at = UNIX_EPOCH + Duration::from_nanos(nanos.max(0).unsigned_abs());
    humantime::format_rfc3339_micros(at).to_string()
}

/// Now, by this machine's clock.
pub(crate) fn wall_clock() -> i64 {
    i64::try_from(UNIX_EPOCH.elapsed().unwrap_or_default().as_millis()).unwrap_or(i64::MAX)
}

/// An end: an instant, or a time after the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Event time in ms.
    At(i64),
    /// So many ms after the beginning.
    After(i64),
}

impl End {
    /// The end of what begins at `from`.
    pub(crate) fn of(self, from: i64) -> i64 {
        match self {
            Self::At(ms) => ms,
            Self::After(ms) => from.saturating_add(ms),
        }
    }
}

/// An end: an instant as [`parse`] takes it, or a duration such as `2h`.
pub(crate) fn parse_end(text: &str) -> Result<End, String> {
    if let Ok(length) = humantime::parse_duration(text) {
        if length.is_zero() {
            return Err("it must be longer than that".to_owned());
        }
        return i64::try_from(length.as_millis()).map(End::After).map_err(|e| e.to_string());
    }
    let refused = |_| "it wants an instant, 2026-01-05T00:00:00Z or milliseconds, or a duration such as 2h".to_owned();
    parse(text).map(End::At).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_and_durations_are_told_apart() {
        assert_eq!(parse("2026-01-05T00:00:00Z"), Ok(1_767_571_200_000));
        assert_eq!(show(1_767_571_200_000), "2026-01-05T00:00:00.000Z");
        assert_eq!(show(i64::MAX), format!("{} ms", i64::MAX));
        assert_eq!(parse_end("1767571200000"), Ok(End::At(1_767_571_200_000)));
        assert_eq!(parse_end("2026-01-05 00:00:00"), Ok(End::At(1_767_571_200_000)));
        assert_eq!(parse_end("2h").map(|end| end.of(1_000)), Ok(7_201_000));
        assert_eq!(parse_end("0s"), Err("it must be longer than that".to_owned()));
        assert!(parse_end("soon").unwrap_err().contains("such as 2h"));
    }
}
