//! Replay over files of both kinds, with a clock that only sleeping moves.

use super::*;
use crate::csv::{CsvOptions, by_time};
use crate::pacing::tests::FakeClock;
use proptest::prelude::*;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tidegate_schemas::recording::{RecordHeader, RecordingWriter};

type Both = Target<Vec<LoadReport>, Vec<Recording>>;

fn both() -> Both {
    Target { reports: Vec::new(), records: Vec::new() }
}

/// A file with this content in a folder of its own.
fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn run(path: &Path, speed: Speed, clock: &FakeClock) -> (Both, Summary, Vec<String>) {
    let source = Source::open(path, CsvOptions::default()).unwrap();
    let (mut sink, mut bad, stop) = (both(), Vec::new(), AtomicBool::new(false));
    let summary = replay(source, speed, &mut sink, clock, &stop, &mut |event| {
        if let Event::BadRow(error) = event {
            bad.push(error.to_string());
        }
        ControlFlow::Continue(())
    });
    (sink, summary.unwrap(), bad)
}

const BY_NODE: &str = "node_id,timestamp_ms,cpu\na,0,0.1\na,60000,0.2\na,120000,0.3\nb,30000,0.4\nb,90000,0.5\n";

fn times(sink: &Both) -> Vec<i64> {
    sink.reports.iter().map(|r| r.timestamp).collect()
}

#[test]
fn csv_goes_in_the_files_order_at_full_speed_and_by_time_when_paced() {
    let (_folder, path) = file("f.csv", BY_NODE.as_bytes());
    let clock = FakeClock::default();
    let (sink, summary, _) = run(&path, Speed::Max, &clock);
    assert_eq!(times(&sink), [0, 60_000, 120_000, 30_000, 90_000]);
    assert_eq!(clock.now(), Duration::ZERO);
    assert_eq!(summary, Summary { sent: 5, bad_rows: 0, event_times: Some((0, 120_000)), stopped: false });
    let (sink, _, _) = run(&path, Speed::Times(60.0), &clock);
    assert_eq!(times(&sink), [0, 30_000, 60_000, 90_000, 120_000]);
    assert_eq!(clock.now(), Duration::from_secs(2));
}

#[test]
fn a_broken_line_is_named_and_the_others_are_sent() {
    let (_folder, path) = file("f.csv", b"node_id,timestamp_ms,cpu\na,0,0.1\na,1,-1\na,2,0.2\n");
    for speed in [Speed::Max, Speed::Times(1000.0)] {
        let (sink, summary, bad) = run(&path, speed, &FakeClock::default());
        assert_eq!((times(&sink), summary.sent, summary.bad_rows), (vec![0, 2], 2, 1));
        let want = format!("{}: line 3, column 3 (cpu): \"-1\" is not a finite number of at least 0", path.display());
        assert_eq!(bad, [want]);
    }
}

#[test]
fn compressed_csv_is_told_by_its_first_bytes_whatever_it_is_called() {
    use std::io::Write;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(BY_NODE.as_bytes()).unwrap();
    let mut snappy = snap::write::FrameEncoder::new(Vec::new());
    snappy.write_all(BY_NODE.as_bytes()).unwrap();
    for content in [gzip.finish().unwrap(), snappy.into_inner().unwrap()] {
        let (_folder, path) = file("loads", &content);
        assert_eq!(run(&path, Speed::Max, &FakeClock::default()).1.sent, 5);
    }
}

#[test]
fn a_stop_ends_a_wait_and_the_watcher_can_break_off() {
    let (_folder, path) = file("f.csv", b"node_id,timestamp_ms,cpu\na,0,0\na,1,x\na,99999999999,0\n");
    let source = || Source::open(&path, CsvOptions::default()).unwrap();
    let stop = AtomicBool::new(false);
    let mut sink = both();
    let stopped = replay(source(), Speed::Times(1.0), &mut sink, &FakeClock::default(), &stop, &mut |event| {
        // Told before the long wait, the flag ends it.
        stop.store(matches!(event, Event::Sent(s) if s.sent == 1), Ordering::Relaxed);
        ControlFlow::Continue(())
    });
    assert!(stopped.is_ok_and(|s| s.stopped && s.sent == 1));
    stop.store(false, Ordering::Relaxed);
    let broken = replay(source(), Speed::Max, &mut sink, &FakeClock::default(), &stop, &mut |event| match event {
        Event::BadRow(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert!(broken.is_ok_and(|s| s.stopped && s.sent == 1 && s.bad_rows == 1));
}

#[test]
fn what_is_no_file_of_ours_is_refused_in_one_sentence() {
    let refused = |content: &[u8]| {
        let (_folder, path) = file("f", content);
        Source::open(&path, CsvOptions::default()).unwrap_err().to_string()
    };
    assert!(refused(b"").ends_with("/f: line 1: the file is empty"));
    assert!(refused(b"a,b\n").ends_with("/f: line 1: the header has no column node_id"));
    assert!(refused(b"Obj\x01junk").contains("/f: this is not a recording"));
    let missing = Source::open(Path::new("/no/such/file"), CsvOptions::default()).unwrap_err().to_string();
    assert!(missing.starts_with("/no/such/file: opening: "), "{missing}");
}

fn recording(records: &[Recording]) -> Vec<u8> {
    let mut writer = RecordingWriter::new(Vec::new()).unwrap();
    for record in records {
        writer.append(record).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn a_damaged_recording_sends_what_is_whole_and_then_says_so() {
    let mut content = Vec::new();
    {
        let mut writer = RecordingWriter::new(&mut content).unwrap();
        for offset in 0..2 {
            writer.append(&Recording { offset, ..Recording::default() }).unwrap();
            writer.flush().unwrap();
        }
        writer.finish().unwrap();
    }
    content.truncate(content.len() - 3);
    let (_folder, path) = file("f.avro", &content);
    let source = Source::open(&path, CsvOptions::default()).unwrap();
    let (mut sink, stop) = (both(), AtomicBool::new(false));
    let ended = replay(source, Speed::Max, &mut sink, &FakeClock::default(), &stop, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(ended, Err(ProducerError::Schema { .. })));
    assert_eq!(sink.records.len(), 1);
}

proptest! {
    #[test]
    fn a_recording_comes_back_as_it_was_in_its_order(
        records in proptest::collection::vec((any::<Option<Vec<u8>>>(), any::<Option<Vec<u8>>>(), 0i64..100_000), 0..20),
    ) {
        let records: Vec<_> = records.into_iter().enumerate().map(|(offset, (key, value, at))| Recording {
            topic: "t".into(),
            partition: 1,
            offset: offset as i64,
            timestamp: Some(at),
            headers: vec![RecordHeader { key: "h".into(), value: key.clone() }],
            key,
            value,
        }).collect();
        let (_folder, path) = file("f.avro", &recording(&records));
        for speed in [Speed::Max, Speed::Times(60.0)] {
            let (sink, summary, _) = run(&path, speed, &FakeClock::default());
            prop_assert_eq!(&sink.records, &records);
            prop_assert_eq!(summary.sent, records.len() as u64);
        }
    }
}

/// The folder of shared data, where it is at hand.
fn shared(name: &str) -> Option<std::path::PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let path = std::env::var_os("TIDEGATE_DATA").map_or_else(beside, Into::into).join("loads").join(name);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not there; set TIDEGATE_DATA to the folder of shared data", path.display());
    None
}

#[test]
fn the_recorded_loads_are_read_whole() {
    // Rows, nodes and interval, as counted by other means.
    for (name, rows, nodes, interval_ms) in [
        ("smd_1min.csv.gz", 331_739, 10, 60_000),
        ("exathlon_10s.csv.gz", 6_910, 4, 10_000),
        ("nab_ec2_5min.csv.gz", 58_370, 11, 300_000),
    ] {
        let Some(path) = shared(name) else { continue };
        let began = std::time::Instant::now();
        let (sink, summary, bad) = run(&path, Speed::Max, &FakeClock::default());
        println!("{name}: {} rows in {:?}", summary.sent, began.elapsed());
        assert_eq!((summary.sent, bad), (rows, vec![]));
        assert!(sink.reports.iter().all(|r| r.interval_ms == interval_ms && r.validate().is_ok()));
        let names: std::collections::HashSet<_> = sink.reports.iter().map(|r| r.node_id.as_str()).collect();
        assert_eq!(names.len(), nodes);
        let merged = by_time(sink.reports.clone());
        assert!(merged.is_sorted_by_key(|r| r.timestamp));
        assert_eq!(merged, sink.reports, "the file is sorted by time already");
    }
}
