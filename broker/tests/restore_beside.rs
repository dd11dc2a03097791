//! While a partition is restored the others go on, and nothing of it is processed before its state is back; where it was
//! followed before, hardly anything is left to restore. On the embedded broker, with a stage that is slow to rebuild.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use prometheus::TextEncoder;

use tidegate_broker::Registry;
use tidegate_broker::embedded::EmbeddedBroker;
use tidegate_broker::{
    BrokerError, Deliveries, Guarantee, Job, KafkaSettings, Metrics, Outgoing, Past, Processing, Publisher, Received,
    Rejection, Stage, Stop, Verdict, WorkStatus, run_stage,
};
use tidegate_schemas::records::{LoadReport, Record};
use tidegate_schemas::{CatalogueIds, Encoder, Topic};

/// Records of each partition before anything is restored.
const RECORDS: usize = 2_000;
const BATCH: usize = 10;
/// So that restoring a partition takes 4 s at least.
const SLOW: Duration = Duration::from_millis(20);

const STANDING_BY: Processing =
    Processing { guarantee: Guarantee::AtLeastOnce, transaction: Duration::from_millis(100), standby: true };

/// Partition and offset of records.
type Places = Vec<(i32, i64)>;

/// What a stage was given.
#[derive(Debug, Default)]
struct Seen {
    rebuilt: Places,
    processed: Places,
}

/// A stage whose state is the whole past.
struct Recorder(Arc<Mutex<Seen>>);

fn places(batch: &[Received<LoadReport>]) -> impl Iterator<Item = (i32, i64)> {
    batch.iter().map(|received| (received.source.partition, received.source.offset))
}

impl Stage for Recorder {
    type Input = LoadReport;
    type Output = LoadReport;

    fn name(&self) -> &'static str {
        "recorder"
    }
    fn input(&self) -> Topic {
        Topic::Load
    }
    fn output(&self) -> Topic {
        Topic::Load
    }
    fn check(&self, _: &LoadReport, _: Option<&[u8]>, _: Option<i64>) -> Result<(), Rejection> {
        Ok(())
    }
    fn process(&mut self, batch: &[Received<LoadReport>]) -> Vec<(usize, Verdict<LoadReport>)> {
        self.0.lock().unwrap().processed.extend(places(batch));
        Vec::new()
    }
    fn depends_on_past(&self) -> bool {
        true
    }
    fn rewind_to(&mut self, _: i32) -> Option<Past> {
        Some(Past::from(0))
    }
    fn rebuild(&mut self, batch: &[Received<LoadReport>]) {
        std::thread::sleep(SLOW);
        self.0.lock().unwrap().rebuilt.extend(places(batch));
    }
    fn revoked(&mut self, _: i32) {}
}

/// A running stage.
struct Member {
    seen: Arc<Mutex<Seen>>,
    status: Arc<WorkStatus>,
    registry: Registry,
    stop: Stop,
    thread: JoinHandle<Result<(), BrokerError>>,
}

impl Member {
    fn start(settings: &KafkaSettings) -> Self {
        Self::with(settings, Processing::default())
    }

    fn with(settings: &KafkaSettings, processing: Processing) -> Self {
        let (seen, status, stop) = (Arc::<Mutex<Seen>>::default(), Arc::<WorkStatus>::default(), Stop::default());
        let registry = Registry::new();
        let metrics = Metrics::new(&registry, "recorder").unwrap();
        let (stage, told, shown, settings) = (Recorder(seen.clone()), stop.clone(), status.clone(), settings.clone());
        let thread = std::thread::spawn(move || {
            let ids = Arc::new(CatalogueIds);
            let (settings, metrics, status) = (&settings, &metrics, &*shown);
            run_stage(stage, &Job { settings, ids, max_batch: BATCH, processing, metrics, status, stop: &told })
        });
        Self { seen, status, registry, stop, thread }
    }

    fn processed(&self) -> Places {
        self.seen.lock().unwrap().processed.clone()
    }

    fn rebuilt(&self) -> usize {
        self.seen.lock().unwrap().rebuilt.len()
    }

    fn metric(&self, name: &str) -> i64 {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name}{{work=\"recorder\"}} ")));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    }

    fn end(self) {
        self.stop.stop();
        self.thread.join().unwrap().unwrap();
    }
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(120), "it did not happen: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn send(settings: &KafkaSettings, publisher: &Publisher, partition: i32, count: usize) {
    let (mut value, topic) = (Vec::new(), settings.topic(Topic::Load));
    let encoder = Encoder::new(Topic::Load, LoadReport::KIND, &CatalogueIds).unwrap();
    encoder.encode(&LoadReport::new("n", 1_000, 1_000, 1.0), &mut value).unwrap();
    for _ in 0..count {
        let record =
            Outgoing { topic: &topic, partition: Some(partition), payload: Some(&value), ..Outgoing::default() };
        publisher.send(&record).unwrap();
    }
    publisher.flush(Duration::from_secs(30)).unwrap();
}

/// Two partitions with records, and who sends more.
fn filled(broker: &EmbeddedBroker) -> (KafkaSettings, Publisher) {
    let settings = broker.settings();
    let publisher = Publisher::new(&settings, Arc::new(Deliveries::default())).unwrap();
    [0, 1].into_iter().for_each(|partition| send(&settings, &publisher, partition, RECORDS));
    (settings, publisher)
}

#[test]
fn a_partition_goes_on_while_another_is_restored() {
    let broker = EmbeddedBroker::start("beside.", 2).unwrap();
    let (settings, publisher) = filled(&broker);
    let first = Member::start(&settings);
    wait_until("the first answers all", || first.processed().len() == 2 * RECORDS && first.status.is_ready(0));
    assert_eq!(first.rebuilt(), 0, "there was nothing to restore");

    let second = Member::start(&settings);
    wait_until("the second has one of them back", || second.rebuilt() == RECORDS && second.status.is_ready(0));
    let live = second.seen.lock().unwrap().rebuilt[0].0;
    first.end();
    wait_until("the second restores the other", || second.rebuilt() > RECORDS);
    assert!(!second.status.is_ready(i64::MAX) && second.status.restoring() == 1);
    assert_eq!(second.metric("tidegate_restoring_partitions"), 1);
    let left = second.metric("tidegate_restore_left_records");
    assert!((1..=RECORDS as i64).contains(&left), "{left} are left");
    send(&settings, &publisher, live, 7);
    send(&settings, &publisher, 1 - live, 5);
    wait_until("the live one goes on", || second.processed().len() == 7);
    assert!(second.rebuilt() < 2 * RECORDS, "the other was restored by then");
    assert!(second.processed().iter().all(|(partition, _)| *partition == live));

    wait_until("the other follows", || second.processed().len() == 12 && second.status.is_ready(0));
    let next = |partition| (0..).map(move |count| (partition, (RECORDS + count) as i64));
    let expected: Places = next(live).take(7).chain(next(1 - live).take(5)).collect();
    assert_eq!(second.processed(), expected);
    let seen = second.seen.lock().unwrap().rebuilt.split_off(RECORDS);
    assert_eq!(seen, (0..RECORDS).map(|offset| (1 - live, offset as i64)).collect::<Places>());
    assert_eq!(second.metric("tidegate_restored_records_total"), 2 * RECORDS as i64);
    second.end();
}

/// What a member holds of a partition, in the order in which it came.
fn of(partition: i32, seen: &Seen) -> Vec<i64> {
    let all = seen.rebuilt.iter().chain(&seen.processed);
    all.filter(|place| place.0 == partition).map(|place| place.1).collect()
}

#[test]
fn what_was_followed_is_not_restored_again() {
    let broker = EmbeddedBroker::start("standby.", 2).unwrap();
    let (settings, publisher) = filled(&broker);
    let first = Member::with(&settings, STANDING_BY);
    wait_until("the first answers all", || first.processed().len() == 2 * RECORDS && first.status.is_ready(0));

    let second = Member::with(&settings, STANDING_BY);
    wait_until("the second has one of them, and follows the other", || {
        second.rebuilt() == 2 * RECORDS
            && second.status.is_ready(0)
            && second.metric("tidegate_standby_partitions") == 1
    });
    let live = second.seen.lock().unwrap().rebuilt[0].0;
    send(&settings, &publisher, 1 - live, 300);
    wait_until("the first answers, and the second follows", || {
        let answered = first.processed().len() == 2 * RECORDS + 300;
        answered && second.processed().len() == 300 && second.metric("tidegate_standby_left_records") == 0
    });
    assert_eq!(second.metric("tidegate_outputs_total"), 0, "what is followed is not published");

    first.end();
    [live, 1 - live].into_iter().for_each(|partition| send(&settings, &publisher, partition, 5));
    wait_until("the second answers both", || second.processed().len() == 310 && second.status.is_ready(0));
    let seen = second.seen.lock().unwrap();
    assert_eq!(seen.rebuilt.len(), 2 * RECORDS, "nothing was rebuilt again");
    assert_eq!(of(live, &seen), (0..RECORDS as i64 + 5).collect::<Vec<_>>());
    assert_eq!(of(1 - live, &seen), (0..RECORDS as i64 + 305).collect::<Vec<_>>(), "each once, none left out");
    drop(seen);
    second.end();
}

#[test]
fn a_partition_that_comes_back_goes_on_from_where_it_was_followed() {
    let broker = EmbeddedBroker::start("back.", 2).unwrap();
    let (settings, publisher) = filled(&broker);
    let first = Member::with(&settings, STANDING_BY);
    wait_until("the first answers all", || first.processed().len() == 2 * RECORDS && first.status.is_ready(0));
    let second = Member::with(&settings, STANDING_BY);
    wait_until("the first keeps what it gave away", || {
        second.rebuilt() == 2 * RECORDS && first.metric("tidegate_standby_partitions") == 1
    });
    [0, 1].into_iter().for_each(|partition| send(&settings, &publisher, partition, 40));
    wait_until("the first holds all", || first.processed().len() == 2 * RECORDS + 80);
    second.end();
    [0, 1].into_iter().for_each(|partition| send(&settings, &publisher, partition, 5));
    wait_until("the first answers both", || first.processed().len() == 2 * RECORDS + 90 && first.status.is_ready(0));
    let seen = first.seen.lock().unwrap();
    assert_eq!(seen.rebuilt, [], "its state was never read again");
    [0, 1]
        .into_iter()
        .for_each(|partition| assert_eq!(of(partition, &seen), (0..RECORDS as i64 + 45).collect::<Vec<_>>()));
    drop(seen);
    first.end();
}
