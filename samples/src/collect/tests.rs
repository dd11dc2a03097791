use proptest::prelude::*;

use super::*;
use crate::{Labels, STALE, Sample};

const START: i64 = 1_767_571_200_000;
const STEP: i64 = 15_000;

fn sample(at_ms: i64, value: f64) -> Sample {
    Sample { at_ms, value }
}

/// One sample of a host: the metric, its own label, the value.
type One = (&'static str, &'static str, f64);

fn request(mapping: &Mapping, node: &str, replica: &str, at_ms: i64, all: &[One]) -> Request {
    let mut request = Request::default();
    let instance = format!("{node}:9100");
    for (metric, own, value) in all {
        let name = if *metric == "node_cpu_seconds_total" { "mode" } else { "device" };
        let labels = [("__name__", *metric), (name, *own), ("instance", &instance), ("prometheus_replica", replica)];
        request.series(mapping, &Labels::new(labels).unwrap(), &[sample(at_ms, *value)], &mut |_| true);
    }
    request
}

/// A collector of hosts, and its mapping.
fn hosts() -> (Mapping, Collector) {
    let mapping = Mapping::preset("node_exporter").unwrap();
    (mapping.clone(), Collector::new(mapping, Bounds::default()))
}

/// What a host with one core says at its n-th scrape: half of the core is in use, a quarter of the memory.
fn scrape(n: i64) -> Vec<One> {
    let seconds = (n * STEP) as f64 / 1000.0;
    vec![
        ("node_cpu_seconds_total", "user", 100.0 + seconds * 0.3),
        ("node_cpu_seconds_total", "system", seconds * 0.2),
        ("node_cpu_seconds_total", "idle", seconds * 0.5),
        ("node_memory_MemAvailable_bytes", "", 750.0),
        ("node_memory_MemTotal_bytes", "", 1000.0),
    ]
}

fn at(n: i64) -> i64 {
    START + n * STEP
}

/// Takes a request and has its reports acknowledged.
fn acknowledged(collector: &mut Collector, request: Request, now_ms: i64) -> Taken {
    let taken = collector.take(request, now_ms);
    collector.settle(&taken.names, true);
    taken
}

#[test]
fn the_second_scrape_of_a_host_gives_its_first_report_at_once() {
    let (mapping, mut collector) = hosts();
    assert!(acknowledged(&mut collector, request(&mapping, "a", "", at(0), &scrape(0)), at(0)).reports.is_empty());
    let taken = acknowledged(&mut collector, request(&mapping, "a", "", at(1), &scrape(1)), at(1));
    let wanted = LoadReport { cpu: Some(0.5), memory: Some(0.25), ..LoadReport::new("a", at(1), STEP, 1000.0) };
    assert_eq!(taken.reports, [wanted]);
    assert_eq!((taken.counts.taken, collector.held()), (5, (1, 5)));
}

#[test]
fn a_scrape_may_come_in_pieces_and_its_report_comes_with_the_last() {
    let (mapping, mut collector) = hosts();
    for n in 0..5 {
        let all = scrape(n);
        for (piece, of) in all.chunks(2).enumerate() {
            let taken = acknowledged(&mut collector, request(&mapping, "a", "", at(n), of), at(n));
            // The last piece is the memory's capacity, for which no report waits.
            assert_eq!(taken.reports.len(), usize::from(n > 0 && piece == 1), "scrape {n}, piece {piece}");
        }
    }
}

#[test]
fn a_piece_that_never_comes_is_stood_in_for_by_its_last_value() {
    let (mapping, mut collector) = hosts();
    for n in 0..2 {
        acknowledged(&mut collector, request(&mapping, "a", "", at(n), &scrape(n)), at(n));
    }
    let partly = collector.take(request(&mapping, "a", "", at(2), &scrape(2)[..1]), at(2));
    assert!(partly.reports.is_empty());
    let next = collector.take(request(&mapping, "a", "", at(3), &scrape(3)), at(3));
    let told: Vec<_> = next.reports.iter().map(|r| (r.timestamp, r.cpu, r.memory)).collect();
    assert_eq!(told, [(at(2), Some(0.5), Some(0.25)), (at(3), Some(0.5), Some(0.25))]);
}

#[test]
fn a_counter_that_begins_again_is_no_fall() {
    let (mapping, mut collector) = hosts();
    let counter = |value| [("node_cpu_seconds_total", "user", value), ("node_cpu_seconds_total", "idle", 1.0)];
    let mut cpu = Vec::new();
    for (n, value) in [100.0, 103.0, 1.5, 4.5].into_iter().enumerate() {
        let n = n as i64;
        let taken = acknowledged(&mut collector, request(&mapping, "a", "", at(n), &counter(value)), at(n));
        cpu.extend(taken.reports.iter().map(|report| report.cpu.unwrap()));
    }
    assert_eq!(cpu, [0.2, 0.1, 0.2]);
}

#[test]
fn a_series_that_ended_counts_no_more_and_a_node_of_ended_series_gives_no_report() {
    let (mapping, mut collector) = hosts();
    for n in 0..2 {
        acknowledged(&mut collector, request(&mapping, "a", "", at(n), &scrape(n)), at(n));
    }
    let mut all = scrape(2);
    all[0].2 = STALE;
    let taken = acknowledged(&mut collector, request(&mapping, "a", "", at(2), &all), at(2));
    assert_eq!((taken.counts.stale, taken.reports[0].cpu), (1, Some(0.2)));
    let ends: Vec<One> = scrape(3).into_iter().map(|(metric, own, _)| (metric, own, STALE)).collect();
    let taken = acknowledged(&mut collector, request(&mapping, "a", "", at(3), &ends), at(3));
    assert_eq!((taken.reports.len(), taken.counts.stale, collector.held()), (0, 5, (1, 0)));
    let ends = request(&mapping, "b", "", at(3), &[("node_memory_MemTotal_bytes", "", STALE)]);
    collector.take(ends, at(3));
    assert_eq!(collector.held().0, 1, "an end begins no node");
}

#[test]
fn what_is_known_or_late_is_dropped() {
    let (mapping, mut collector) = hosts();
    for n in 0..3 {
        acknowledged(&mut collector, request(&mapping, "a", "", at(n), &scrape(n)), at(n));
    }
    let again = acknowledged(&mut collector, request(&mapping, "a", "", at(2), &scrape(2)), at(2));
    assert_eq!((again.counts.duplicate, again.counts.taken, again.reports), (5, 0, vec![]));
    let late = acknowledged(&mut collector, request(&mapping, "a", "", at(1) + 1, &scrape(1)), at(2));
    assert_eq!((late.counts.out_of_order, late.reports), (5, vec![]));
}

#[test]
fn of_two_replicas_the_first_is_believed_until_it_is_silent() {
    let (mapping, mut collector) = hosts();
    let mut told = Vec::new();
    for n in 0..8 {
        // `one` stops after its fourth scrape; `two` scrapes 7 s later than it.
        for (replica, later) in [("one", 0), ("two", 7_000)] {
            if replica == "one" && n > 3 {
                continue;
            }
            let request = request(&mapping, "a", replica, at(n) + later, &scrape(n));
            told.extend(acknowledged(&mut collector, request, at(n) + later).reports);
        }
    }
    let times: Vec<_> = told.iter().map(|report| report.timestamp).collect();
    // 30 s after the last of `one` at the earliest.
    assert_eq!(times, [at(1), at(2), at(3), at(5) + 7_000, at(6) + 7_000, at(7) + 7_000]);
}

#[test]
fn a_report_that_kafka_did_not_take_is_made_again_for_who_asks_again() {
    let (mapping, mut collector) = hosts();
    acknowledged(&mut collector, request(&mapping, "a", "", at(0), &scrape(0)), at(0));
    let second = || request(&mapping, "a", "", at(1), &scrape(1));
    let first_try = collector.take(second(), at(1));
    let meanwhile = collector.take(second(), at(1));
    assert_eq!(meanwhile.reports, first_try.reports, "the same samples wait for the same report");
    collector.settle(&first_try.names, false);
    let other = collector.take(request(&mapping, "a", "", at(2), &scrape(2)[..1]), at(2));
    assert_eq!(other.reports, first_try.reports, "whoever comes next takes it along");
    collector.settle(&other.names, true);
    assert!(collector.take(second(), at(2)).reports.is_empty(), "it is acknowledged");
}

#[test]
fn nodes_series_and_times_are_bounded() {
    let mapping = Mapping::preset("node_exporter").unwrap();
    let mut collector = Collector::new(mapping.clone(), Bounds { nodes: 2, series: 3 });
    for node in ["a", "b", "c"] {
        collector.take(request(&mapping, node, "", at(0), &scrape(0)), at(0));
    }
    assert_eq!(collector.held(), (2, 6));
    let ahead = collector.take(request(&mapping, "a", "", at(0) + 60_001, &scrape(1)), at(0));
    let before = collector.take(request(&mapping, "a", "", -1, &scrape(1)), at(0));
    assert_eq!((ahead.counts.ill_timed, before.counts.refused()), (5, 5));
    // Whoever is silent for ten minutes makes room.
    let taken = collector.take(request(&mapping, "c", "", at(40), &scrape(40)), at(40));
    assert_eq!((taken.counts.taken, collector.held()), (3, (1, 3)));
}

#[test]
fn who_may_not_speak_for_a_node_is_counted_and_changes_nothing() {
    let (mapping, mut collector) = hosts();
    let mut request = Request::default();
    for node in ["a:1", "b:1"] {
        let labels = Labels::new([("__name__", "node_memory_MemTotal_bytes"), ("instance", node)]).unwrap();
        request.series(&mapping, &labels, &[sample(at(0), 1.0), sample(at(1), 1.0)], &mut |node| node == "a");
    }
    let taken = collector.take(request, at(1));
    assert_eq!((taken.counts.taken, taken.counts.not_granted, collector.held().0), (2, 2, 1));
}

#[test]
fn requests_are_counted_on_over_resets_and_ends_of_series() {
    let text = "[[node]]\nid = \"{app}\"\nbase_quota = 100.0\n\
                [[node.series]]\nis = \"cpu_used\"\nmetric = \"hits\"\nas = \"rate\"\n\
                [[node.series]]\nis = \"cpu_capacity\"\nmetric = \"limit\"\n\
                [[node.series]]\nis = \"requests\"\nmetric = \"hits\"\n\
                [[node.series]]\nis = \"requests_failed\"\nmetric = \"hits\"\nwith = { code = [\"500\", \"503\"] }\n";
    let mapping = Mapping::parse("m", text).unwrap();
    let mut collector = Collector::new(mapping.clone(), Bounds::default());
    let mut told = Vec::new();
    for (n, ok, failed) in [(0, 10.0, 0.0), (1, 160.0, 30.0), (2, 15.0, STALE), (3, 30.0, STALE)] {
        let mut request = Request::default();
        for (metric, code, value) in [("hits", "200", ok), ("hits", "500", failed), ("limit", "", 20.0)] {
            let labels = Labels::new([("__name__", metric), ("code", code), ("app", "shop")]).unwrap();
            request.series(&mapping, &labels, &[sample(at(n), value)], &mut |_| true);
        }
        let reports = acknowledged(&mut collector, request, at(n)).reports;
        told.extend(
            reports.into_iter().map(|r| (r.cpu.unwrap(), r.requests_total, r.requests_failed_total, r.base_quota)),
        );
    }
    let wanted =
        [(0.6, Some(180), Some(30), 100.0), (0.05, Some(195), Some(30), 100.0), (0.05, Some(210), Some(30), 100.0)];
    assert_eq!(told, wanted);
}

/// The figure of docs/remote-write.md.
#[test]
fn a_series_takes_less_than_200_bytes() {
    let (mapping, mut collector) = hosts();
    let cores: Vec<String> = (0..512).map(|core| core.to_string()).collect();
    let mut whole = Request::default();
    for core in &cores {
        let labels = [("__name__", "node_cpu_seconds_total"), ("cpu", core), ("mode", "user"), ("instance", "a:9100")];
        whole.series(&mapping, &Labels::new(labels).unwrap(), &[sample(at(0), 1.0)], &mut |_| true);
    }
    collector.take(whole, at(0));
    assert_eq!(collector.held(), (1, 512));
    let copied = allocation_counter::measure(|| drop(collector.nodes.clone()));
    let each = copied.bytes_max / 512;
    assert!((48..200).contains(&each), "{each} bytes");
}

proptest! {
    /// However scrapes are cut into requests, whatever their order inside and whatever comes twice: the same reports.
    #[test]
    fn requests_may_be_cut_anywhere(
        order in Just((0..5_usize).collect::<Vec<_>>()).prop_shuffle(),
        cuts in prop::collection::vec(1..4_usize, 6),
        again in prop::collection::vec(any::<bool>(), 6),
    ) {
        let (mapping, mut collector) = hosts();
        let mut told = Vec::new();
        for n in 0..6_i64 {
            let all: Vec<One> = order.iter().map(|at| scrape(n)[*at]).collect();
            for piece in all.chunks(cuts[n as usize]) {
                for _ in 0..=usize::from(again[n as usize]) {
                    told.extend(acknowledged(&mut collector, request(&mapping, "a", "", at(n), piece), at(n)).reports);
                }
            }
        }
        let times: Vec<_> = told.iter().map(|report| report.timestamp).collect();
        prop_assert_eq!(times, (1..6).map(at).collect::<Vec<_>>());
        prop_assert!(told.iter().all(|r| r.cpu == Some(0.5) && r.memory == Some(0.25) && r.interval_ms == STEP));
    }

    /// Kafka may fail as it likes: a sender that sends again until it is answered has each report acknowledged.
    #[test]
    fn no_report_is_lost_while_its_sender_tries_again(fails in prop::collection::vec(0..3_usize, 8)) {
        let (mapping, mut collector) = hosts();
        let mut on_topic = Vec::new();
        for (n, fails) in fails.iter().enumerate() {
            let n = n as i64;
            for attempt in 0..=*fails {
                let taken = collector.take(request(&mapping, "a", "", at(n), &scrape(n)), at(n));
                prop_assert_eq!(taken.reports.len(), usize::from(n > 0));
                collector.settle(&taken.names, attempt == *fails);
                if attempt == *fails {
                    on_topic.extend(taken.reports.iter().map(|report| report.timestamp));
                }
            }
        }
        prop_assert_eq!(on_topic, (1..fails.len() as i64).map(at).collect::<Vec<_>>());
    }

    /// Whatever samples come: bounds hold, reports are valid, and a node's are later and later.
    #[test]
    fn any_samples_give_valid_reports_in_order(
        all in prop::collection::vec((0..3_usize, 0..6_usize, 0..40_i64, -1.0..1e18_f64, any::<bool>()), 0..120),
        cut in 1..20_usize,
    ) {
        let mapping = Mapping::preset("node_exporter").unwrap();
        let bounds = Bounds { nodes: 2, series: 4 };
        let mut collector = Collector::new(mapping.clone(), bounds);
        let mut last: HashMap<String, i64> = HashMap::new();
        for piece in all.chunks(cut) {
            let mut whole = Request::default();
            for (node, which, step, value, is_stale) in piece {
                let (metric, mode) = [
                    ("node_cpu_seconds_total", "user"), ("node_cpu_seconds_total", "idle"),
                    ("node_memory_MemAvailable_bytes", ""), ("node_memory_MemTotal_bytes", ""),
                    ("node_disk_read_bytes_total", ""), ("other", ""),
                ][*which];
                let instance = format!("n{node}");
                let labels = Labels::new([("__name__", metric), ("mode", mode), ("instance", &instance)]).unwrap();
                let value = if *is_stale { STALE } else { *value };
                whole.series(&mapping, &labels, &[sample(START + step * 1_000, value)], &mut |_| true);
            }
            let taken = collector.take(whole, START + 40_000);
            collector.settle(&taken.names, true);
            for report in taken.reports {
                prop_assert_eq!(report.validate(), Ok(()));
                let before = last.insert(report.node_id.clone(), report.timestamp);
                prop_assert!(before.is_none_or(|before| before < report.timestamp));
            }
            prop_assert!(collector.held().0 <= bounds.nodes && collector.held().1 <= bounds.nodes * bounds.series);
        }
    }
}
