//! Whatever was forgotten and read again in between: the same reports give the same changes.

use std::sync::Arc;

use proptest::prelude::*;
use tidegate_alerts::{Change, DEFAULT_FILE, Readings, Recalled, Report, Rules, SERIES, Series, Watch};

/// Beside the shipped rules, one that fires on, one over a pool and one that looks at the past.
const MORE: &str = "
groups:
  - name: more
    interval: 1m
    rules:
      - alert: FiresOn
        expr: node_memory_usage > 0.8
        for: 2m
        keep_firing_for: 10m
        annotations: {text: '{{ $labels.node }} {{ $value }}'}
      - alert: PoolBusy
        expr: avg by (pool) (node_cpu_usage) > 0.7
        annotations: {text: '{{ $value }}'}
      - alert: Rising
        expr: max_over_time(node_load[5m]) - min_over_time(node_load[5m]) > 0.6
        for: 1m
";
const STEP_MS: i64 = 30_000;
const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];

#[derive(Clone)]
struct Reported {
    node: usize,
    at: i64,
    heard: i64,
    readings: Readings,
}

impl std::fmt::Debug for Reported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", NODES[self.node], self.at)
    }
}

/// Three hours of reports, out of step; levels hold for a while, and nodes go silent, some for longer than they are remembered.
fn reports() -> impl Strategy<Value = Vec<Reported>> {
    let spell = (1..40_usize, prop::sample::select(vec![0.2, 0.85, 0.95]), prop::bool::weighted(0.15), 1..5_usize);
    let node = prop::collection::vec(spell, 12..30);
    prop::collection::vec(node, NODES.len()).prop_map(|nodes| {
        let mut all = Vec::new();
        for (node, spells) in nodes.into_iter().enumerate() {
            let (mut step, mut total, mut failed) = (0, 0.0, 0.0);
            for (length, level, silent, failing) in spells {
                let length = if silent { length * 5 } else { length };
                for _ in 0..length {
                    step += 1;
                    total += 100.0;
                    failed += (failing * 2) as f64;
                    if !silent {
                        let mut readings = [None; SERIES];
                        readings[Series::CpuUsage as usize] = Some(level);
                        readings[Series::Load as usize] = Some(level);
                        readings[Series::MemoryUsage as usize] = Some(1.0 - level / 2.0);
                        readings[Series::RequestsTotal as usize] = Some(total);
                        readings[Series::RequestsFailedTotal as usize] = Some(failed);
                        let at = step * STEP_MS + node as i64 * 3_100;
                        all.push(Reported { node, at, heard: at / 2, readings });
                    }
                }
            }
        }
        all.sort_by_key(|reported| reported.at + (reported.node as i64 * 7919) % 4000);
        all.truncate(5 * 360);
        all
    })
}

fn observe(watch: &mut Watch<usize>, number: usize, reported: &Reported) -> Vec<Change<usize>> {
    let pool = ["p", "p", "q", "q", ""][reported.node];
    let report = Report {
        node: NODES[reported.node],
        pool,
        at: reported.at,
        heard: reported.heard,
        readings: &reported.readings,
    };
    watch.observe(&report, number).unwrap_or_default()
}

/// What is on the topic when it was compacted: the last change of each alert, of which an end says when it began.
fn compacted(told: &[Change<usize>]) -> Vec<Recalled<usize>> {
    let mut kept: Vec<Recalled<usize>> = Vec::new();
    for (at, change) in told.iter().enumerate() {
        if told[at + 1..].iter().any(|later| later.fingerprint == change.fingerprint) {
            continue;
        }
        let reported_at = change.reported_at.min(change.fired_at);
        kept.push(Recalled { change: Change { at: change.fired_at, firing: true, reported_at, ..change.clone() } });
        if !change.firing {
            kept.push(Recalled { change: change.clone() });
        }
    }
    kept
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_changes_nothing(reports in reports(), cut in 0.0..1.0_f64, ahead in 0..60_usize, compacts in any::<bool>()) {
        let rules = Arc::new(Rules::parse([("default", DEFAULT_FILE), ("more", MORE)]).unwrap());
        let mut whole = Watch::new(Arc::clone(&rules));
        let told: Vec<Vec<_>> = reports.iter().enumerate().map(|(n, r)| observe(&mut whole, n, r)).collect();

        let cut = (cut * reports.len() as f64) as usize;
        let mut until_cut = Watch::new(Arc::clone(&rules));
        reports[..cut].iter().enumerate().for_each(|(n, r)| drop(observe(&mut until_cut, n, r)));
        let wanted = until_cut.oldest().saturating_sub(rules.reach_ms());
        // As the stage does: from the last report that was the newest by then, and not after what is wanted.
        let mut newest = i64::MIN;
        let mut from = 0;
        for (number, reported) in reports[..cut].iter().enumerate() {
            if reported.at > newest && reported.at <= wanted {
                from = number;
            }
            newest = newest.max(reported.at);
        }
        let mut again = Watch::new(Arc::clone(&rules));
        // A process may have told more than was committed; compaction may have taken away all but the last of what was.
        let before = told[..cut].concat();
        let recalled = if compacts && ahead == 0 {
            compacted(&before)
        } else {
            told[..(cut + ahead).min(told.len())].concat().into_iter().map(|change| Recalled { change }).collect()
        };
        again.recall(recalled);
        if from > 0 {
            again.begin_in_the_middle();
        }
        for (number, reported) in reports.iter().enumerate().take(cut).skip(from) {
            observe(&mut again, number, reported);
        }
        again.settle();
        for (number, reported) in reports.iter().enumerate().skip(cut) {
            prop_assert_eq!(&observe(&mut again, number, reported), &told[number], "report {} of {}, from {}", number, cut, from);
        }
    }
}

#[test]
fn alerts_of_a_rule_that_is_gone_are_resolved() {
    let more = Arc::new(Rules::parse([("more", MORE)]).unwrap());
    let mut readings = [None; SERIES];
    readings[Series::MemoryUsage as usize] = Some(0.9);
    let reports: Vec<_> =
        (0..20).map(|step| Reported { node: 0, at: step * STEP_MS, heard: step * STEP_MS, readings }).collect();
    let mut watch = Watch::new(more);
    let told: Vec<_> = reports.iter().enumerate().flat_map(|(n, r)| observe(&mut watch, n, r)).collect();
    assert_eq!(told.iter().map(|c| (c.rule.as_str(), c.firing)).collect::<Vec<_>>(), [("FiresOn", true)]);

    let mut other = Watch::new(Arc::new(Rules::parse([("default", DEFAULT_FILE)]).unwrap()));
    other.recall(told.iter().cloned().map(|change| Recalled { change }));
    reports.iter().take(15).enumerate().for_each(|(n, r)| drop(observe(&mut other, n, r)));
    other.settle();
    let changes: Vec<_> = reports.iter().enumerate().skip(15).flat_map(|(n, r)| observe(&mut other, n, r)).collect();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].firing, &changes[0].fingerprint), (false, &told[0].fingerprint));
}

#[test]
fn an_alert_that_fires_on_is_told_again_once_a_day() {
    let rules = Arc::new(Rules::parse([("more", MORE)]).unwrap());
    let mut readings = [None; SERIES];
    readings[Series::MemoryUsage as usize] = Some(0.9);
    let mut watch = Watch::new(rules);
    let report = |step: i64| Reported { node: 0, at: step * 60_000, heard: step * 60_000, readings };
    let told: Vec<_> = (0..60 * 50).flat_map(|step| observe(&mut watch, 0, &report(step))).collect();
    let at: Vec<i64> = told.iter().map(|change| (change.at - change.fired_at) / 3_600_000).collect();
    assert_eq!(at, [0, 24, 48]);
    assert!(told.iter().all(|change| change.firing && change.fired_at == told[0].at));
}

/// Each node's backlog comes in one piece after the other's, which is ahead by then: nobody is silent, and a restart in between tells the same.
#[test]
fn a_backlog_in_pieces_makes_nobody_look_silent_over_a_restart() {
    let rules = Arc::new(Rules::parse([("default", DEFAULT_FILE)]).unwrap());
    let mut log = Vec::new();
    for (heard, steps) in [(0, 0..60), (15_000, 60..90)] {
        for node in [0, 2] {
            for step in steps.clone() {
                let mut readings = [None; SERIES];
                readings[Series::CpuUsage as usize] = Some(if step < 60 { 0.95 } else { 0.4 });
                log.push(Reported { node, at: 1_795_700_860_000 + step * 10_000, heard, readings });
            }
        }
    }
    let mut whole = Watch::new(Arc::clone(&rules));
    let told: Vec<Vec<_>> = log.iter().enumerate().map(|(n, r)| observe(&mut whole, n, r)).collect();
    let names: Vec<_> = told.concat().iter().map(|c| (c.rule.clone(), c.firing)).collect();
    assert_eq!(names, [true, true, false, false].map(|firing| ("NodeCpuHigh".to_owned(), firing)));
    let cut = 120;
    let mut again = Watch::new(rules);
    again.recall(told[..cut].concat().into_iter().map(|change| Recalled { change }));
    (0..cut).for_each(|number| drop(observe(&mut again, number, &log[number])));
    again.settle();
    for number in cut..log.len() {
        assert_eq!(observe(&mut again, number, &log[number]), told[number], "report {number}");
    }
}
