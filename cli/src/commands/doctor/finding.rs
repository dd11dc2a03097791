//! One thing that was looked at: how it is, and what to do about it.

use std::fmt;

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    /// It works, and somebody should look.
    Warning,
    /// It does not work.
    Wrong,
    /// It was not looked at.
    Skipped,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    pub(super) check: &'static str,
    pub(super) state: State,
    pub(super) said: String,
    /// What to do.
    pub(super) advice: Option<String>,
}

impl Finding {
    fn new(check: &'static str, state: State, said: impl Into<String>) -> Self {
        // What libraries say may have several lines; and what is said here is shown to others.
        let said = said.into().split_whitespace().map(without_secrets).collect::<Vec<_>>().join(" ");
        Self { check, state, said, advice: None }
    }

    pub(super) fn ok(check: &'static str, said: impl Into<String>) -> Self {
        Self::new(check, State::Ok, said)
    }

    pub(super) fn warning(check: &'static str, said: impl Into<String>) -> Self {
        Self::new(check, State::Warning, said)
    }

    pub(super) fn wrong(check: &'static str, said: impl Into<String>) -> Self {
        Self::new(check, State::Wrong, said)
    }

    pub(super) fn skipped(check: &'static str, said: impl Into<String>) -> Self {
        Self::new(check, State::Skipped, said)
    }

    /// Ok with what is said of the value, or wrong with the error.
    pub(super) fn of<T>(check: &'static str, result: anyhow::Result<T>, said: impl FnOnce(&T) -> String) -> Self {
        match result {
            Ok(value) => Self::ok(check, said(&value)),
            Err(e) => Self::wrong(check, format!("{e:#}")),
        }
    }

    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Wrong => "wrong",
            State::Skipped => "skipped",
        };
        write!(f, "{state:<8} {:<12} {}", self.check, self.said)?;
        match &self.advice {
            Some(advice) => write!(f, "\n{:<21} → {advice}", ""),
            None => Ok(()),
        }
    }
}

/// A word, as it is; of a URL neither user and password nor what follows the path.
fn without_secrets(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let host = rest[..end].find('/').unwrap_or(end);
    let begin = rest[..host].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[begin..end])
}

/// A time that has passed, as `3 min`.
pub(super) fn ago(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_a_line_and_its_advice_another() {
        let found = Finding::wrong("topics", "t.load\n  is missing").advise("tidegate topics apply");
        assert_eq!(
            found.to_string(),
            "wrong    topics       t.load is missing\n                      → tidegate topics apply"
        );
        assert_eq!(Finding::of("model", anyhow::Ok(3), |n| format!("{n}")), Finding::ok("model", "3"));
    }

    #[test]
    fn secrets_of_urls_are_not_said() {
        let said =
            Finding::ok("webhook", "http://user:s3cret@a:1/hook?token=s3cret answers, as https://a/b@c does").said;
        assert_eq!(said, "http://a:1/hook answers, as https://a/b@c does");
    }

    #[test]
    fn times_are_said_in_one_unit() {
        let said = [-5, 119_999, 120_000, 7_200_000, 172_800_000].map(ago);
        assert_eq!(said, ["0 s", "119 s", "2 min", "2 h", "2 days"]);
    }
}
