//! `tidegate validate`: rule and settings files, checked before anything runs by them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate_alerts::{AlertsError, Problem, Rules};

use crate::args::Common;
use crate::config::Settings;
use crate::exit::{self, failure};

/// Check alert rules (YAML) and settings (TOML); say what is wrong, with line and column.
///
/// Rule files are Prometheus': what tidegate does not support is refused here, not found out at night. Exit code 65 where a file is
/// wrong.
#[derive(Debug, clap::Args)]
pub(crate) struct Validate {
    /// Rule files, and settings files by the ending .toml
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// What was found of a file.
struct Found {
    ok: bool,
    /// For people.
    lines: Vec<String>,
    /// For programs.
    object: Value,
}

impl Validate {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let mut wrong = 0;
        for path in &self.files {
            let text = std::fs::read_to_string(path)
                .map_err(|e| failure(exit::NO_INPUT, format!("{} cannot be read: {e}", path.display())))?;
            let is_toml = path.extension().is_some_and(|e| e == "toml");
            let found = if is_toml { settings(path, &text) } else { rules(path, &text) };
            wrong += u64::from(!found.ok);
            if common.json {
                super::say_json(&found.object)?;
            } else {
                found.lines.iter().try_for_each(super::say)?;
            }
        }
        if wrong == 0 { Ok(()) } else { Err(failure(exit::DATA, format!("{} refused", super::counted(wrong, "file")))) }
    }
}

fn rules(path: &Path, text: &str) -> Found {
    let name = path.display().to_string();
    match Rules::parse([(name.as_str(), text)]) {
        Ok(rules) => {
            let count = rules.names().count();
            let lines = vec![format!("{name}: {}", super::counted(count as u64, "alert rule"))];
            Found { ok: true, lines, object: json!({ "file": name, "ok": true, "problems": [], "rules": count }) }
        }
        Err(AlertsError::File { problems, .. }) => {
            let lines = problems.iter().map(|problem| format!("{name}:{problem}")).collect();
            let object = |p: &Problem| json!({ "line": p.place.line, "column": p.place.column, "message": p.message });
            let problems: Vec<Value> = problems.iter().map(object).collect();
            Found { ok: false, lines, object: json!({ "file": name, "ok": false, "problems": problems }) }
        }
        Err(e) => refused(&name, &e.to_string()),
    }
}

fn settings(path: &Path, text: &str) -> Found {
    let name = path.display().to_string();
    let checked = Settings::parse(text).and_then(|settings| {
        let quota = settings.quota().map(drop);
        quota.and_then(|()| settings.kafka().map(drop)).map_err(|e| e.to_string())
    });
    match checked {
        Ok(()) => {
            let object = json!({ "file": name, "ok": true, "problems": [] });
            Found { ok: true, lines: vec![format!("{name}: nothing is wrong with these settings")], object }
        }
        Err(said) => refused(&name, &said),
    }
}

fn refused(name: &str, said: &str) -> Found {
    let object = json!({ "file": name, "ok": false, "problems": [{ "message": said }] });
    Found { ok: false, lines: vec![format!("{name}: {said}")], object }
}
