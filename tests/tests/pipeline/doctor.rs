//! `tidegate doctor`: says what is wrong with what tidegate stands on and what to do, and changes nothing.

use serde_json::Value;
use tidegate_schemas::Topic;
use tidegate_tests::binary::{self, Finished};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::certificates::{Authority, Validity};
use tidegate_tests::groups::{self, Progress};
use tidegate_tests::process::wait_until;
use tidegate_tests::{client, kafka};

use crate::fixture::{PATIENCE, Pipeline, on_both_brokers, record, reports};

/// What was said of a check: state, text and advice of each finding.
fn said(finished: &Finished, check: &str) -> Vec<(String, String)> {
    let object: Value = serde_json::from_str(&finished.stdout).unwrap_or_else(|e| panic!("{e}: {finished:?}"));
    let findings = object["checks"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    findings.map(|f| (text(&f["state"]), format!("{} → {}", text(&f["said"]), text(&f["advice"])))).collect()
}

fn examine(site: &Pipeline) -> Finished {
    site.run(&["doctor", "--json"])
}

#[test]
fn what_is_missing_waits_or_was_set_aside_is_said_with_what_to_do() {
    let Some(kafka) = kafka::shared() else { return };
    let site = Pipeline::at(kafka.bootstrap(), "doctor");
    let none = examine(&site);
    assert_eq!(none.code, Some(69), "{none:?}");
    let topics = said(&none, "topics");
    assert!(topics[0].0 == "wrong" && topics[0].1.contains("tidegate topics apply"), "{topics:?}");
    assert_eq!(client::topics(kafka.bootstrap(), site.prefix()).unwrap(), [], "nothing was created by looking");

    drop(site.run(&["topics", "apply", "--partitions", "3"]).expect_success());
    // Somebody else's topic, by one of our names without the prefix.
    client::create_topic(kafka.bootstrap(), "load", 1, &[("cleanup.policy", "compact")]).unwrap();
    let idle = examine(&site).expect_success();
    assert_eq!(said(&idle, "topics"), [("ok".into(), "all 8 there, 3 partitions of load → ".into())]);
    assert_eq!(said(&idle, "reports")[0].0, "warning", "nobody reports");

    // Reports that nobody takes.
    site.send_load(&reports(4, 3).iter().map(record).collect::<Vec<_>>());
    let waiting = examine(&site);
    assert_eq!(waiting.code, Some(69), "{waiting:?}");
    let lag = said(&waiting, "lag");
    let forecast = lag.iter().find(|(_, text)| text.starts_with("forecast: 12 records")).unwrap();
    assert!(forecast.0 == "wrong" && forecast.1.contains("0 members → tidegate run forecast"), "{lag:?}");

    let group = site.group("forecast");
    assert!(groups::members(kafka.bootstrap(), &group).is_err(), "the group was joined by looking");
    let positions = Progress::of(kafka.bootstrap(), &group, &site.topic(Topic::Load)).unwrap().positions().unwrap();
    assert!(positions.iter().all(|at| at.committed.is_none()), "an offset was committed by looking: {positions:?}");

    // Somebody does, in transactions, whose ends are offsets without a record; and sets aside what is no report.
    let mut broken = record(&reports(1, 1)[0]);
    broken.value = Some(b"no report".to_vec());
    site.send_load(&[broken]);
    let stages = site.start(&["run", "forecast", "quota", "alerts", "--guarantee", "exactly_once"]);
    site.wait_for(Topic::Quotas, 12, &stages);
    site.wait_for(Topic::DeadLetters, 1, &stages);
    // Offsets are committed every half second.
    let keeps_up = |(state, text): &(String, String)| state == "ok" && text.contains("nothing waits, 1 member");
    let all_keep_up = || said(&examine(&site), "lag").iter().all(keeps_up);
    assert!(wait_until(PATIENCE, all_keep_up).is_ok(), "{:?}", examine(&site));
    let busy = examine(&site).expect_success();
    assert_eq!(said(&busy, "lag").len(), 3, "{busy:?}");
    let letters = said(&busy, "letters");
    assert!(letters[0].0 == "warning" && letters[0].1.contains("dead-letters list"), "{letters:?}");
    drop(stages.terminate().unwrap().expect_success());

    drop(site.run(&["dead-letters", "replay", "--match", "class=framing"]));
    let replayed = examine(&site);
    assert_eq!(said(&replayed, "letters")[0].0, "ok", "{replayed:?}");
    assert_eq!(site.read(Topic::Quotas).len(), 12, "nothing was written by looking");
}

on_both_brokers!(it_looks_at_whichever_broker_there_is);

fn it_looks_at_whichever_broker_there_is(broker: &TestBroker) {
    let site = Pipeline::new(broker, "doctor-both");
    site.send_load(&reports(2, 2).iter().map(record).collect::<Vec<_>>());
    let finished = examine(&site);
    assert_eq!(said(&finished, "brokers")[0].0, "ok", "{finished:?}");
    assert_eq!(said(&finished, "topics")[0].0, "ok", "{finished:?}");
    assert!(said(&finished, "reports")[0].1.contains("of node-"), "{finished:?}");
    assert!(said(&finished, "lag")[0].1.starts_with("forecast: 4 records"), "{finished:?}");
}

#[test]
fn files_and_others_are_looked_at_without_a_broker_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let authority = Authority::new().unwrap();
    let (cert, key) = authority.issue("localhost", Validity::Expired).unwrap();
    for (name, text) in [("ca.pem", &authority.pem()), ("cert.pem", &cert), ("key.pem", &key)] {
        std::fs::write(path(name), text).unwrap();
    }
    // Port 1 of the loopback is nobody's.
    let settings = format!(
        "brokers = \"127.0.0.1:1\"\nhttps_ca = \"{}\"\nschema.registry.url = \"http://127.0.0.1:1\"\n[gateway]\ntls_cert = \"{}\"\n\
         tls_key = \"{}\"\n[forecast]\nmodel = \"{}\"\n[edge]\ngateway = \"http://127.0.0.1:1\"\n",
        path("ca.pem"),
        path("cert.pem"),
        path("key.pem"),
        path("none.tidemodel"),
    );
    std::fs::write(path("settings.toml"), settings).unwrap();
    let finished = binary::run(&["doctor", "--json", "--config", &path("settings.toml")], PATIENCE);
    assert_eq!(finished.code, Some(69), "{finished:?}");
    let state = |check: &str| said(&finished, check).into_iter().map(|(state, _)| state).collect::<Vec<_>>();
    assert_eq!(state("certificate"), ["ok", "wrong"], "{finished:?}");
    for check in ["model", "brokers", "registry"] {
        assert_eq!(state(check), ["wrong"], "{check}: {finished:?}");
    }
    assert_eq!(
        (state("gateway"), state("edge")),
        (vec!["ok".into()], vec!["ok".into(), "wrong".into()]),
        "{finished:?}"
    );
    assert_eq!(state("topics"), ["skipped"]);
}
