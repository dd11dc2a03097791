use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn bucket(rate: f64) -> Bucket {
    let mut bucket = Bucket::new(SECOND);
    bucket.set_rate(rate, Duration::ZERO);
    bucket
}

/// How many single requests of `asked` are let through at one moment.
fn taken(bucket: &mut Bucket, asked: u32, at: Duration) -> usize {
    (0..asked).filter(|_| bucket.take(1, at).admitted).count()
}

#[test]
fn a_bucket_begins_empty_fills_at_its_rate_and_holds_what_its_window_gives() {
    let mut bucket = bucket(20.0);
    let first = bucket.take(1, Duration::ZERO);
    assert_eq!((first.admitted, first.remaining, first.burst), (false, 0, 20));
    assert_eq!((first.wait, first.full_in), (Some(50 * MS), Some(SECOND)));
    assert_eq!(taken(&mut bucket, 9, 99 * MS), 1);
    assert_eq!(taken(&mut bucket, 9, 100 * MS), 1);
    assert_eq!(taken(&mut bucket, 99, 60 * SECOND), 20, "an hour of rest gives no more than a full bucket");
    assert_eq!(bucket.take(1, 60 * SECOND).wait, Some(50 * MS));
}

#[test]
fn a_full_bucket_holds_what_the_rate_gives_in_the_window() {
    let burst = |rate, window_ms| {
        let mut bucket = Bucket::new(Duration::from_millis(window_ms));
        bucket.set_rate(rate, Duration::ZERO);
        bucket.take(0, Duration::ZERO).burst
    };
    assert_eq!((burst(60.0, 1_000), burst(60.0, 500), burst(0.7 * 300.0, 1_000)), (60, 30, 210));
    assert_eq!((burst(0.5, 1_000), burst(2.9, 1_000), burst(1e9, u64::MAX)), (1, 2, MOST));
}

#[test]
fn a_rate_whose_period_is_no_whole_number_of_nanoseconds_gives_no_request_too_many() {
    let rate = 600_000.0;
    let mut bucket = bucket(rate);
    let mut through = 0;
    for tick in 1..=20 {
        while bucket.take(100, tick * 500 * MS).admitted {
            through += 100;
        }
    }
    assert!((5_990_000..=6_000_000).contains(&through), "{through} in 10 s");
}

#[test]
fn a_cost_is_taken_whole_or_not_at_all() {
    let mut bucket = bucket(10.0);
    let at = 10 * SECOND;
    let verdict = bucket.take(7, at);
    assert_eq!((verdict.admitted, verdict.remaining, verdict.wait), (true, 3, Some(Duration::ZERO)));
    assert_eq!(verdict.full_in, Some(700 * MS));
    let verdict = bucket.take(5, at);
    assert_eq!((verdict.admitted, verdict.remaining, verdict.wait), (false, 3, Some(200 * MS)));
    assert!(bucket.take(5, at + 200 * MS).admitted);
    let verdict = bucket.take(0, at + 200 * MS);
    assert_eq!((verdict.admitted, verdict.remaining), (false, 0), "no cost asks for one and takes none");
    assert!(bucket.take(0, at + 300 * MS).admitted && bucket.take(1, at + 300 * MS).admitted);
    for cost in [11, u32::MAX] {
        let verdict = bucket.take(cost, 99 * SECOND);
        assert_eq!((verdict.admitted, verdict.wait), (false, None), "{cost} never fits");
    }
}

#[test]
fn another_rate_is_in_force_at_once_and_the_level_stays() {
    let mut bucket = bucket(100.0);
    let at = 5 * SECOND;
    assert_eq!(taken(&mut bucket, 30, at), 30);
    bucket.set_rate(50.0, at);
    assert_eq!(bucket.take(0, at).remaining, 50, "what it held, as far as the smaller bucket holds it");
    assert_eq!(taken(&mut bucket, 99, at), 50);
    bucket.set_rate(200.0, at);
    assert_eq!(taken(&mut bucket, 99, at), 0, "a larger bucket is not a fuller one");
    assert_eq!(taken(&mut bucket, 99, at + 100 * MS), 20);
    bucket.set_rate(0.0, at + 200 * MS);
    let verdict = bucket.take(1, at + 60 * SECOND);
    assert_eq!((verdict.admitted, verdict.wait, verdict.full_in, verdict.rate), (false, None, None, 0.0));
    bucket.set_rate(10.0, at + 60 * SECOND);
    assert_eq!(taken(&mut bucket, 99, at + 60 * SECOND), 0, "time at rate 0 gave nothing");
}

#[test]
fn what_is_given_back_fills_the_bucket_and_never_more() {
    let mut bucket = bucket(10.0);
    let at = 10 * SECOND;
    assert!(bucket.take(8, at).admitted);
    bucket.give_back(5, at);
    assert_eq!(bucket.take(0, at).remaining, 7);
    bucket.give_back(u32::MAX, at);
    assert_eq!(taken(&mut bucket, 99, at), 10);
}

#[test]
fn rates_that_are_none_and_times_that_go_back_are_survived() {
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, f64::MIN_POSITIVE] {
        let mut bucket = bucket(rate);
        assert!(!bucket.take(1, 1_000_000 * SECOND).admitted, "{rate}");
    }
    let mut slow = Bucket::new(Duration::MAX);
    slow.set_rate(2e-6, Duration::ZERO);
    assert!(!slow.take(1, 499_999 * SECOND).admitted && slow.take(1, 500_001 * SECOND).admitted);
    let mut fast = Bucket::new(Duration::MAX);
    fast.set_rate(f64::MAX, Duration::ZERO);
    assert!(fast.take(1_000_000, SECOND).admitted);
    let mut back = bucket(1.0);
    assert!(back.take(1, 9 * SECOND).admitted);
    assert!(!back.take(1, SECOND).admitted);
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Rate(f64),
    /// The same quota again, as every renewal of a lease brings it.
    Renew,
    Ask(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rate = prop_oneof![Just(0.0), 0.1..10.0f64, 10.0..5_000.0f64];
    let step = prop_oneof![
        3 => (0..2_000_000_000u64).prop_map(Step::Wait),
        1 => rate.prop_map(Step::Rate),
        1 => Just(Step::Renew),
        4 => (1..40u32).prop_map(Step::Ask),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn over_any_span_no_more_is_let_through_than_the_rates_gave_and_the_bucket_held(
        steps in steps(), window_ms in 1..5_000u64, first in 1.0..1_000.0f64,
    ) {
        let mut bucket = Bucket::new(Duration::from_millis(window_ms));
        let (mut now, mut rate) = (Duration::ZERO, first);
        bucket.set_rate(rate, now);
        // What was given and let through up to each moment, and what the bucket could hold then.
        let (mut given, mut through) = (0.0, 0.0);
        let mut moments = Vec::new();
        for step in steps {
            moments.push((given, through, f64::from(bucket.take(0, now).burst)));
            match step {
                Step::Wait(ns) => {
                    now += Duration::from_nanos(ns);
                    given += rate * ns as f64 / 1e9;
                }
                Step::Rate(other) => {
                    rate = other;
                    bucket.set_rate(rate, now);
                }
                Step::Renew => bucket.set_rate(rate, now),
                Step::Ask(cost) => through += if bucket.take(cost, now).admitted { f64::from(cost) } else { 0.0 },
            }
            for (given_then, through_then, held) in &moments {
                let (gave, let_through) = (given - given_then, through - through_then);
                prop_assert!(let_through <= gave + held + 1e-6, "{let_through} of {gave} and {held}");
            }
        }
    }

    #[test]
    fn who_always_asks_gets_the_whole_rate_also_over_renewals(rate in 50.0..1_000.0f64, tick_ms in 1..50u64) {
        let mut bucket = bucket(rate);
        let mut through = 0;
        for tick in 1..=200u64 {
            let now = Duration::from_millis(tick * tick_ms);
            bucket.set_rate(rate, now);
            while bucket.take(1, now).admitted {
                through += 1;
            }
        }
        let gave = rate * (200 * tick_ms) as f64 / 1000.0;
        prop_assert!(f64::from(through) >= gave * 0.999 - 1.0, "{through} of {gave}");
    }
}
