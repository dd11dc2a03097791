//! The stream of one data plane.
//!
//! ```text
//! message ─ a free slot? ─ usage of each bucket ─> load reports ─> Kafka ─> slot free
//!                 └ a bucket that is new: watched from here on; the base quota until it has a command
//! command ─> assignment          every 30 s ─> idle buckets abandoned
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use envoy_types::pb::envoy::service::rate_limit_quota::v3::rate_limit_quota_response::BucketAction;
use envoy_types::pb::envoy::service::rate_limit_quota::v3::{RateLimitQuotaResponse, RateLimitQuotaUsageReports};
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_schemas::{CatalogueIds, Decoder};
use tokio::sync::{Semaphore, mpsc};
use tonic::{Status, Streaming};

use super::Shared;
use super::held::Held;
use super::usage::{Keys, domain, usage};
use crate::clock::now_ms;
use crate::proto::QuotaUpdate;
use crate::server::board::Watcher;
use crate::server::drain::{Draining, move_on};
use crate::server::security::Peer;

/// Between two looks for idle buckets.
const LOOK: Duration = Duration::from_secs(30);
/// How long a stream waits for the topic's history.
const HISTORY_PATIENCE: Duration = Duration::from_secs(5);

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    shared: Arc<Shared>,
    peer: Peer,
    answers: mpsc::Sender<Result<RateLimitQuotaResponse, Status>>,
    draining: Draining,
    domain: Option<String>,
    buckets: HashMap<Keys, Held>,
    watcher: Watcher,
    decoder: Decoder,
}

impl Stream {
    pub(super) fn new(
        shared: Arc<Shared>,
        peer: Peer,
        answers: mpsc::Sender<Result<RateLimitQuotaResponse, Status>>,
        draining: Draining,
    ) -> Self {
        let watcher = shared.board.watch(Vec::new());
        let decoder = Decoder::new(Arc::new(CatalogueIds));
        Self { shared, peer, answers, draining, domain: None, buckets: HashMap::new(), watcher, decoder }
    }

    /// Serves it to its end.
    pub(super) async fn serve(mut self, messages: Streaming<RateLimitQuotaUsageReports>) {
        // Of the history only the newest counts, so it is read to its end first.
        drop(tokio::time::timeout(HISTORY_PATIENCE, self.shared.board.caught_up()).await);
        if let Err(status) = self.serve_all(messages).await {
            // Nobody hears it where the data plane has gone.
            drop(self.answers.send(Err(status)).await);
        }
        let mut usage = self.shared.usage();
        self.buckets.values().for_each(|held| usage.leave(held.plane, &held.bucket.node_id));
    }

    async fn serve_all(&mut self, mut messages: Streaming<RateLimitQuotaUsageReports>) -> Result<(), Status> {
        let slots = Arc::new(Semaphore::new(self.shared.limits.in_flight));
        let mut look = tokio::time::interval(LOOK);
        loop {
            let actions = tokio::select! {
                message = messages.message(), if slots.available_permits() > 0 => {
                    let Some(message) = message? else { return Ok(()) };
                    let slot = Arc::clone(&slots).acquire_owned().await.map_err(|_| move_on())?;
                    let (reports, actions) = self.used(message)?;
                    let loads = Arc::clone(&self.shared.loads);
                    // It goes on where the stream has broken.
                    tokio::spawn(async move {
                        if let Err(why) = loads.publish(reports).await {
                            tracing::warn!("usage did not reach Kafka: {why}");
                        }
                        drop(slot);
                    });
                    actions
                }
                update = self.watcher.next() => self.told(&update),
                _ = look.tick() => self.abandoned(),
                // So that a full house is looked at again once a slot is free.
                permit = slots.acquire(), if slots.available_permits() == 0 => { drop(permit); Vec::new() }
                () = self.draining.began() => return Err(move_on()),
                () = self.answers.closed() => return Ok(()),
            };
            let answer = RateLimitQuotaResponse { bucket_action: actions };
            if !answer.bucket_action.is_empty() && self.answers.send(Ok(answer)).await.is_err() {
                return Ok(());
            }
        }
    }

    /// Takes a message; gives the load reports of it, and what its buckets are told.
    fn used(&mut self, message: RateLimitQuotaUsageReports) -> Result<(Vec<LoadReport>, Vec<BucketAction>), Status> {
        let (now, domain) = (now_ms(), domain(self.domain.as_deref(), &message.domain)?);
        let (mut reports, mut actions, shared) = (Vec::new(), Vec::new(), Arc::clone(&self.shared));
        for one in message.bucket_quota_usages {
            let (keys, report) = usage(one)?;
            let Some(held) = self.held(&domain, &keys, now)? else { continue };
            let mut usage = shared.usage();
            if let Some(report) = held.used(report, now) {
                reports.push(usage.take(held.plane, &held.bucket, report, held.quota(now), now));
            }
            let planes = usage.planes(&held.bucket.node_id);
            drop(usage);
            // A command that is held comes by the watcher.
            if !shared.board.has(held.bucket.node_id.as_bytes()) {
                actions.extend(held.default(planes, now));
            }
        }
        self.domain = Some(domain);
        Ok((reports, actions))
    }

    /// The bucket, which is watched from its first report on; `None` where no mapping knows it.
    fn held(&mut self, domain: &str, keys: &Keys, now: i64) -> Result<Option<&mut Held>, Status> {
        if !self.buckets.contains_key(keys) {
            let pairs = keys.iter().map(|(key, value)| (&key[..], &value[..]));
            let Some(bucket) = self.shared.mapping.bucket(domain, pairs) else {
                self.shared.metrics.refuse("bucket");
                return Ok(None);
            };
            let most = self.shared.limits.nodes;
            if self.buckets.len() == most {
                self.shared.metrics.refuse("nodes");
                return Err(Status::resource_exhausted(format!("a stream has at most {most} buckets")));
            }
            self.shared.intake.admit(&self.peer, std::iter::once(bucket.node_id.as_bytes()))?;
            self.watcher.add(bucket.node_id.clone().into());
            self.buckets.insert(keys.clone(), Held::new(keys.clone(), bucket, self.shared.plane(), now));
        }
        Ok(self.buckets.get_mut(keys))
    }

    /// What a command says to the buckets of its node.
    fn told(&mut self, update: &QuotaUpdate) -> Vec<BucketAction> {
        let Ok(command) = self.decoder.decode::<QuotaCommand>(&update.value) else {
            tracing::warn!("a quota command of {} cannot be read", String::from_utf8_lossy(&update.key));
            return Vec::new();
        };
        let planes = self.shared.usage().planes(&command.node_id);
        let (now, of_node) = (now_ms(), |held: &&mut Held| held.bucket.node_id == command.node_id);
        let tell = |held: &mut Held| {
            let told = held.told(&command, update.kept, planes, now);
            told.or_else(|| held.default(planes, now))
        };
        self.buckets.values_mut().filter(of_node).filter_map(tell).collect()
    }

    /// Idle buckets are forgotten on both sides.
    fn abandoned(&mut self) -> Vec<BucketAction> {
        let (now, shared) = (now_ms(), Arc::clone(&self.shared));
        let mut actions = Vec::new();
        self.buckets.retain(|_, held| {
            let Some(action) = held.abandoned(now) else { return true };
            actions.push(action);
            shared.usage().leave(held.plane, &held.bucket.node_id);
            false
        });
        actions
    }
}
