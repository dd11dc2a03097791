//! Durations as Prometheus writes them: `30s`, `5m`, `1h30m`; units in falling order, each once.

const UNITS: [(&str, i64); 7] = [
    ("y", 365 * 86_400_000),
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Longest duration taken, in ms: what rules look back on is memory and restore time.
pub(crate) const LONGEST_MS: i64 = 7 * 86_400_000;

/// Milliseconds of a duration; `None` where it is none, or too long.
pub(crate) fn parse(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let (mut rest, mut total, mut next) = (text, 0_i64, 0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: i64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let at = UNITS.iter().position(|(unit, _)| *unit == &rest[..letters])?;
        if at < next {
            return None;
        }
        next = at + 1;
        total = total.checked_add(number.checked_mul(UNITS[at].1)?)?;
        rest = &rest[letters..];
    }
    (!text.is_empty() && total <= LONGEST_MS).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn durations_are_those_of_prometheus() {
        for (text, ms) in [("0", 0), ("30s", 30_000), ("5m", 300_000), ("1h30m", 5_400_000), ("250ms", 250)] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
        for wrong in
            ["", "5", "m", "1m1h", "1s1s", "-5m", "1.5h", "5 m", "8d", "99999999999999999999s", "9223372036854775807y"]
        {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
