//! The fleet: repeatable, ordered, obedient, and of the shape that makes quotas move.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;
use crate::pacing::tests::FakeClock;
use crate::pacing::{Clock, Speed};

fn fleet(nodes: usize, seed: u64) -> Fleet {
    Fleet::new(FleetOptions { nodes, seed, ..FleetOptions::default() }).unwrap()
}

fn take(fleet: &mut Fleet, count: usize) -> Vec<LoadReport> {
    (0..count).map(|_| fleet.next_report()).collect()
}

/// Hours of a fleet of the default shape.
fn hours(nodes: usize, hours: usize) -> Vec<LoadReport> {
    take(&mut fleet(nodes, 1), nodes * hours * 360)
}

/// Share of the reports for which this holds.
fn share(reports: &[LoadReport], holds: impl Fn(&LoadReport) -> bool) -> f64 {
    reports.iter().filter(|r| holds(r)).count() as f64 / reports.len() as f64
}

#[test]
fn loads_spread_over_the_range_that_quotas_are_about() {
    let reports = hours(200, 4);
    let middle = share(&reports, |r| (0.2..=0.9).contains(&r.load()));
    let (idle, hot, full) = (
        share(&reports, |r| r.load() < 0.3),
        share(&reports, |r| r.load() > 0.8),
        share(&reports, |r| r.load() >= 1.0),
    );
    println!("0.2..0.9: {middle:.3}, < 0.3: {idle:.3}, > 0.8: {hot:.3}, at the cap: {full:.3}");
    assert!(middle > 0.7, "{middle}");
    assert!((0.02..0.4).contains(&idle) && (0.02..0.3).contains(&hot) && (0.002..0.15).contains(&full));
    let hot_nodes: std::collections::HashSet<_> =
        reports.iter().filter(|r| r.load() > 0.8).map(|r| &r.node_id).collect();
    assert!((40..200).contains(&hot_nodes.len()), "{}", hot_nodes.len());
}

#[test]
fn nodes_of_a_pool_move_together_and_those_that_stand_alone_do_not() {
    let options = FleetOptions { nodes: 60, pools: 4, ..FleetOptions::default() };
    let mut fleet = Fleet::new(options).unwrap();
    let pools: HashMap<_, _> = fleet.nodes().map(|(id, pool)| (id.to_owned(), pool.to_owned())).collect();
    let mut series: HashMap<String, Vec<f64>> = HashMap::new();
    for report in take(&mut fleet, 60 * 360 * 12) {
        assert_eq!(report.pool, pools[&report.node_id]);
        series.entry(report.node_id).or_default().push(report.cpu.unwrap());
    }
    let (mut same, mut apart) = (Vec::new(), Vec::new());
    for (a, of_a) in &series {
        for (b, of_b) in series.iter().filter(|(b, _)| *b > a) {
            let together = !pools[a].is_empty() && pools[a] == pools[b];
            if together { &mut same } else { &mut apart }.push(correlation(of_a, of_b));
        }
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    println!("correlation in a pool {:.2}, across {:.2}", mean(&same), mean(&apart));
    assert!(mean(&same) > 0.3 && mean(&apart).abs() < 0.15);
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len() as f64;
    let (ma, mb) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let product =
        |x: &[f64], mx: f64, y: &[f64], my: f64| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum() };
    product(a, ma, b, mb) / (product(a, ma, a, ma) * product(b, mb, b, mb)).sqrt()
}

#[test]
fn counters_grow_and_begin_anew_at_a_restart_with_load_near_nothing() {
    let mut totals: HashMap<String, i64> = HashMap::new();
    let mut restarts = 0;
    for report in hours(50, 6) {
        let total = report.requests_total.unwrap();
        assert!(report.requests_failed_total.unwrap() <= total);
        let before = totals.insert(report.node_id.clone(), total).unwrap_or(0);
        if total < before {
            restarts += 1;
            assert_eq!(total, 0);
            assert_eq!(report.cpu, Some(0.0));
        }
    }
    assert!((3..30).contains(&restarts), "{restarts}");
}

#[test]
fn demand_above_the_quota_is_shed_and_shows() {
    let failed = |quota: Option<f64>| -> i64 {
        let mut fleet = fleet(20, 3);
        let ids: Vec<_> = fleet.nodes().map(|(id, _)| id.to_owned()).collect();
        for id in &ids {
            quota.map(|q| fleet.apply_quota(id, q, 5));
        }
        let reports = take(&mut fleet, 20 * 360);
        for r in &reports {
            assert!(r.load() <= quota.unwrap_or(1000.0) / 1000.0, "{r:?}");
            assert_eq!((r.quota_in_force, r.quota_sequence), (quota, quota.map(|_| 5)));
        }
        reports.iter().rev().take(20).map(|r| r.requests_failed_total.unwrap()).sum()
    };
    let (tight, base, wide) = (failed(Some(200.0)), failed(None), failed(Some(5000.0)));
    println!("failed at 0.2: {tight}, at 1.0: {base}, at 5.0: {wide}");
    assert!(tight > 10 * base && base > wide);
}

#[test]
fn a_wide_quota_lets_load_pass_the_base_and_a_lease_ends() {
    let mut fleet = fleet(50, 1);
    let ids: Vec<_> = fleet.nodes().map(|(id, _)| id.to_owned()).collect();
    ids.iter().for_each(|id| assert!(fleet.apply_quota(id, 3000.0, 1)));
    assert!(take(&mut fleet, 50 * 360 * 4).iter().any(|r| r.cpu > Some(1.1)));
    let now = fleet.next_event_ms();
    let command = crate::edge::tests::command(&ids[0], now, 700.0);
    assert!(fleet.apply_command(&command));
    let of_first: Vec<_> = take(&mut fleet, 50 * 12).into_iter().filter(|r| r.node_id == ids[0]).collect();
    for r in of_first {
        let held = (r.timestamp <= command.valid_until).then_some(700.0);
        assert_eq!(r.quota_in_force, held, "{} of {}", r.timestamp, command.valid_until);
    }
}

#[test]
fn a_recommendation_is_not_obeyed_and_ends_the_quota_before_it() {
    let mut fleet = fleet(1, 1);
    let mut next = |command: Option<tidegate_schemas::records::QuotaCommand>| {
        command.iter().for_each(|command| assert!(fleet.apply_command(command)));
        let report = fleet.next_report();
        (report.quota_in_force, report.quota_sequence)
    };
    let start = FleetOptions::default().start_ms;
    let command = |offset, quota| crate::edge::tests::command("node-0000", start + offset, quota);
    let recommendation = |offset, quota| crate::edge::tests::recommendation("node-0000", start + offset, quota);
    assert_eq!(next(Some(command(1, 700.0))), (Some(700.0), Some(start + 1)));
    assert_eq!(next(Some(recommendation(2, 900.0))), (None, None));
    assert_eq!(next(None), (None, None), "the lease of the command before it lasts, and counts no longer");
    assert_eq!(next(Some(command(3, 800.0))), (Some(800.0), Some(start + 3)));
}

#[test]
fn quotas_that_make_no_sense_change_nothing() {
    let mut fleet = fleet(2, 1);
    assert!(fleet.apply_quota("node-0000", 700.0, 9));
    for (id, quota, sequence) in [
        ("node-0000", 800.0, 9),
        ("node-0000", 800.0, 8),
        ("node-0001", f64::NAN, 1),
        ("node-0001", -1.0, 1),
        ("x", 1.0, 1),
    ] {
        assert!(!fleet.apply_quota(id, quota, sequence), "{id} {quota} {sequence}");
    }
}

#[test]
fn options_that_cannot_be_are_named() {
    let refused = |change: fn(&mut FleetOptions)| {
        let mut options = FleetOptions::default();
        change(&mut options);
        Fleet::new(options).unwrap_err().to_string()
    };
    assert_eq!(refused(|o| o.nodes = 0), "a fleet has 1 to 1000000 nodes, not 0");
    assert_eq!(refused(|o| o.interval_ms = 0), "the interval must be 1 to 3600000 ms, not 0");
    assert_eq!(refused(|o| o.base_quota = f64::NAN), "the base quota must be a finite number above 0, not NaN");
    assert!(refused(|o| o.start_ms = i64::MAX).starts_with("the start must be 0 to "));
}

#[test]
fn a_driven_fleet_is_paced_and_takes_quotas_between_reports() {
    let (mut fleet, clock, stop) = (fleet(10, 1), FakeClock::default(), AtomicBool::new(false));
    let start = fleet.options().start_ms;
    let mut sent = Vec::new();
    let until = Some(start + 600_000);
    let driven = drive(&mut fleet, Speed::Times(60.0), until, &mut sent, &clock, &stop, |fleet| {
        let now = fleet.next_event_ms();
        fleet.apply_quota("node-0003", 900.0, now);
    });
    assert_eq!(driven.ok(), Some(Driven { sent: 600, stopped: false }));
    assert!(sent.iter().all(|r| r.timestamp < start + 600_000));
    assert!(sent.iter().all(|r| (r.quota_sequence == Some(r.timestamp)) == (r.node_id == "node-0003")));
    let seconds = clock.now().as_secs_f64();
    assert!((9.7..10.0).contains(&seconds), "{seconds}");
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    let stopped = drive(&mut fleet, Speed::Max, None, &mut sent, &clock, &stop, |_| {});
    assert_eq!(stopped.ok(), Some(Driven { sent: 0, stopped: true }));
}

/// The first reports of seed 1, to the last digit: another value here means that a seed no longer gives the same bytes.
#[test]
fn a_seed_gives_the_same_bytes_for_ever() {
    use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, Topic};
    let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds).unwrap();
    let (mut value, mut hash) = (Vec::new(), 0xcbf2_9ce4_8422_2325u64);
    for report in take(&mut fleet(7, 1), 7 * 360) {
        encoder.encode(&report, &mut value).unwrap();
        // FNV-1a.
        hash = value.iter().fold(hash, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
    }
    assert_eq!(format!("{hash:016x}"), "abafb71e6aca6f45");
}

/// A measurement, not a check: `cargo test --release -p tidegate-producers -- --ignored --nocapture speed`.
#[test]
#[ignore = "measures"]
fn speed_of_a_thousand_nodes_for_an_hour() {
    let mut fleet = fleet(1000, 1);
    let began = std::time::Instant::now();
    let sum: f64 = (0..360_000).map(|_| fleet.next_report().load()).sum();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "360,000 reports in {seconds:.3} s: {:.0} a second (mean load {:.3})",
        360_000.0 / seconds,
        sum / 360_000.0
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_same_options_and_quotas_give_the_same_reports(
        seed: u64,
        nodes in 1usize..30,
        interval_ms in 1i64..120_000,
        pools in 0usize..5,
        quotas in proptest::collection::vec((0usize..30, 0.0f64..3000.0), 0..20),
    ) {
        let run = || {
            let options = FleetOptions { nodes, seed, interval_ms, pools, ..FleetOptions::default() };
            let mut fleet = Fleet::new(options).unwrap();
            let mut reports = Vec::new();
            for (sequence, (node, quota)) in quotas.iter().enumerate() {
                fleet.apply_quota(&format!("node-{node:04}"), *quota, sequence as i64);
                reports.extend(take(&mut fleet, 17));
            }
            reports
        };
        prop_assert_eq!(run(), run());
    }

    #[test]
    fn reports_come_in_order_evenly_valid_and_under_their_caps(
        seed: u64, nodes in 1usize..60, interval_ms in 100i64..600_000, quota in 0.0f64..2500.0,
    ) {
        let mut fleet = Fleet::new(FleetOptions { nodes, seed, interval_ms, ..FleetOptions::default() }).unwrap();
        fleet.apply_quota("node-0000", quota, 1);
        let reports = take(&mut fleet, nodes * 40);
        prop_assert!(reports.is_sorted_by_key(|r| r.timestamp));
        let mut last: HashMap<&str, i64> = HashMap::new();
        for r in &reports {
            prop_assert_eq!(r.validate(), Ok(()));
            prop_assert_eq!(r.sequence, r.timestamp);
            prop_assert!(r.load() <= r.quota_in_force.unwrap_or(r.base_quota) / r.base_quota);
            for value in [r.cpu, r.memory].into_iter().flatten() {
                prop_assert_eq!((value * 1e4).round() / 1e4, value);
            }
            if let Some(before) = last.insert(&r.node_id, r.timestamp) {
                prop_assert_eq!(r.timestamp - before, interval_ms);
            }
        }
        prop_assert_eq!(last.len(), nodes);
        // Even: no gap between two reports is longer than the golden spread allows.
        let longest = reports.windows(2).map(|w| w[1].timestamp - w[0].timestamp).max().unwrap_or(0);
        prop_assert!(longest <= 3 * interval_ms / nodes as i64 + 1, "{longest} of {interval_ms} for {nodes}");
    }

    #[test]
    fn demand_depends_neither_on_quotas_nor_on_the_number_of_nodes(seed: u64, quota in 0.0f64..500.0) {
        // Demand shows in the requests that came, shed ones included.
        let demand = |nodes: usize, quota: Option<f64>| -> Vec<_> {
            let mut fleet = fleet(nodes, seed);
            quota.map(|q| fleet.apply_quota("node-0002", q, 1));
            let all = take(&mut fleet, nodes * 100).into_iter();
            all.filter(|r| r.node_id == "node-0002").map(|r| (r.timestamp, r.requests_total)).collect()
        };
        let one = demand(3, None);
        prop_assert_eq!(&one, &demand(20, None));
        // Counted in parts, so that the last request may differ by rounding.
        for (a, b) in one.iter().zip(demand(3, Some(quota))) {
            prop_assert!(a.0 == b.0 && (a.1.unwrap() - b.1.unwrap()).abs() <= 1);
        }
    }
}
