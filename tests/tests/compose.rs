//! The compose folder: the Dockerfile as hadolint sees it, the services as Docker Compose sees them, and every command
//! that a service runs, put to the built binary.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tidegate_tests::compose_tools::{self, ComposeTools};
use tidegate_tests::process::PATIENCE;
use tidegate_tests::{binary, debian, places};

fn folder() -> PathBuf {
    places::repository().join("compose")
}

/// `docker-compose config` with the settings that a user may give.
fn config(tools: &ComposeTools, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(&tools.compose);
    command
        .args(["-f", "compose.yaml", "--profile", "replay", "--profile", "observe", "config", "--format", "json"])
        .current_dir(folder());
    command.envs(variables.iter().copied()).output().unwrap()
}

fn services(tools: &ComposeTools, variables: &[(&str, &str)]) -> Value {
    let output = config(tools, variables);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.is_empty(), "a warning: {said}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["services"].take()
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let Some(tools) = compose_tools::fetched() else { return };
    let output = Command::new(&tools.hadolint).arg("Dockerfile").current_dir(folder()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn compose_takes_the_services_with_and_without_settings() {
    let Some(tools) = compose_tools::fetched() else { return };
    let plain = services(&tools, &[]);
    let names: Vec<&String> = plain.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "alertmanager",
            "alerts",
            "deliver",
            "export",
            "grafana",
            "jaeger",
            "kafka",
            "prometheus",
            "replay",
            "run",
            "simulate",
            "topics"
        ]
    );
    assert_eq!(plain["run"]["depends_on"]["topics"]["condition"], "service_completed_successfully");

    let set = services(&tools, &[("LOAD_FILE", "/loads/a.csv.gz"), ("WEBHOOK_URL", "http://host:1/quotas")]);
    assert_eq!(set["replay"]["volumes"][0]["source"], "/loads/a.csv.gz");
    let arguments: Vec<&str> = set["deliver"]["command"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(arguments.contains(&"http://host:1/quotas"), "{arguments:?}");
}

#[test]
fn prometheus_and_alertmanager_take_their_files() {
    let (Some(promtool), Some(amtool)) = (debian::promtool(), debian::amtool()) else { return };
    for (program, check, file) in
        [(promtool, "check config", "prometheus.yml"), (amtool, "check-config", "alertmanager.yml")]
    {
        let checked = Command::new(program).args(check.split(' ')).arg(folder().join(file)).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn a_broken_file_would_be_noticed() {
    let Some(tools) = compose_tools::fetched() else { return };
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(self::folder().join("compose.yaml")).unwrap();
    std::fs::write(folder.path().join("compose.yaml"), text.replace("depends_on:", "depends_upon:")).unwrap();
    let output = Command::new(&tools.compose).arg("config").current_dir(folder.path()).output().unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("depends_upon"));
}

#[test]
fn the_binary_takes_every_command_of_the_services() {
    let Some(tools) = compose_tools::fetched() else { return };
    for variables in [&[][..], &[("WEBHOOK_URL", "http://host:1/quotas")]] {
        for (name, service) in services(&tools, variables).as_object().unwrap() {
            if service["image"] != "tidegate:local" {
                continue;
            }
            // An unknown flag or a bad value is refused before `--help` is reached.
            let command = service["command"].as_array().unwrap().iter().filter_map(Value::as_str);
            let arguments: Vec<&str> = command.chain(["--help"]).collect();
            let finished = binary::run(&arguments, PATIENCE);
            assert_eq!(finished.code, Some(0), "{name}: {}", finished.stderr);
        }
    }
}
