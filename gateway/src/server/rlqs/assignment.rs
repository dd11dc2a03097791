//! A quota as Envoy takes it: so many requests in a unit of time, or a token bucket, for so long. Pure.

use envoy_types::pb::envoy::service::rate_limit_quota::v3::rate_limit_quota_response::bucket_action::QuotaAssignmentAction;
use envoy_types::pb::envoy::r#type::v3::rate_limit_strategy::{RequestsPerTimeUnit, Strategy as Kind};
use envoy_types::pb::envoy::r#type::v3::{RateLimitStrategy, RateLimitUnit, TokenBucket};
use envoy_types::pb::google::protobuf::{Duration, UInt32Value};
use tidegate_samples::buckets::Strategy;

/// From this quota on (requests/s) whole requests a second are exact enough.
const BY_THE_SECOND: f64 = 100.0;

/// The assignment of a quota in requests/s.
pub(super) fn assignment(quota: f64, strategy: Strategy, ttl_ms: i64) -> QuotaAssignmentAction {
    let kind = match strategy {
        Strategy::RequestsPerTimeUnit => {
            let (unit, seconds) =
                if quota < BY_THE_SECOND { (RateLimitUnit::Minute, 60.0) } else { (RateLimitUnit::Second, 1.0) };
            // What is above 0 denies not all.
            let requests_per_time_unit = ((quota * seconds).round() as u64).max(u64::from(quota > 0.0));
            Kind::RequestsPerTimeUnit(RequestsPerTimeUnit { requests_per_time_unit, time_unit: unit.into() })
        }
        Strategy::TokenBucket => Kind::TokenBucket(bucket(quota)),
    };
    QuotaAssignmentAction {
        assignment_time_to_live: Some(duration(ttl_ms.max(0) as f64 / 1000.0)),
        rate_limit_strategy: Some(RateLimitStrategy { strategy: Some(kind) }),
    }
}

/// A bucket that holds about a second, and fills at the quota.
fn bucket(quota: f64) -> TokenBucket {
    if quota <= 0.0 {
        return TokenBucket { max_tokens: 0, tokens_per_fill: None, fill_interval: Some(duration(1.0)) };
    }
    let tokens = (quota.round() as u32).max(1);
    TokenBucket {
        max_tokens: tokens,
        tokens_per_fill: Some(UInt32Value { value: tokens }),
        fill_interval: Some(duration(f64::from(tokens) / quota)),
    }
}

fn duration(seconds: f64) -> Duration {
    let nanos = (seconds.fract() * 1e9) as i32;
    Duration { seconds: seconds as i64, nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(quota: f64) -> (u64, i32) {
        let of = assignment(quota, Strategy::RequestsPerTimeUnit, 1000).rate_limit_strategy.unwrap().strategy;
        let Some(Kind::RequestsPerTimeUnit(of)) = of else { panic!("{of:?}") };
        (of.requests_per_time_unit, of.time_unit)
    }

    #[test]
    fn small_quotas_are_by_the_minute() {
        let (second, minute) = (i32::from(RateLimitUnit::Second), i32::from(RateLimitUnit::Minute));
        assert_eq!((requests(140.4), requests(1.51)), ((140, second), (91, minute)));
        assert_eq!((requests(0.001), requests(0.0)), ((1, minute), (0, minute)));
    }

    #[test]
    fn a_token_bucket_fills_at_the_quota() {
        for quota in [0.3, 1.0, 2.5, 120.0, 1e6] {
            let bucket = bucket(quota);
            let interval = bucket.fill_interval.unwrap();
            let seconds = interval.seconds as f64 + f64::from(interval.nanos) * 1e-9;
            let rate = f64::from(bucket.tokens_per_fill.unwrap().value) / seconds;
            assert!((rate / quota - 1.0).abs() < 1e-6, "{quota}: {rate}");
        }
        assert_eq!(bucket(0.0).max_tokens, 0);
        let lease = assignment(1.0, Strategy::TokenBucket, 1_500).assignment_time_to_live.unwrap();
        assert_eq!((lease.seconds, lease.nanos), (1, 500_000_000));
    }
}
