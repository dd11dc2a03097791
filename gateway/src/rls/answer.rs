//! A verdict as an answer. Pure.

use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitResponse;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::rate_limit::Unit;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus, RateLimit};
use envoy_types::pb::google::protobuf::Duration as ProtoDuration;
use tidegate_producers::admission::{POLICY, Verdict, allowance, limit, policy, retry_after, why};

/// The answer to a request of so many descriptors; each of them met the same limit.
pub(super) fn answer(verdict: &Verdict, descriptors: usize, cost: u32) -> RateLimitResponse {
    let code = if verdict.admitted { Code::Ok } else { Code::OverLimit };
    let status = DescriptorStatus {
        code: code.into(),
        current_limit: Some(current_limit(verdict.rate)),
        limit_remaining: verdict.remaining,
        duration_until_reset: verdict.full_in.map(proto_duration),
        quota: None,
    };
    RateLimitResponse {
        overall_code: code.into(),
        statuses: vec![status; descriptors],
        response_headers_to_add: headers(verdict),
        raw_body: if verdict.admitted { Vec::new() } else { format!("{}\n", why(verdict, cost)).into_bytes() },
        ..RateLimitResponse::default()
    }
}

fn current_limit(rate: f64) -> RateLimit {
    let (allowed, window) = allowance(rate);
    let unit = match window {
        1 => Unit::Second,
        60 => Unit::Minute,
        3_600 => Unit::Hour,
        _ => Unit::Day,
    };
    let requests_per_unit = u32::try_from(allowed).unwrap_or(u32::MAX);
    RateLimit { name: POLICY.to_owned(), requests_per_unit, unit: unit.into() }
}

/// For the response that Envoy gives to its client.
fn headers(verdict: &Verdict) -> Vec<HeaderValue> {
    let header = |key: &str, value| HeaderValue { key: key.to_owned(), value, ..HeaderValue::default() };
    let mut headers = vec![header("ratelimit-policy", policy(verdict)), header("ratelimit", limit(verdict))];
    headers.extend(retry_after(verdict).map(|seconds| header("retry-after", seconds)));
    headers
}

fn proto_duration(time: Duration) -> ProtoDuration {
    let nanos = i32::try_from(time.subsec_nanos()).unwrap_or(0);
    ProtoDuration { seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMITTED: Verdict = Verdict {
        admitted: true,
        remaining: 15,
        wait: Some(Duration::ZERO),
        full_in: Some(Duration::from_millis(250)),
        burst: 20,
        rate: 20.0,
    };

    #[test]
    fn an_admitted_request_is_told_its_limit_for_each_descriptor() {
        let told = answer(&ADMITTED, 2, 1);
        assert_eq!((told.overall_code(), told.statuses.len(), told.raw_body.len()), (Code::Ok, 2, 0));
        let status = &told.statuses[1];
        let limit = status.current_limit.as_ref().unwrap();
        assert_eq!((status.code(), status.limit_remaining), (Code::Ok, 15));
        assert_eq!((limit.name.as_str(), limit.requests_per_unit, limit.unit()), ("quota", 20, Unit::Second));
        assert_eq!(status.duration_until_reset, Some(ProtoDuration { seconds: 0, nanos: 250_000_000 }));
        let names: Vec<&str> = told.response_headers_to_add.iter().map(|header| header.key.as_str()).collect();
        assert_eq!(names, ["ratelimit-policy", "ratelimit"]);
    }

    #[test]
    fn a_denied_request_is_told_when_to_come_again() {
        let wait = Some(Duration::from_millis(1_250));
        let told = answer(&Verdict { admitted: false, remaining: 0, wait, ..ADMITTED }, 1, 5);
        assert_eq!((told.overall_code(), told.statuses[0].code()), (Code::OverLimit, Code::OverLimit));
        assert_eq!(told.raw_body, b"the quota of 20 requests/s is used up; try again in 2 s\n");
        let retry = told.response_headers_to_add.last().unwrap();
        assert_eq!((retry.key.as_str(), retry.value.as_str()), ("retry-after", "2"));
    }

    #[test]
    fn the_unit_follows_the_rate() {
        let of = |rate| {
            let limit = current_limit(rate);
            (limit.requests_per_unit, limit.unit())
        };
        assert_eq!(of(2.5), (150, Unit::Minute));
        assert_eq!(of(0.01), (36, Unit::Hour));
        assert_eq!(of(0.001), (86, Unit::Day));
        assert_eq!(of(1e12), (u32::MAX, Unit::Second));
    }
}
