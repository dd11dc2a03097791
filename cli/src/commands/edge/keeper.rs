//! Keeps the edge's state and tells the world of it: whatever happens goes through `update`, which brings the clock, and
//! compares what was in force with what is.
//!
//! ```text
//! command, report, time ─> update ─> EdgeState ─ moved? ─> log, metrics, quota file, cache, enforcement
//! ```

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tidegate_producers::edge::{Applied, CacheFile, EdgeMetrics, EdgeState, Heard, InForce, Moment, QuotaFile, Source};
use tidegate_schemas::records::{LoadReport, QuotaCommand};

use super::enforcement::Enforcement;

/// The state with all that follows it.
pub(super) struct Keeper {
    state: Mutex<EdgeState>,
    metrics: EdgeMetrics,
    file: Option<QuotaFile>,
    cache: Option<CacheFile>,
    enforcement: Enforcement,
    began: Instant,
    restored: bool,
    /// Whether a file could not be written: tried again with each report.
    owing: AtomicBool,
}

impl Keeper {
    /// Goes on from the cache, if there is one that can be used.
    pub(super) fn new(
        state: EdgeState,
        metrics: EdgeMetrics,
        file: Option<QuotaFile>,
        cache: Option<CacheFile>,
        enforcement: Enforcement,
    ) -> Self {
        let owing = AtomicBool::new(false);
        let began = Instant::now();
        let mut keeper =
            Self { state: Mutex::new(state), metrics, file, cache, enforcement, began, restored: false, owing };
        keeper.restored = keeper.restore();
        keeper
    }

    fn restore(&self) -> bool {
        let saved = match self.cache.as_ref().map(CacheFile::load) {
            None | Some(Ok(None)) => return false,
            Some(Ok(Some(saved))) => saved,
            Some(Err(e)) => {
                tracing::warn!("{e}");
                return false;
            }
        };
        let (of, now) = (saved.command.node_id.clone(), self.now());
        let mut state = self.lock();
        if !state.restore(saved, now) {
            tracing::warn!("the edge's cache is of node {of:?}: not used");
            return false;
        }
        let InForce { quota, source, .. } = state.in_force();
        tracing::info!("from the cache: quota {}, in force: {}", rounded(quota), source.name());
        true
    }

    /// Whether the state came from the cache.
    pub(super) fn restored(&self) -> bool {
        self.restored
    }

    /// This moment by both clocks.
    pub(super) fn now(&self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { wall_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX), since: self.began.elapsed() }
    }

    /// The quota in force at this moment.
    pub(super) fn in_force(&self) -> InForce {
        self.settle();
        self.lock().in_force()
    }

    /// Tells what is in force at the start, whoever was told of it before.
    pub(super) fn begin(&self) {
        let state = self.lock();
        self.publish(&state);
        self.enforcement.changed(state.in_force());
    }

    /// Looks at the time.
    pub(super) fn settle(&self) {
        self.update(EdgeState::settle);
    }

    /// A report was made.
    pub(super) fn reported(&self, report: &LoadReport) {
        self.metrics.reported(report);
        self.update(|state, now| state.reported(report, now));
        if self.owing.load(Ordering::Relaxed) {
            self.publish(&self.lock());
        }
        self.enforcement.again();
    }

    /// A command came.
    pub(super) fn apply(&self, command: QuotaCommand, heard: Heard) {
        let reason = command.reason.clone();
        let applied = self.update(|state, now| state.apply(command, heard, now));
        self.metrics.commanded(applied);
        match applied {
            Applied::Changed { from, to } => tracing::info!("quota {from:.0} -> {to:.0}: {reason}"),
            Applied::Recommended { begins: true } => {
                let base = self.lock().in_force().quota;
                tracing::info!("quotas are recommendations from now on, the base quota {base:.0} holds: {reason}");
            }
            _ => {}
        }
    }

    /// The agent ends.
    pub(super) fn finish(&self) {
        self.enforcement.finish();
    }

    /// The one way to change the state. All that follows happens in the order of the changes: the lock is held.
    fn update<T>(&self, change: impl FnOnce(&mut EdgeState, Moment) -> T) -> T {
        let mut state = self.lock();
        let before = (state.in_force(), state.command().map(|held| held.sequence));
        let done = change(&mut state, self.now());
        let after = (state.in_force(), state.command().map(|held| held.sequence));
        if before != after {
            self.publish(&state);
        }
        let (before, after) = (before.0, after.0);
        if before.source != after.source {
            say(before, after);
        }
        if before.source != after.source || before.quota.to_bits() != after.quota.to_bits() {
            self.enforcement.changed(after);
        }
        done
    }

    fn publish(&self, state: &EdgeState) {
        self.metrics.show(state);
        let Some(command) = state.command() else { return };
        let file = self.file.as_ref().map(|file| file.write(command, state.in_force()));
        let cache = self.cache.as_ref().zip(state.saved()).map(|(cache, saved)| cache.write(&saved));
        let mut owing = false;
        for e in [file, cache].into_iter().flatten().filter_map(Result::err) {
            tracing::warn!("{e}");
            owing = true;
        }
        self.owing.store(owing, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, EdgeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line for each passage from one source to another.
fn say(before: InForce, after: InForce) {
    let (from, to) = (before.source.name(), after.source.name());
    let why = if before.source == Source::Centre { ": the centre's word no longer holds" } else { "" };
    tracing::info!("in force: {from} -> {to}, quota {} -> {}{why}", rounded(before.quota), rounded(after.quota));
}

/// A quota for people: whole millicores, but parts of a request a second.
fn rounded(quota: f64) -> String {
    if quota < 100.0 { format!("{quota:.2}") } else { format!("{quota:.0}") }
}
