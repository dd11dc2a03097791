//! Reports and recordings through a broker and back, on the embedded one.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tidegate_broker::embedded::EmbeddedBroker;
use tidegate_broker::{BrokerError, Deliveries, From, Publisher, RawRecord, Tail};
use tidegate_producers::clock::SystemClock;
use tidegate_producers::csv::CsvOptions;
use tidegate_producers::publish::RecordOptions;
use tidegate_producers::replay::{Source, Target, replay};
use tidegate_producers::simulate::{Fleet, FleetOptions, drive};
use tidegate_producers::{RecordPublisher, RecordSink, ReportPublisher, Speed};
use tidegate_schemas::recording::{RecordHeader, Recording, RecordingWriter};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::HeadSampler;
use tidegate_schemas::{CatalogueIds, Decoder};
use tidegate_traces::Origin;

const WAIT: Duration = Duration::from_secs(90);

fn all(broker: &EmbeddedBroker, topic: &str) -> Result<Vec<RawRecord>, BrokerError> {
    let mut tail = Tail::topic(&broker.settings(), topic, From::Beginning)?;
    std::iter::from_fn(|| tail.next_before_end(WAIT).transpose()).collect()
}

fn recorded(record: RawRecord) -> Recording {
    let header = |(key, value)| RecordHeader { key, value };
    Recording {
        topic: record.topic,
        partition: record.partition,
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key,
        headers: record.headers.into_iter().map(header).collect(),
        value: record.value,
    }
}

type Content = (Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

/// Timestamps, keys, values and headers of each partition, in its order.
fn by_partition(records: Vec<RawRecord>) -> BTreeMap<i32, Vec<Content>> {
    let mut partitions: BTreeMap<i32, Vec<Content>> = BTreeMap::new();
    for record in records {
        partitions.entry(record.partition).or_default().push((
            record.timestamp,
            record.key,
            record.value,
            record.headers,
        ));
    }
    partitions
}

#[test]
fn a_fleet_goes_out_and_a_recording_of_it_comes_back_the_same() {
    let broker = EmbeddedBroker::start("t.", 3).unwrap();
    let deliveries = Arc::new(Deliveries::default());
    let publisher = Publisher::new(&broker.settings(), deliveries.clone()).unwrap();

    let mut fleet = Fleet::new(FleetOptions { nodes: 20, ..FleetOptions::default() }).unwrap();
    let until = Some(fleet.options().start_ms + 600_000);
    let (clock, stop) = (SystemClock::start(), AtomicBool::new(false));
    let mut reports =
        ReportPublisher::new(&publisher, "t.load".into(), &CatalogueIds, Origin::new("a", HeadSampler::new(1, 1.0)))
            .unwrap();
    let driven = drive(&mut fleet, Speed::Max, until, &mut reports, &clock, &stop, |_| {}).unwrap();
    assert_eq!((driven.sent, driven.stopped), (20 * 60, false));
    // What no report is: null key, null value, a null header, the same header twice.
    let header = |value: Option<&[u8]>| RecordHeader { key: "h".into(), value: value.map(<[u8]>::to_vec) };
    let odd = Recording {
        topic: "t.load".into(),
        headers: vec![header(None), header(Some(&[0xff]))],
        ..Recording::default()
    };
    let keep = RecordOptions { keep_partitions: true, ..RecordOptions::default() };
    RecordPublisher::new(&publisher, keep.clone()).send_record(&odd).unwrap();
    publisher.flush(WAIT).unwrap();
    assert_eq!((deliveries.delivered_count(), deliveries.failed_count()), (driven.sent + 1, 0));

    let sent = all(&broker, "t.load").unwrap();
    let mut same = Fleet::new(FleetOptions { nodes: 20, ..FleetOptions::default() }).unwrap();
    let mut decoder = Decoder::new(Arc::new(CatalogueIds));
    let mut got: BTreeMap<(i64, String), LoadReport> = BTreeMap::new();
    for record in sent.iter().filter(|r| r.key.is_some()) {
        let report: LoadReport = decoder.decode(record.value.as_deref().unwrap()).unwrap();
        report.validate_in_log(record.key.as_deref(), record.timestamp).unwrap();
        got.insert((report.timestamp, report.node_id.clone()), report);
    }
    assert_eq!(got.len() as u64, driven.sent);
    for _ in 0..driven.sent {
        let want = same.next_report();
        assert_eq!(got.get(&(want.timestamp, want.node_id.clone())), Some(&want));
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.avro");
    let mut writer = RecordingWriter::new(std::fs::File::create(&path).unwrap()).unwrap();
    for record in &sent {
        writer.append(&recorded(record.clone())).unwrap();
    }
    writer.finish().unwrap();
    let source = Source::open(&path, CsvOptions::default()).unwrap();
    assert!(source.is_recording());
    let options = RecordOptions { topic: Some("t.alerts".into()), keep_timestamps: true, ..keep };
    let mut target = Target { reports, records: RecordPublisher::new(&publisher, options) };
    let summary = replay(source, Speed::Max, &mut target, &clock, &stop, &mut |_| ControlFlow::Continue(())).unwrap();
    publisher.flush(WAIT).unwrap();
    assert_eq!(summary.sent, driven.sent + 1);
    let back = all(&broker, "t.alerts").unwrap();
    assert_eq!(by_partition(back), by_partition(sent));
    drop(target);
    drop(publisher);
}
