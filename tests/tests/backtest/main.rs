//! `backtest`, `what-if` and `simulate --to` as a user runs them: files in, text, JSON and files out, no Kafka.
//!
//! The golden file is so short that all its forecasts are the baseline's: its figures do not change with the shipped model.

mod bad_files;
mod golden;
mod what_if;

use std::path::{Path, PathBuf};

use serde_json::Value;
use tidegate_tests::binary::{Finished, run};
use tidegate_tests::process::PATIENCE;

/// Runs `tidegate` with these arguments.
fn tidegate(arguments: &[&str]) -> Finished {
    run(arguments, PATIENCE)
}

/// Runs it with `--json` and reads the object.
fn json(arguments: &[&str]) -> Value {
    let finished = tidegate(&[arguments, &["--json"]].concat()).expect_success();
    serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {}", finished.stdout))
}

/// A CSV file in `folder`.
fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("a writable folder");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of UTF-8")
}

/// The text without the model's name, which changes with every training.
fn without_model(text: &str, model: &str) -> String {
    text.replace(model, "MODEL")
}

/// One row a minute of some nodes, with CPU by `load(node, minute)`.
fn csv(nodes: &[&str], minutes: i64, load: impl Fn(usize, i64) -> f64) -> String {
    let mut text = "node_id,timestamp_ms,cpu,memory\n".to_owned();
    for minute in 0..minutes {
        for (index, node) in nodes.iter().enumerate() {
            let at = 1_767_571_200_000 + minute * 60_000;
            text.push_str(&format!("{node},{at},{:.4},0.3\n", load(index, minute)));
        }
    }
    text
}
