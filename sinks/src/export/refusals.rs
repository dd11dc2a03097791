//! What a backend refuses is told, but not with every request: one that refuses one mostly refuses them all.

use std::time::{Duration, Instant};

/// One line in this time.
const TELL_AFTER: Duration = Duration::from_secs(30);

/// What was told of refusals.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    told_at: Option<Instant>,
    untold: u64,
}

impl Refusals {
    /// Warns of a refused request, at `now`, unless one was told a moment ago.
    pub(super) fn tell(&mut self, what: &str, now: Instant) {
        match self.line(what, now) {
            Some(line) => tracing::warn!("{line}"),
            None => tracing::debug!("{what}"),
        }
    }

    fn line(&mut self, what: &str, now: Instant) -> Option<String> {
        if self.told_at.is_some_and(|told| now.duration_since(told) < TELL_AFTER) {
            self.untold += 1;
            return None;
        }
        self.told_at = Some(now);
        Some(match std::mem::take(&mut self.untold) {
            0 => what.to_owned(),
            others => format!("{what} ({others} other requests were refused since the last such line)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_stands_for_those_of_the_last_moments() {
        let (mut refusals, begin) = (Refusals::default(), Instant::now());
        assert_eq!(refusals.line("a", begin).as_deref(), Some("a"));
        assert_eq!(refusals.line("b", begin + TELL_AFTER / 2), None);
        let next = refusals.line("c", begin + TELL_AFTER);
        assert_eq!(next.as_deref(), Some("c (1 other requests were refused since the last such line)"));
        assert_eq!(refusals.line("d", begin + 2 * TELL_AFTER).as_deref(), Some("d"));
    }
}
