//! An Alertmanager that answers 400, and an address behind which there is a web page: told in a sentence, counted, and overcome.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tidegate_alerts::{Labels, fingerprint};
use tidegate_schemas::Topic;
use tidegate_schemas::records::{Alert, AlertStatus};
use tidegate_tests::binary::Running;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::pipeline::{PATIENCE, Pipeline, encoded};
use tidegate_tests::process::wait_until;

/// A server that answers request after request: 400 to those that hold the word `bad`, else what it is.
struct Answers {
    url: String,
    taken: Arc<AtomicUsize>,
}

impl Answers {
    /// What it answers to what is not `bad`: status, content type and body.
    fn with(status: &'static str, kind: &'static str, text: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&taken);
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(&stream);
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) <= 2 {
                        break;
                    }
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap_or_default();
                let is_bad = body.windows(3).any(|word| word == b"bad");
                let (status, kind, text) = if is_bad {
                    ("400 Bad Request", "application/json", "\"invalid label set\"")
                } else {
                    (status, kind, text)
                };
                let (length, mut out) = (text.len(), &stream);
                let head = format!(
                    "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
                );
                if out.write_all((head + text).as_bytes()).is_ok() && !is_bad {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self { url, taken }
    }
}

fn send(pipeline: &Pipeline, names: &[&str]) {
    let alerts = names.iter().map(|name| {
        let labels: Labels = [("alertname".to_owned(), (*name).to_owned())].into();
        let fingerprint = fingerprint(&labels);
        let fired_at = 1_767_600_300_000;
        let alert = Alert {
            fingerprint,
            rule: (*name).into(),
            status: AlertStatus::Firing,
            labels,
            fired_at,
            ..Alert::default()
        };
        encoded(Topic::Alerts, &alert.fingerprint, &alert)
    });
    pipeline.send(Topic::Alerts, &alerts.collect::<Vec<_>>());
}

fn metric(running: &Running, line: &str) -> u64 {
    let said = running.stderr();
    let url = said.split_whitespace().find(|word| word.ends_with("/metrics")).unwrap();
    let text = ureq::get(url).call().unwrap().body_mut().read_to_string().unwrap();
    text.lines().find_map(|shown| shown.strip_prefix(line)?.trim().parse().ok()).unwrap_or(0)
}

fn started(pipeline: &Pipeline, url: &str) -> Running {
    let mut sink = pipeline.start(&["run", "alertmanager", "--alertmanager", url, "--metrics-listen", "127.0.0.1:0"]);
    sink.wait_for("/metrics", PATIENCE).unwrap();
    sink
}

#[test]
fn one_alert_that_is_refused_holds_up_none_of_the_others() {
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "refused");
    send(&pipeline, &["bad", "good", "better"]);
    let answers = Answers::with("200 OK", "application/json", "");
    let sink = started(&pipeline, &answers.url);
    let counted = |result: &str| {
        metric(&sink, &format!("tidegate_alertmanager_alerts_total{{result=\"{result}\",target=\"{}\"}}", answers.url))
    };
    wait_until(PATIENCE, || counted("refused") == 1 && counted("sent") == 2)
        .unwrap_or_else(|e| panic!("{e}\n{}", sink.stderr()));
    assert!(sink.stderr().contains("refuses the alert"), "{}", sink.stderr());
    assert!(sink.stderr().contains("400 invalid label set"), "{}", sink.stderr());
    assert!(answers.taken.load(Ordering::Relaxed) >= 2, "one by one");
    assert_eq!(sink.terminate().unwrap().code, Some(0));
}

#[test]
fn a_web_page_is_told_as_what_it_is_and_tried_again() {
    let broker = TestBroker::embedded();
    let pipeline = Pipeline::new(&broker, "page-instead");
    send(&pipeline, &["good"]);
    let answers = Answers::with("200 OK", "text/html; charset=utf-8", "<html>Welcome</html>");
    let mut sink = started(&pipeline, &answers.url);
    sink.wait_for("it answers 200 with a web page: is that the address of an Alertmanager?", PATIENCE).unwrap();
    let failed = format!("tidegate_alertmanager_alerts_total{{result=\"failed\",target=\"{}\"}}", answers.url);
    wait_until(PATIENCE, || metric(&sink, &failed) >= 2).unwrap_or_else(|e| panic!("{e}\n{}", sink.stderr()));
    assert_eq!(sink.stderr().matches("does not take alerts").count(), 1, "told once: {}", sink.stderr());
    assert_eq!(sink.terminate().unwrap().code, Some(0));
}
