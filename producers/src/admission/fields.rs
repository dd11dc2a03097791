//! A verdict as fields of an HTTP answer: `RateLimit-Policy`, `RateLimit` and `Retry-After`. Pure.
//!
//! Source: draft-ietf-httpapi-ratelimit-headers-11 (May 2026); its two fields are lists of RFC 9651 structured fields. A token
//! bucket has no window that ends, so the effective window is the time in which the rate gives what is available: at that pace
//! a client is never denied.

use std::time::Duration;

use super::bucket::Verdict;

/// Name of the policy, and of the limit under it.
pub const POLICY: &str = "quota";
/// Windows in which a rate may be told, s: the first that holds ten requests or more, so that whole numbers tell it well.
const WINDOWS_S: [u32; 3] = [1, 60, 3_600];
const DAY_S: u32 = 86_400;
/// Largest integer of a structured field.
const MOST: f64 = 999_999_999_999_999.0;

/// What a rate allows in a window, in whole requests, and that window in seconds.
#[must_use]
pub fn allowance(rate: f64) -> (u64, u32) {
    let enough = |window: &u32| rate * f64::from(*window) >= 10.0;
    let window = WINDOWS_S.into_iter().find(enough).unwrap_or(DAY_S);
    ((rate * f64::from(window)).floor().min(MOST) as u64, window)
}

/// Value of `RateLimit-Policy`: what the quota allows in a window, and what may come at once.
#[must_use]
pub fn policy(verdict: &Verdict) -> String {
    let (allowed, window) = allowance(verdict.rate);
    format!("\"{POLICY}\";q={allowed};w={window};tidegate-burst={}", verdict.burst)
}

/// Value of `RateLimit`: what is available now, and over which time. Where waiting does not help there is no time.
#[must_use]
pub fn limit(verdict: &Verdict) -> String {
    let available = format!("\"{POLICY}\";r={}", verdict.remaining);
    let window = match verdict.wait {
        None => return available,
        Some(Duration::ZERO) => {
            let pace = f64::from(verdict.remaining) / verdict.rate;
            Duration::try_from_secs_f64(pace).map_or(1, whole_seconds)
        }
        Some(wait) => whole_seconds(wait),
    };
    format!("{available};t={window}")
}

/// Why a request of this cost was denied, in one sentence.
#[must_use]
pub fn why(verdict: &Verdict, cost: u32) -> String {
    let rate = (verdict.rate * 100.0).round() / 100.0;
    match verdict.wait {
        Some(wait) => {
            let seconds = whole_seconds(wait);
            format!("the quota of {rate} requests/s is used up; try again in {seconds} s")
        }
        None if verdict.burst == 0 => "the quota lets no request through".to_owned(),
        None => format!("it counts as {cost} requests, and at most {} may come at once", verdict.burst),
    }
}

/// Value of `Retry-After` of a denied request; `None` where waiting does not help. It ends with the window of [`limit`].
#[must_use]
pub fn retry_after(verdict: &Verdict) -> Option<String> {
    verdict.wait.filter(|_| !verdict.admitted).map(|wait| whole_seconds(wait).to_string())
}

/// Rounded up, at least 1.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::super::bucket::Bucket;
    use super::*;

    fn verdict(rate: f64, taken: u32, cost: u32) -> Verdict {
        let (mut bucket, at) = (Bucket::new(Duration::from_secs(10)), Duration::from_secs(1_000_000));
        bucket.set_rate(rate, Duration::ZERO);
        (0..taken).for_each(|_| assert!(bucket.take(1, at).admitted));
        bucket.take(cost, at)
    }

    #[test]
    fn an_admitted_request_is_told_what_is_left_and_the_pace_of_it() {
        let verdict = verdict(20.0, 0, 1);
        assert_eq!(policy(&verdict), "\"quota\";q=20;w=1;tidegate-burst=200");
        assert_eq!(limit(&verdict), "\"quota\";r=199;t=10");
        assert_eq!(retry_after(&verdict), None);
    }

    #[test]
    fn a_denied_request_is_told_when_to_come_again() {
        let denied = verdict(20.0, 200, 1);
        assert_eq!((limit(&denied).as_str(), retry_after(&denied).as_deref()), ("\"quota\";r=0;t=1", Some("1")));
        let denied = verdict(20.0, 150, 75);
        assert_eq!((limit(&denied).as_str(), retry_after(&denied).as_deref()), ("\"quota\";r=50;t=2", Some("2")));
        assert_eq!(why(&denied, 75), "the quota of 20 requests/s is used up; try again in 2 s");
        let never = verdict(20.0, 0, 201);
        assert_eq!(why(&never, 201), "it counts as 201 requests, and at most 200 may come at once");
        assert_eq!((limit(&never).as_str(), retry_after(&never)), ("\"quota\";r=200", None));
    }

    #[test]
    fn small_rates_are_told_over_longer_windows_and_none_as_none() {
        assert_eq!(policy(&verdict(2.5, 0, 1)), "\"quota\";q=150;w=60;tidegate-burst=25");
        assert_eq!(policy(&verdict(0.01, 0, 1)), "\"quota\";q=36;w=3600;tidegate-burst=1");
        assert_eq!(policy(&verdict(0.001, 0, 1)), "\"quota\";q=86;w=86400;tidegate-burst=1");
        let closed = verdict(0.0, 0, 1);
        assert_eq!(policy(&closed), "\"quota\";q=0;w=86400;tidegate-burst=0");
        assert_eq!((limit(&closed).as_str(), retry_after(&closed)), ("\"quota\";r=0", None));
        assert_eq!(why(&closed, 1), "the quota lets no request through");
    }
}
