//! Wrong settings and absent servers: one clear sentence each and the right exit code, never a panic.

use std::net::TcpListener;

use tidegate_tests::brokers::TestBroker;
use tidegate_tests::process::PATIENCE;
use tidegate_tests::{binary, kafka};

use crate::fixture::Pipeline;

/// 64 of sysexits: the command line is wrong.
const USAGE: i32 = 64;
/// 69 of sysexits: a service is not to be had.
const UNAVAILABLE: i32 = 69;
/// 78 of sysexits: a setting is wrong.
const CONFIG: i32 = 78;

/// Runs the binary, which must refuse with `code` and one sentence that holds `word`.
pub(crate) fn assert_refused(arguments: &[&str], code: i32, word: &str) {
    let finished = binary::run(arguments, PATIENCE);
    let said = finished.stderr.trim();
    assert_eq!(finished.code, Some(code), "{arguments:?}:\n{said}");
    assert!(said.contains(word), "{arguments:?} does not say {word:?}:\n{said}");
    assert!(!said.contains("panicked") && !said.contains("backtrace"), "{arguments:?}:\n{said}");
    assert!(finished.stdout.is_empty(), "errors belong on stderr: {}", finished.stdout);
    let errors = said.lines().filter(|line| line.starts_with("error:")).count();
    assert_eq!(errors, 1, "{arguments:?} must say one sentence:\n{said}");
}

#[test]
fn an_unreachable_broker_is_named() {
    // Nobody listens on a port of the first thousand without being told to.
    let address = "127.0.0.1:1";
    for command in [&["topics", "apply"][..], &["run", "quota"], &["watch", "quotas"], &["simulate", "--nodes", "3"]] {
        assert_refused(&[command, &["--brokers", address]].concat(), UNAVAILABLE, address);
    }
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_refused(&["schemas", "serve", "--listen", &address], UNAVAILABLE, &address);
    assert_refused(&["demo", "--nodes", "3", "--listen", &address], UNAVAILABLE, &address);
    let Some(kafka) = kafka::shared() else { return };
    let brokers = kafka.bootstrap();
    let prefix = "port-in-use.";
    let apply = ["topics", "apply", "--brokers", brokers, "--prefix", prefix, "--partitions", "1"];
    let _applied = binary::run(&apply, PATIENCE).expect_success();
    let run = ["run", "quota", "--brokers", brokers, "--prefix", prefix, "--metrics-listen", &address];
    assert_refused(&run, UNAVAILABLE, &address);
}

#[test]
fn topics_that_are_missing_are_named_with_what_creates_them() {
    let Some(kafka) = kafka::shared() else { return };
    let arguments = ["run", "quota", "--brokers", kafka.bootstrap(), "--prefix", "nobody."];
    assert_refused(&arguments, UNAVAILABLE, "tidegate topics apply");
}

#[test]
fn an_unknown_flag_is_a_usage_error() {
    assert_refused(&["run", "forecast", "--no-such-flag"], USAGE, "--no-such-flag");
    assert_refused(&["fly"], USAGE, "fly");
    assert_refused(&["simulate", "--nodes", "many"], USAGE, "many");
}

#[test]
fn a_wrong_setting_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tidegate.toml");
    let path = path.to_str().unwrap();
    for (text, word) in [
        ("no_such_key = 1\n", "no_such_key"),
        ("brokers = 7\n", "line 1"),
        ("this is not toml", path),
        ("[kafka]\n\"no.such.property\" = \"1\"\n", "no.such.property"),
    ] {
        std::fs::write(path, text).unwrap();
        let command = ["watch", "quotas", "--brokers", "127.0.0.1:9", "--config", path];
        assert_refused(&command, CONFIG, word);
    }
    assert_refused(&["watch", "quotas", "--config", "/no/such/file.toml"], CONFIG, "/no/such/file.toml");
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "bad-settings");
    for (command, word) in [
        (&["run", "deliver", "--webhook", "nowhere"][..], "nowhere"),
        (&["run", "deliver"], "--webhook"),
        (&["run", "quota", "--min-scale", "2", "--max-scale", "1"], "min"),
    ] {
        assert_refused(&pipeline.arguments(command), CONFIG, word);
    }
}
