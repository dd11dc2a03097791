//! `tidegate validate`: rule and settings files, checked before anything runs by them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate_alerts::{AlertsError, Rules};

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

impl Validate {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let mut wrong = 0;
        for path in &self.files {
            let text = std::fs::read_to_string(path)
                .map_err(|e| failure(exit::NO_INPUT, format!("{} cannot be read: {e}", path.display())))?;
            let (found, is_right) =
                if path.extension().is_some_and(|e| e == "toml") { settings(path, &text) } else { rules(path, &text) };
            wrong += usize::from(!is_right);
            if common.json {
                super::say_json(&found)?;
            } else {
                for line in found["lines"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    super::say(line)?;
                }
            }
        }
        match wrong {
            0 => Ok(()),
            1 => Err(failure(exit::DATA, "1 file is wrong")),
            _ => Err(failure(exit::DATA, format!("{wrong} files are wrong"))),
        }
    }
}

fn rules(path: &Path, text: &str) -> (Value, bool) {
    let name = path.display().to_string();
    match Rules::parse([(name.as_str(), text)]) {
        Ok(rules) => {
            let count = rules.names().count();
            let line = format!("{name}: {}", super::counted(count as u64, "alert rule"));
            (json!({ "file": name, "ok": true, "rules": count, "problems": [], "lines": [line] }), true)
        }
        Err(AlertsError::File { problems, .. }) => {
            let lines: Vec<String> = problems.iter().map(|problem| format!("{name}:{problem}")).collect();
            let told = problems
                .iter()
                .map(|p| json!({ "line": p.place.line, "column": p.place.column, "message": p.message }));
            (json!({ "file": name, "ok": false, "problems": told.collect::<Vec<_>>(), "lines": lines }), false)
        }
        Err(e) => (json!({ "file": name, "ok": false, "lines": [e.to_string()] }), false),
    }
}

fn settings(path: &Path, text: &str) -> (Value, bool) {
    let name = path.display().to_string();
    let checked = Settings::parse(text).and_then(|settings| {
        let quota = settings.quota().map(drop);
        quota.and_then(|()| settings.kafka().map(drop)).map_err(|e| e.to_string())
    });
    match checked {
        Ok(()) => (json!({ "file": name, "ok": true, "problems": [], "lines": [format!("{name}: right")] }), true),
        Err(said) => {
            let line = format!("{name}: {said}");
            (json!({ "file": name, "ok": false, "problems": [{ "message": said }], "lines": [line] }), false)
        }
    }
}
