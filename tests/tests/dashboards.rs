//! The dashboards and the rules about tidegate itself: a real Prometheus scrapes a running demo, and every query of every panel,
//! variable and rule is put to it. None fails, none is empty that should not be.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tidegate_tests::binary::Running;
use tidegate_tests::ports::free_port;
use tidegate_tests::process::{PATIENCE, wait_until};
use tidegate_tests::{binary, debian, metrics, places};

/// Rules whose left side has no series as long as all is well.
const MAY_BE_EMPTY: [&str; 1] = ["TidegateDeadLetters"];

fn compose(name: &str) -> PathBuf {
    places::repository().join("compose").join(name)
}

/// A query with the variables as Grafana would put them.
fn substituted(query: &str) -> String {
    query.replace("$job", ".*").replace("$work", ".*").replace("$__rate_interval", "20s")
}

/// A demo, and where it shows its metrics.
fn demo(nodes: &str) -> (Running, String) {
    let free = "127.0.0.1:0";
    let mut demo =
        binary::spawn(&["demo", "--nodes", nodes, "--speed", "20", "--listen", free, "--metrics-listen", free]);
    demo.wait_for("Ctrl-C ends it", PATIENCE).unwrap();
    let said = demo.stdout();
    let at = said.split_whitespace().find(|word| word.ends_with("/metrics")).unwrap().to_owned();
    (demo, at)
}

/// Queries of a dashboard, each with where it stands.
fn of_dashboard(name: &str) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(compose("grafana/dashboards").join(name)).unwrap();
    let board: Value = serde_json::from_str(&text).unwrap();
    let mut queries = Vec::new();
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let place = format!("{name}: {}", panel["title"].as_str().unwrap());
            queries.push((place, target["expr"].as_str().unwrap().to_owned()));
        }
    }
    for variable in board["templating"]["list"].as_array().unwrap() {
        let query = variable["definition"].as_str().unwrap();
        let (selector, _) = query.strip_prefix("label_values(").unwrap().rsplit_once(',').unwrap();
        queries.push((format!("{name}: {}", variable["name"]), selector.to_owned()));
    }
    assert!(queries.len() > 10, "{name}");
    queries
}

/// Rules of the file that are not expected to be empty: what stands before the threshold, so that it has a value while all is well.
fn of_rules(prometheus: &str) -> Vec<(String, String)> {
    let rules = asked(prometheus, "api/v1/rules", &[]);
    let groups = rules["data"]["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap()).map(|rule| {
        let text = |name: &str| rule[name].as_str().unwrap().to_owned();
        assert_ne!(rule["health"], "err", "{rule}");
        let query = text("query");
        let at = query.rfind(" > ").or(query.rfind(" == ")).unwrap();
        (text("name"), query[..at].to_owned())
    });
    let all: Vec<_> = rules.collect();
    assert!(all.len() >= 6, "{all:?}");
    all.into_iter().filter(|(name, _)| !MAY_BE_EMPTY.contains(&name.as_str())).collect()
}

fn asked(prometheus: &str, path: &str, query: &[(&str, &str)]) -> Value {
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut request = agent.get(format!("{prometheus}/{path}"));
    for (name, value) in query {
        request = request.query(name, value);
    }
    request.call().unwrap().body_mut().read_json().unwrap()
}

/// Values of an instant query.
fn values(prometheus: &str, place: &str, query: &str) -> usize {
    let answer = asked(prometheus, "api/v1/query", &[("query", &substituted(query))]);
    assert_eq!(answer["status"], "success", "{place}: {query}: {answer}");
    answer["data"]["result"].as_array().unwrap().len()
}

/// A configuration that scrapes one address every second, with the rules of the repository.
fn configuration(folder: &Path, target: &str) -> PathBuf {
    let path = folder.join("prometheus.yml");
    let rules = compose("rules.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 2s}}\nrule_files: [{}]\n\
         scrape_configs: [{{job_name: tidegate, static_configs: [{{targets: [\"{target}\"]}}]}}]\n",
        rules.display()
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn every_query_of_every_panel_and_rule_has_an_answer() {
    let Some(program) = debian::prometheus() else { return };
    let (demo, metrics) = demo("20");
    let target = metrics.trim_start_matches("http://").trim_end_matches("/metrics");

    let folder = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let mut command = Command::new(program);
    command.arg(format!("--config.file={}", configuration(folder.path(), target).display()));
    command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let mut prometheus = binary::start(command).unwrap();
    prometheus.wait_for("Server is ready", PATIENCE).unwrap();
    let at = format!("http://127.0.0.1:{port}");

    let evaluated = || {
        let rules = asked(&at, "api/v1/rules", &[]).to_string();
        !rules.contains("\"health\":\"unknown\"")
    };
    wait_until(PATIENCE, evaluated).unwrap();
    let mut queries = of_rules(&at);
    queries.extend(["fleet.json", "pipeline.json"].into_iter().flat_map(of_dashboard));
    for (place, query) in &queries {
        let has_values = || values(&at, place, query) > 0;
        wait_until(PATIENCE, has_values).unwrap_or_else(|e| panic!("{place} is empty: {e}\n{}", substituted(query)));
    }
    // A quotient of nothing would be a value, too: what is at the bottom of each dashboard moves.
    let moving = "sum(rate(tidegate_records_total[20s])) > 0 and sum(rate(tidegate_quota_samples_total[20s])) > 0";
    assert_eq!(values(&at, "the demo", moving), 1);
    assert_ne!(asked(&at, "api/v1/query", &[("query", "sum(")])["status"], "success", "a broken query is noticed");
    assert_eq!(demo.terminate().unwrap().code, Some(0));
}

#[test]
fn promtool_finds_nothing_in_the_metrics_and_the_rules() {
    let Some(promtool) = debian::promtool() else { return };
    let checked = Command::new(&promtool).args(["check", "rules"]).arg(compose("rules.yml")).output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let (_demo, url) = demo("5");
    let text = || ureq::get(&url).call().unwrap().body_mut().read_to_string().unwrap();
    wait_until(PATIENCE, || text().contains("tidegate_quota_moves_total{direction=\"up\"}")).unwrap();
    assert_eq!(metrics::undocumented(&text()), [""; 0], "docs/metrics.md has all of them");
    let said = check_metrics(&promtool, &text());
    assert!(said.is_empty(), "{said}");
    assert!(!check_metrics(&promtool, "# TYPE a counter\na 1\n").is_empty(), "it does look");
}

/// What promtool says of metrics.
fn check_metrics(promtool: &Path, text: &str) -> String {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let input = std::fs::File::open(file.path()).unwrap();
    let output = Command::new(promtool).args(["check", "metrics"]).stdin(input).output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}
