//! What a message of a data plane says, checked by the rules of its proto. Pure.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::service::rate_limit_quota::v3::rate_limit_quota_usage_reports::BucketQuotaUsage;
use tidegate_samples::buckets::Report;
use tonic::Status;

/// A bucket's keys and values, in one order.
pub(super) type Keys = BTreeMap<String, String>;
/// No interval of reports is longer.
const LONGEST_S: i64 = 86_400;

/// The domain of a stream: its first message's, and no other one's after that.
pub(super) fn domain(known: Option<&str>, said: &str) -> Result<String, Status> {
    match known {
        None if said.is_empty() => Err(Status::invalid_argument("the first report wants a domain")),
        None => Ok(said.to_owned()),
        Some(known) if said.is_empty() || said == known => Ok(known.to_owned()),
        Some(known) => {
            let said = format!("this stream is of domain {known:?}; open another one for {said:?}");
            Err(Status::invalid_argument(said))
        }
    }
}

/// A bucket, and its usage. The first report of a bucket may have no time yet: then `elapsed_ms` is 0.
pub(super) fn usage(of: BucketQuotaUsage) -> Result<(Keys, Report), Status> {
    let keys: Keys = of.bucket_id.map(|id| id.bucket.into_iter().collect()).unwrap_or_default();
    if keys.is_empty() || keys.iter().any(|(key, value)| key.is_empty() || value.is_empty()) {
        return Err(Status::invalid_argument("a bucket id wants keys and values that are not empty"));
    }
    let elapsed = of.time_elapsed.unwrap_or_default();
    if !(0..=LONGEST_S).contains(&elapsed.seconds) || elapsed.nanos < 0 {
        return Err(Status::invalid_argument("the time elapsed wants to be between 0 and a day"));
    }
    let elapsed_ms = elapsed.seconds * 1000 + i64::from(elapsed.nanos) / 1_000_000;
    Ok((keys, Report { elapsed_ms, allowed: of.num_requests_allowed, denied: of.num_requests_denied }))
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::rate_limit_quota::v3::BucketId;
    use envoy_types::pb::google::protobuf::Duration;

    use super::*;

    #[test]
    fn a_stream_has_one_domain() {
        assert_eq!(domain(None, "shop").unwrap(), "shop");
        assert_eq!(
            (domain(Some("shop"), "").unwrap(), domain(Some("shop"), "shop").unwrap()),
            ("shop".into(), "shop".into())
        );
        assert!(domain(None, "").is_err() && domain(Some("shop"), "blog").is_err());
    }

    #[test]
    fn usage_that_breaks_the_rules_is_refused() {
        let of = |pairs: &[(&str, &str)], elapsed: Option<(i64, i32)>| {
            let bucket = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            usage(BucketQuotaUsage {
                bucket_id: Some(BucketId { bucket }),
                time_elapsed: elapsed.map(|(seconds, nanos)| Duration { seconds, nanos }),
                num_requests_allowed: 3,
                num_requests_denied: 1,
            })
        };
        let (keys, report) = of(&[("name", "a")], Some((1, 500_000_000))).unwrap();
        assert_eq!((keys.len(), report), (1, Report { elapsed_ms: 1500, allowed: 3, denied: 1 }));
        assert_eq!(of(&[("name", "a")], None).unwrap().1.elapsed_ms, 0);
        for (pairs, elapsed) in [
            (&[][..], Some((1, 0))),
            (&[("name", "")][..], Some((1, 0))),
            (&[("", "a")][..], Some((1, 0))),
            (&[("name", "a")][..], Some((-1, 0))),
            (&[("name", "a")][..], Some((i64::MAX, 0))),
            (&[("name", "a")][..], Some((0, -1))),
        ] {
            assert!(of(pairs, elapsed).is_err(), "{pairs:?} {elapsed:?}");
        }
    }
}
