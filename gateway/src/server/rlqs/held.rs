//! What a stream knows of one bucket, and what its data plane is to be told. Pure; time is an argument.

use envoy_types::pb::envoy::service::rate_limit_quota::v3::BucketId;
use envoy_types::pb::envoy::service::rate_limit_quota::v3::rate_limit_quota_response::BucketAction;
use envoy_types::pb::envoy::service::rate_limit_quota::v3::rate_limit_quota_response::bucket_action::{
    AbandonAction, BucketAction as Action,
};
use tidegate_samples::buckets::{Bucket, Report};
use tidegate_schemas::records::{QuotaCommand, QuotaMode};

use super::assignment::assignment;
use super::usage::Keys;

/// How long the base quota holds for a bucket that has no command yet.
const DEFAULT_TTL_MS: i64 = 300_000;
/// A bucket without requests for so long is abandoned.
const IDLE_MS: i64 = 600_000;

/// A bucket of a stream.
#[derive(Debug)]
pub(super) struct Held {
    keys: Keys,
    pub(super) bucket: Bucket,
    /// Its name in the usage of all streams.
    pub(super) plane: u64,
    /// Quota and sequence of the newest command, and when its lease ends.
    command: Option<(f64, i64, i64)>,
    /// When the default ends, where it was assigned.
    default_until_ms: i64,
    used_ms: i64,
    /// Requests of reports that had no time.
    early: (u64, u64),
}

impl Held {
    pub(super) fn new(keys: Keys, bucket: Bucket, plane: u64, now_ms: i64) -> Self {
        Self { keys, bucket, plane, command: None, default_until_ms: i64::MIN, used_ms: now_ms, early: (0, 0) }
    }

    /// Its usage came; the report that is to be counted, if it is one.
    pub(super) fn used(&mut self, report: Report, now_ms: i64) -> Option<Report> {
        if report.allowed > 0 || report.denied > 0 {
            self.used_ms = now_ms;
        }
        if report.elapsed_ms == 0 {
            self.early = (self.early.0.saturating_add(report.allowed), self.early.1.saturating_add(report.denied));
            return None;
        }
        let (allowed, denied) = std::mem::take(&mut self.early);
        let allowed = report.allowed.saturating_add(allowed);
        Some(Report { allowed, denied: report.denied.saturating_add(denied), ..report })
    }

    /// The quota that its data plane holds, and the command behind it.
    pub(super) fn quota(&self, now_ms: i64) -> Option<(f64, i64)> {
        self.command.filter(|(_, _, until)| *until > now_ms).map(|(quota, sequence, _)| (quota, sequence))
    }

    /// What a command says to this bucket; `None` where it is old or over. `planes` share the quota.
    pub(super) fn told(
        &mut self,
        command: &QuotaCommand,
        kept: bool,
        planes: usize,
        now_ms: i64,
    ) -> Option<BucketAction> {
        if self.command.is_some_and(|(_, sequence, _)| sequence >= command.sequence) {
            return None;
        }
        // As edges count it: a fresh command lives its whole lease, whatever the clocks say; an old one what is left of it.
        let lease_ms = command.valid_until.saturating_sub(command.timestamp);
        let left_ms = if kept { command.valid_until.saturating_sub(now_ms).min(lease_ms) } else { lease_ms };
        if left_ms <= 0 {
            return None;
        }
        let quota = match command.mode {
            QuotaMode::Enforce => command.quota,
            QuotaMode::Recommend => self.bucket.base_quota,
        };
        self.command = Some((quota, command.sequence, now_ms.saturating_add(left_ms)));
        Some(self.assigned(quota / planes as f64, left_ms))
    }

    /// The base quota, where no command holds and the last default is half over.
    pub(super) fn default(&mut self, planes: usize, now_ms: i64) -> Option<BucketAction> {
        if self.quota(now_ms).is_some() || self.default_until_ms.saturating_sub(now_ms) > DEFAULT_TTL_MS / 2 {
            return None;
        }
        self.default_until_ms = now_ms.saturating_add(DEFAULT_TTL_MS);
        Some(self.assigned(self.bucket.base_quota / planes as f64, DEFAULT_TTL_MS))
    }

    /// The word to forget it, where it was idle for long.
    pub(super) fn abandoned(&self, now_ms: i64) -> Option<BucketAction> {
        let is_idle = now_ms.saturating_sub(self.used_ms) >= IDLE_MS;
        is_idle.then(|| self.action(Action::AbandonAction(AbandonAction {})))
    }

    fn assigned(&self, quota: f64, ttl_ms: i64) -> BucketAction {
        self.action(Action::QuotaAssignmentAction(assignment(quota, self.bucket.strategy, ttl_ms)))
    }

    fn action(&self, action: Action) -> BucketAction {
        let bucket = self.keys.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        BucketAction { bucket_id: Some(BucketId { bucket }), bucket_action: Some(action) }
    }
}

#[cfg(test)]
mod tests {
    use tidegate_samples::buckets::Strategy;

    use super::*;

    const NOW: i64 = 1_767_571_200_000;

    fn held() -> Held {
        let keys = Keys::from([("name".into(), "cart".into()), ("env".into(), "prod".into())]);
        let strategy = Strategy::RequestsPerTimeUnit;
        let bucket = Bucket { node_id: "shop/cart".into(), pool: String::new(), base_quota: 200.0, strategy };
        Held::new(keys, bucket, 1, NOW)
    }

    /// Its usage comes every half minute.
    fn report(allowed: u64, denied: u64) -> Report {
        Report { elapsed_ms: 30_000, allowed, denied }
    }

    #[test]
    fn a_bucket_without_requests_for_ten_minutes_is_abandoned_by_its_whole_id() {
        let held = held();
        assert_eq!(held.abandoned(NOW + IDLE_MS - 1), None);
        let told = held.abandoned(NOW + IDLE_MS).unwrap();
        assert_eq!(told.bucket_action, Some(Action::AbandonAction(AbandonAction {})));
        let id = told.bucket_id.unwrap().bucket;
        assert_eq!((id.len(), &*id["name"], &*id["env"]), (2, "cart", "prod"));
    }

    #[test]
    fn requests_keep_a_bucket_denied_ones_too_and_reports_of_none_do_not() {
        let mut held = held();
        held.used(report(0, 1), NOW + 300_000);
        assert_eq!(held.abandoned(NOW + 300_000 + IDLE_MS - 1), None);
        held.used(report(1, 0), NOW + 600_000);
        for half_minutes in 1..20 {
            let now = NOW + 600_000 + half_minutes * 30_000;
            held.used(report(0, 0), now);
            assert_eq!(held.abandoned(now), None, "{half_minutes}");
        }
        assert!(held.abandoned(NOW + 600_000 + IDLE_MS).is_some());
    }

    #[test]
    fn a_bucket_that_comes_back_begins_anew_with_the_default() {
        let mut one = held();
        assert!(one.default(1, NOW).is_some() && one.default(1, NOW + 1).is_none());
        assert!(one.abandoned(NOW + IDLE_MS).is_some());
        let told = held().default(1, NOW + IDLE_MS).unwrap().bucket_action.unwrap();
        assert!(matches!(told, Action::QuotaAssignmentAction(_)), "{told:?}");
    }
}
