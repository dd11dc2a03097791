//! A Kafka that knows who may come: whoever cannot name himself is told so, and not that nobody answers.

use tidegate_tests::kafka::{self, KafkaOptions};
use tidegate_tests::pipeline::PATIENCE;
use tidegate_tests::ports::free_port;
use tidegate_tests::{binary, brokers};

use crate::bad_settings::assert_refused;

/// 77 of sysexits: not allowed.
const NOT_ALLOWED: i32 = 77;

#[test]
fn a_wrong_password_is_a_refusal_and_no_outage() {
    let port = free_port().unwrap();
    let Some(kafka) = kafka::own_with(&KafkaOptions { sasl_port: Some(port), ..KafkaOptions::default() }) else {
        return;
    };
    brokers::provision(kafka.bootstrap(), "guarded.");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tidegate.toml");
    let settings = |password: &str| {
        let login =
            "\"security.protocol\" = \"SASL_PLAINTEXT\"\n\"sasl.mechanism\" = \"PLAIN\"\n\"sasl.username\" = \"alice\"";
        std::fs::write(&file, format!("[kafka]\n{login}\n\"sasl.password\" = \"{password}\"\n")).unwrap();
    };
    let place = ["--brokers", &format!("127.0.0.1:{port}"), "--prefix", "guarded.", "--config", file.to_str().unwrap()];
    settings("guess");
    for command in [&["run", "quota"][..], &["watch", "quotas"], &["topics", "apply"], &["simulate", "--nodes", "3"]] {
        assert_refused(&[command, &place].concat(), NOT_ALLOWED, "Authentication failed");
    }
    settings("secret");
    let watched = ["watch", "quotas", "--from", "beginning", "--until-end"];
    let _watched = binary::run(&[&watched[..], &place].concat(), PATIENCE).expect_success();
}
