//! The bulk file of controls: TOML to entries, each checked as far as it can be without the fleet's time.

use std::path::Path;

use serde::Deserialize;
use tidegate_schemas::records::{Control, ControlMode};
use toml::Spanned;

use super::set::Mode;
use crate::event_time::{self, End};
use crate::exit::{self, failure};

/// What the file wants.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(super) said: SaidOfFile,
    pub(crate) entries: Vec<Entry>,
}

/// Who stands for what gives no `by` and `why` of its own.
#[derive(Debug, Default)]
pub(crate) struct SaidOfFile {
    by: Option<String>,
    why: Option<String>,
}

impl SaidOfFile {
    /// Who and why, where both are given.
    pub(super) fn whole(&self) -> Option<(&str, &str)> {
        Some((self.by.as_deref()?, self.why.as_deref()?))
    }
}

/// One control of the file.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Line where it begins, from 1.
    pub(super) line: usize,
    pub(super) target: String,
    /// What it asks for; its span is that of `from` and `until`.
    words: Control,
    from: Option<i64>,
    until: Option<End>,
}

impl Entry {
    /// Whether the file gives its beginning.
    pub(super) fn has_beginning(&self) -> bool {
        self.from.is_some()
    }

    /// The control, beginning at `next` where the file gives no beginning.
    pub(crate) fn control(&self, next: i64) -> Control {
        let timestamp = self.from.unwrap_or(next);
        Control { timestamp, until: self.until.map(|end| end.of(timestamp)), ..self.words.clone() }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    by: Option<String>,
    why: Option<String>,
    #[serde(default)]
    control: Vec<Spanned<Row>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    target: String,
    #[serde(rename = "override")]
    override_quota: Option<f64>,
    #[serde(default)]
    freeze: bool,
    min: Option<f64>,
    max: Option<f64>,
    policy: Option<String>,
    mode: Option<Mode>,
    #[serde(default)]
    trace: bool,
    from: Option<toml::Value>,
    until: Option<toml::Value>,
    by: Option<String>,
    why: Option<String>,
}

/// Reads a file; `by` and `why` stand in where it gives none.
pub(super) fn read(path: &Path, by: Option<&str>, why: Option<&str>) -> anyhow::Result<Wanted> {
    let named = |code, e: &dyn std::fmt::Display| failure(code, format!("{}: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| {
        let missing = e.kind() == std::io::ErrorKind::NotFound;
        named(if missing { exit::NO_INPUT } else { exit::DATA }, &e)
    })?;
    parse(&text, by, why).map_err(|e| named(exit::DATA, &e))
}

/// Parses a file's text; errors name their line.
pub(crate) fn parse(text: &str, by: Option<&str>, why: Option<&str>) -> Result<Wanted, String> {
    let line_of = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let file: File = toml::from_str(text).map_err(|e| match e.span() {
        Some(span) => format!("line {}: {}", line_of(span.start), e.message()),
        None => e.message().to_owned(),
    })?;
    let given = |own: Option<String>, flag: Option<&str>| own.or_else(|| flag.map(ToOwned::to_owned));
    let said = SaidOfFile { by: given(file.by, by), why: given(file.why, why) };
    let mut entries: Vec<Entry> = Vec::with_capacity(file.control.len());
    for row in file.control {
        let line = line_of(row.span().start);
        let row = row.into_inner();
        let at = format!("line {line}: {}", row.target);
        let entry = entry(row, line, &said).map_err(|e| format!("{at}: {e}"))?;
        if let Some(first) = entries.iter().find(|first| first.target == entry.target) {
            return Err(format!("{at}: it stands in line {} already; a target has one control", first.line));
        }
        entries.push(entry);
    }
    Ok(Wanted { said, entries })
}

fn entry(row: Row, line: usize, said: &SaidOfFile) -> Result<Entry, String> {
    let from = row.from.as_ref().map(|value| event_time::parse(&plain(value)).map_err(|e| format!("from: {e}")));
    let until = row.until.as_ref().map(|value| event_time::parse_end(&plain(value)).map_err(|e| format!("until: {e}")));
    let words = Control {
        target: row.target.clone(),
        timestamp: 0,
        override_quota: row.override_quota,
        freeze: row.freeze,
        min_quota: row.min,
        max_quota: row.max,
        policy: row.policy,
        mode: row.mode.map_or(ControlMode::Unchanged, ControlMode::from),
        until: None,
        trace: row.trace,
        by: row.by.or_else(|| said.by.clone()).unwrap_or_default(),
        why: row.why.or_else(|| said.why.clone()).unwrap_or_default(),
    };
    if words.is_clear() {
        return Err("nothing is asked for; give override, freeze, min, max, policy, mode or trace".into());
    }
    super::show::check(&words, false)?;
    Ok(Entry { line, target: row.target, words, from: from.transpose()?, until: until.transpose()? })
}

/// A time as text: TOML has instants of its own, numbers are ms.
fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_read_and_the_file_stands_in_for_who_and_why() {
        let text = "
by = 'alice'
why = 'release'
[[control]]
target = 'pool:web'
override = 1500
freeze = true
min = 10
max = 2000.5
policy = 'headroom'
mode = 'recommend'
trace = true
from = 2026-01-05T00:00:00Z
until = '2h'
why = 'test'
";
        let wanted = parse(text, Some("flag"), None).unwrap();
        let from = 1_767_571_200_000;
        let control = Control {
            target: "pool:web".into(),
            timestamp: from,
            override_quota: Some(1500.0),
            freeze: true,
            min_quota: Some(10.0),
            max_quota: Some(2000.5),
            policy: Some("headroom".into()),
            mode: ControlMode::Recommend,
            until: Some(from + 7_200_000),
            trace: true,
            by: "alice".into(),
            why: "test".into(),
        };
        assert_eq!(wanted.entries[0].control(0), control);
        assert_eq!(wanted.said.whole(), Some(("alice", "release")));
    }

    #[test]
    fn the_example_of_the_docs_is_a_file() {
        let wanted = parse(include_str!("../../../../docs/controls.toml"), None, None).unwrap();
        let words: Vec<_> =
            wanted.entries.iter().map(|e| format!("{}: {}", e.target, e.words.words().join(", "))).collect();
        assert_eq!(
            words,
            [
                "pool:pool-03: freeze",
                "node-0003: override 1500",
                "pool:pool-07: min 200, max 900.5, policy headroom, mode recommend"
            ]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let said = |rest: &str| parse(&format!("by = 'a'\nwhy = 'b'\n{rest}"), None, None).unwrap_err();
        let with = |row: &str| said(&format!("[[control]]\ntarget = 'n'\n{row}\n"));
        assert_eq!(
            with("overide = 3").lines().next(),
            Some(
                "line 5: unknown field `overide`, expected one of `target`, `override`, `freeze`, `min`, `max`, `policy`, `mode`, `trace`, `from`, `until`, `by`, `why`"
            )
        );
        assert_eq!(with("override = -3"), "line 3: n: override is -3; it must be a finite number of at least 0");
        assert_eq!(with("override = nan"), "line 3: n: override is NaN; it must be a finite number of at least 0");
        assert_eq!(with(""), "line 3: n: nothing is asked for; give override, freeze, min, max, policy, mode or trace");
        assert!(with("policy = 'best'").starts_with("line 3: n: "), "{}", with("policy = 'best'"));
        assert!(with("mode = 'maybe'").starts_with("line 5: unknown variant `maybe`"));
        assert!(with("freeze = true\nuntil = 'soon'").contains("n: until: it wants"));
        let twice = "[[control]]\ntarget = 'n'\nfreeze = true\n[[control]]\ntarget = 'n'\nmin = 1\n";
        assert_eq!(said(twice), "line 6: n: it stands in line 3 already; a target has one control");
        let nobody = parse("[[control]]\ntarget = 'n'\nfreeze = true\n", Some("me"), None).unwrap_err();
        assert_eq!(nobody, "line 1: n: why is empty; a control says who set it and why");
        assert!(parse("control = 3", None, None).unwrap_err().starts_with("line 1: "));
    }
}
