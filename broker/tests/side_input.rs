//! The side input of a stage on the embedded broker: known whole before the first batch, then as it comes; what is wrong is
//! counted and holds nothing up.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use prometheus::TextEncoder;
use tidegate_broker::embedded::EmbeddedBroker;
use tidegate_broker::{
    BrokerError, Deliveries, Job, KafkaSettings, Metrics, Outgoing, Publisher, Received, Registry, Rejection, Stage,
    Stop, Verdict, WorkStatus, run_stage,
};
use tidegate_schemas::records::{Control, LoadReport, Record};
use tidegate_schemas::{CatalogueIds, Encoder, Topic};

/// What a stage was given, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Given {
    Side(String, Option<String>),
    Node(String),
}

/// A stage that writes down what it is given and publishes nothing.
struct Clerk(Arc<Mutex<Vec<Given>>>);

impl Stage for Clerk {
    type Input = LoadReport;
    type Output = LoadReport;

    fn name(&self) -> &'static str {
        "clerk"
    }
    fn input(&self) -> Topic {
        Topic::Load
    }
    fn output(&self) -> Topic {
        Topic::Load
    }
    fn side_input(&self) -> Option<Topic> {
        Some(Topic::Controls)
    }
    fn check(&self, _: &LoadReport, _: Option<&[u8]>, _: Option<i64>) -> Result<(), Rejection> {
        Ok(())
    }
    fn check_side(&self, key: &str, control: &Control) -> Result<(), Rejection> {
        control.validate_in_log(key).map_err(|e| Rejection { class: e.class(), message: e.to_string() })
    }
    fn side(&mut self, key: &str, value: Option<Control>) {
        self.0.lock().unwrap().push(Given::Side(key.to_owned(), value.map(|control| control.why)));
    }
    fn controls_in_force(&self) -> usize {
        7
    }
    fn process(&mut self, batch: &[Received<LoadReport>]) -> Vec<(usize, Verdict<LoadReport>)> {
        self.0.lock().unwrap().extend(batch.iter().map(|r| Given::Node(r.record.node_id.clone())));
        Vec::new()
    }
    fn revoked(&mut self, _: i32) {}
}

fn control(target: &str, why: &str) -> Control {
    Control { target: target.into(), freeze: true, by: "alice".into(), why: why.into(), ..Control::default() }
}

/// Puts records on topics.
struct Sender {
    kafka: KafkaSettings,
    publisher: Publisher,
}

impl Sender {
    fn send<T: Record>(&self, topic: Topic, key: &str, record: &T) {
        let mut value = Vec::new();
        Encoder::new(topic, T::KIND, &CatalogueIds).unwrap().encode(record, &mut value).unwrap();
        self.send_bytes(topic, key.as_bytes(), Some(&value));
    }

    fn send_bytes(&self, topic: Topic, key: &[u8], payload: Option<&[u8]>) {
        let topic = self.kafka.topic(topic);
        self.publisher.send(&Outgoing { topic: &topic, key: Some(key), payload, ..Outgoing::default() }).unwrap();
        self.publisher.flush(Duration::from_secs(60)).unwrap();
    }
}

fn wait_until(done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(180), "it did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn it_is_known_before_the_first_batch_then_as_it_comes() {
    let broker = EmbeddedBroker::start("side.", 2).unwrap();
    let kafka = broker.settings();
    let publisher = Publisher::new(&kafka, Arc::new(Deliveries::default())).unwrap();
    let sender = Sender { kafka: kafka.clone(), publisher };
    sender.send(Topic::Controls, "a", &control("a", "first"));
    sender.send_bytes(Topic::Controls, b"a", Some(b"not avro at all"));
    sender.send_bytes(Topic::Controls, &[0xff], Some(b"nor is the key a text"));
    sender.send(Topic::Controls, "a", &control("b", "its key is another"));
    sender.send(Topic::Controls, "pool:x", &control("pool:x", "second"));
    sender.send_bytes(Topic::Controls, b"a", None);
    for node in ["n1", "n2", "n3"] {
        sender.send(Topic::Load, node, &LoadReport::new(node, 1_000, 1_000, 1.0));
    }
    let (given, stop, registry) = (Arc::new(Mutex::new(Vec::new())), Stop::default(), Registry::new());
    let (clerk, told, metrics) = (Clerk(Arc::clone(&given)), stop.clone(), Metrics::new(&registry, "clerk").unwrap());
    let settings = kafka;
    let running = std::thread::spawn(move || -> Result<(), BrokerError> {
        let status = WorkStatus::default();
        let ids = Arc::new(CatalogueIds);
        run_stage(
            clerk,
            &Job {
                settings: &settings,
                ids,
                processing: Default::default(),
                max_batch: 2,
                metrics: &metrics,
                status: &status,
                stop: &told,
            },
        )
    });
    let holds = |wanted: &Given| given.lock().unwrap().contains(wanted);
    wait_until(|| ["n1", "n2", "n3"].iter().all(|n| holds(&Given::Node((*n).into()))));
    let side = |key: &str, why: Option<&str>| Given::Side(key.into(), why.map(Into::into));
    let wanted = [side("a", Some("first")), side("pool:x", Some("second")), side("a", None)];
    let first = given.lock().unwrap().clone();
    let before: Vec<_> = first.iter().take_while(|g| matches!(g, Given::Side(..))).collect();
    // Each assignment reads it again, so the whole may come more than once.
    assert!(!before.is_empty() && before.chunks(3).all(|all| all.iter().copied().eq(&wanted)), "{first:?}");

    sender.send(Topic::Controls, "c", &control("c", "later"));
    wait_until(|| holds(&side("c", Some("later"))));
    stop.stop();
    running.join().unwrap().unwrap();
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    for result in ["framing", "key-mismatch", "taken"] {
        assert!(text.contains(&format!("tidegate_side_records_total{{result=\"{result}\",work=\"clerk\"}}")), "{text}");
    }
    assert!(text.contains("tidegate_controls_in_force{work=\"clerk\"} 7"), "{text}");
}
