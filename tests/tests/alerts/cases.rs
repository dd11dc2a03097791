//! Cases for Prometheus and for us: a rule and its series, a few by hand and many made up.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tidegate_alerts::Series;

/// A rule, its series, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The rule's lines below `alert:`.
    pub(crate) rule: String,
    /// Time between two evaluations, and between two samples, in s.
    pub(crate) every_s: i64,
    pub(crate) step_s: i64,
    pub(crate) samples: Vec<Samples>,
}

/// Samples of one series of one node; `None`: none at that step.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    pub(crate) series: Series,
    pub(crate) node: &'static str,
    pub(crate) pool: &'static str,
    pub(crate) values: Vec<Option<f64>>,
}

fn case(name: &str, rule: &str, (every_s, step_s): (i64, i64), samples: Vec<Samples>) -> Case {
    Case { name: name.to_owned(), rule: rule.to_owned(), every_s, step_s, samples }
}

fn of(series: Series, node: &'static str, pool: &'static str, runs: &[(usize, Option<f64>)]) -> Samples {
    let values = runs.iter().flat_map(|(count, value)| std::iter::repeat_n(*value, *count)).collect();
    Samples { series, node, pool, values }
}

/// The cases that somebody thought of.
pub(crate) fn by_hand() -> Vec<Case> {
    let cpu = |node, runs: &[(usize, Option<f64>)]| of(Series::CpuUsage, node, "p", runs);
    let high = "expr: node_cpu_usage > 0.9\nfor: 5m";
    let (low, hot) = (Some(0.4), Some(0.95));
    vec![
        case("exactly five minutes", high, (60, 60), vec![cpu("a", &[(3, low), (6, hot), (5, low)])]),
        case("a minute short of five", high, (60, 60), vec![cpu("a", &[(3, low), (5, hot), (5, low)])]),
        case("one dip begins it anew", high, (60, 60), vec![cpu("a", &[(4, hot), (1, low), (8, hot)])]),
        case("from the first sample on", high, (30, 10), vec![cpu("a", &[(60, hot), (30, low)])]),
        case(
            "a single sample counts for five minutes",
            "expr: node_cpu_usage > 0.9",
            (60, 60),
            vec![cpu("a", &[(1, hot), (12, None)])],
        ),
        case("stale in the middle of for", high, (60, 60), vec![cpu("a", &[(4, hot), (8, None), (9, hot)])]),
        case("a gap shorter than the lookback", high, (60, 60), vec![cpu("a", &[(2, hot), (4, None), (6, hot)])]),
        case(
            "exactly at the threshold",
            "expr: node_cpu_usage > 0.9",
            (60, 60),
            vec![cpu("a", &[(5, Some(0.9)), (2, Some(0.9001))])],
        ),
        case(
            "keeps firing",
            "expr: node_cpu_usage > 0.9\nfor: 1m\nkeep_firing_for: 3m",
            (60, 60),
            vec![cpu("a", &[(3, hot), (10, low)])],
        ),
        case(
            "keeps firing over a dip",
            "expr: node_cpu_usage > 0.9\nkeep_firing_for: 2m",
            (60, 60),
            vec![cpu("a", &[(2, hot), (1, low), (1, hot), (6, low)])],
        ),
        case("two nodes apart", high, (60, 60), vec![cpu("a", &[(9, hot), (4, low)]), cpu("b", &[(4, low), (9, hot)])]),
        case(
            "matchers",
            "expr: node_cpu_usage{node=~\"a|b.*\",pool!=\"q\"} > 0.9",
            (60, 60),
            vec![
                cpu("a", &[(5, hot)]),
                cpu("b1", &[(5, hot)]),
                cpu("c", &[(5, hot)]),
                of(Series::CpuUsage, "b2", "q", &[(5, hot)]),
            ],
        ),
        case(
            "a counter that is reset",
            "expr: rate(requests_total[2m]) > 0.5",
            (30, 30),
            vec![Samples {
                series: Series::RequestsTotal,
                node: "a",
                pool: "p",
                values: [10.0, 40.0, 80.0, 5.0, 25.0, 60.0, 3.0, 4.0, 5.0, 6.0].map(Some).to_vec(),
            }],
        ),
        case(
            "failed over total",
            "expr: increase(requests_failed_total[1m]) / increase(requests_total[1m]) > 0.05",
            (30, 10),
            ratio(),
        ),
        case(
            "an offset",
            "expr: node_cpu_usage > 0.9 and node_cpu_usage offset 2m > 0.9",
            (60, 60),
            vec![cpu("a", &[(2, low), (6, hot), (6, low)])],
        ),
        case(
            "bool and sums",
            "expr: sum by (pool) (node_cpu_usage > bool 0.9) >= 2",
            (60, 60),
            vec![
                cpu("a", &[(6, hot), (2, low)]),
                cpu("b", &[(2, low), (6, hot)]),
                of(Series::CpuUsage, "c", "q", &[(8, hot)]),
            ],
        ),
        case(
            "labels and templates",
            "expr: node_cpu_usage > 0.9\nlabels:\n  severity: page\n  who: '{{ $labels.node | toUpper }}'\nannotations:\n  text: '{{ printf \"%.2f\" $value }} {{ $value | humanizePercentage }} {{ humanizeDuration 3725.0 }} {{ 1234567.0 | humanize }}'",
            (60, 60),
            vec![cpu("a", &[(3, hot), (3, low), (2, Some(1.23456789))])],
        ),
        case(
            "states",
            "expr: node_forecast_state{state=\"DEMOTED\"} == 1\nfor: 1m",
            (60, 60),
            vec![
                of(Series::Demoted, "a", "p", &[(3, Some(0.0)), (4, Some(1.0)), (2, Some(0.0))]),
                of(Series::Ready, "a", "p", &[(3, Some(1.0)), (4, Some(0.0)), (2, Some(1.0))]),
            ],
        ),
        case(
            "the forecast and the quota",
            "expr: max by (node, pool) (node_forecast_peak{quantile=\"0.5\"}) > node_quota / node_base_quota",
            (60, 60),
            vec![
                of(Series::PeakP50, "a", "p", &[(2, Some(0.8)), (3, Some(1.3)), (2, Some(0.9))]),
                of(Series::PeakP90, "a", "p", &[(7, Some(2.0))]),
                of(Series::Quota, "a", "p", &[(4, Some(1200.0)), (3, Some(800.0))]),
                of(Series::BaseQuota, "a", "p", &[(7, Some(1000.0))]),
            ],
        ),
        case(
            "the age of a sample",
            "expr: time() - timestamp(node_cpu_usage) > 90",
            (30, 30),
            vec![cpu("a", &[(4, low), (5, None), (3, low), (14, None)])],
        ),
        case(
            "silence",
            "expr: time() - node_last_report_timestamp_seconds{node!=\"clock\"} > 120",
            (60, 30),
            vec![cpu("a", &[(8, low), (10, None), (8, low)])],
        ),
    ]
}

fn ratio() -> Vec<Samples> {
    let counter = |series, rise: fn(usize) -> f64| {
        let mut total = 0.0;
        let next = |at| {
            total += rise(at);
            Some(total)
        };
        Samples { series, node: "a", pool: "p", values: (0..60).map(next).collect() }
    };
    vec![
        counter(Series::RequestsTotal, |_| 100.0),
        counter(Series::RequestsFailedTotal, |at| if (20..30).contains(&at) { 6.0 } else { 1.0 }),
    ]
}

/// Rules that the made-up series are given to.
const RULES: [&str; 24] = [
    "expr: node_cpu_usage > 0.9\nfor: 5m",
    "expr: node_cpu_usage > 0.9\nfor: 90s\nkeep_firing_for: 2m",
    "expr: node_cpu_usage >= 0.7 and node_memory_usage > 0.5",
    "expr: node_cpu_usage > 0.9 or node_memory_usage > 0.95\nfor: 1m",
    "expr: node_cpu_usage > 0.8 unless node_memory_usage < 0.5",
    "expr: avg_over_time(node_cpu_usage[3m]) > 0.8",
    "expr: max_over_time(node_cpu_usage[2m]) - min_over_time(node_cpu_usage[2m]) > 0.3",
    "expr: rate(requests_total[2m]) > 1.5",
    "expr: increase(requests_failed_total[3m]) / increase(requests_total[3m]) > 0.3\nfor: 1m",
    "expr: sum by (pool) (rate(requests_total[1m])) > 3",
    "expr: avg by (pool) (node_cpu_usage) > 0.75\nfor: 2m",
    "expr: max by (pool) (node_cpu_usage) > 1.2",
    "expr: count by (pool) (node_cpu_usage > 0.9) > 1",
    "expr: min without (node) (node_memory_usage) < 0.1",
    "expr: node_cpu_usage / node_memory_usage > 2 and node_cpu_usage > 0.5",
    "expr: (node_cpu_usage - node_memory_usage) ^ 2 > bool 0.5 == 1",
    "expr: 0.95 < node_cpu_usage",
    "expr: -node_cpu_usage < -1",
    "expr: abs(node_cpu_usage - 0.6) > 0.35\nfor: 1m",
    "expr: node_cpu_usage > node_cpu_usage offset 1m + 0.3",
    "expr: rate(requests_total[5m]) * 60 < 100\nfor: 2m",
    "expr: increase(requests_total[90s] offset 30s) % 7 > 4",
    "expr: time() - timestamp(node_memory_usage) > 60",
    "expr: sum by (pool, node) (node_cpu_usage) + on_top > 1",
];

/// As many made-up cases as there are rules, of one seed.
pub(crate) fn made_up(seed: u64) -> Vec<Case> {
    let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
    let make = |(number, rule): (usize, &&str)| {
        let rule = rule.replace("on_top", "max by (node, pool) (node_memory_usage)");
        let step_s = [10, 15, 30, 60][random.below(4)];
        let every_s = step_s * [1, 2, 4][random.below(3)];
        let steps = 40 + random.below(60);
        let mut samples = Vec::new();
        for (node, pool) in [("a", "p"), ("b", "p"), ("c", "q"), ("d", "q")] {
            let missing = [0, 0, 10, 35][random.below(4)];
            for series in [Series::CpuUsage, Series::MemoryUsage] {
                samples.push(Samples { series, node, pool, values: random.load(steps, missing) });
            }
            for series in [Series::RequestsTotal, Series::RequestsFailedTotal] {
                samples.push(Samples { series, node, pool, values: random.counter(steps, missing, step_s) });
            }
        }
        Case { name: format!("made up {seed}/{number}"), rule, every_s, step_s, samples }
    };
    RULES.iter().enumerate().map(make).collect()
}

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        (self.0.next_u64() % limit as u64) as usize
    }

    /// Load that stays, jumps and flaps about the thresholds, with samples and whole stretches missing.
    fn load(&mut self, steps: usize, missing: usize) -> Vec<Option<f64>> {
        let (mut level, mut gone) = (0.6, 0_usize);
        (0..steps)
            .map(|_| {
                if self.below(100) < 12 {
                    level = [0.05, 0.5, 0.6, 0.88, 0.9, 0.92, 1.0, 1.3][self.below(8)];
                }
                if gone == 0 && missing > 0 && self.below(100) < 4 {
                    gone = self.below(30);
                }
                gone = gone.saturating_sub(1);
                let flap = (self.below(9) as f64 - 4.0) / 100.0;
                let value = ((level + flap).max(0.0) * 100.0).round() / 100.0;
                (gone == 0 && self.below(100) >= missing).then_some(value)
            })
            .collect()
    }

    /// A counter that is reset now and then.
    fn counter(&mut self, steps: usize, missing: usize, step_s: i64) -> Vec<Option<f64>> {
        let mut total = self.below(1000) as f64;
        (0..steps)
            .map(|_| {
                total = if self.below(100) < 5 {
                    self.below(20) as f64
                } else {
                    total + self.below(4 * step_s as usize) as f64
                };
                (self.below(100) >= missing).then_some(total)
            })
            .collect()
    }
}
