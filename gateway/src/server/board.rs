//! The last quota command of each node, as bytes, and who waits for the next. It decides by the key and decodes nothing.
//!
//! ```text
//! quotas ─ post(key, value) ─> last[key] ─> each watcher of the key: due[key] = value
//! watch(keys) ─> Watcher: what is held of them is due at once ─ next ─> the newest of each node, oldest change first
//! ```
//!
//! A watcher holds at most one command a node, so a slow edge costs no more than its nodes, and gets the newest.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use crate::proto::QuotaUpdate;

/// The board of one gateway.
#[derive(Debug)]
pub(super) struct Board {
    posts: Mutex<Posts>,
    caught_up: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Posts {
    last: HashMap<Bytes, Post>,
    watchers: HashMap<Bytes, Vec<Arc<Due>>>,
}

/// A command as it stands on the topic.
#[derive(Debug, Clone, Default)]
pub(super) struct Post {
    pub(super) value: Bytes,
    /// Its place in a trace, as its headers have it.
    pub(super) traceparent: String,
    pub(super) tracestate: String,
}

/// What one watcher is still to be told.
#[derive(Debug, Default)]
struct Due {
    changes: Mutex<Changes>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Changes {
    order: VecDeque<Bytes>,
    newest: HashMap<Bytes, (Post, bool)>,
}

/// Who waits for the commands of some nodes.
#[derive(Debug)]
pub(super) struct Watcher {
    board: Arc<Board>,
    keys: Vec<Bytes>,
    due: Arc<Due>,
}

impl Default for Board {
    fn default() -> Self {
        Self { posts: Mutex::default(), caught_up: watch::Sender::new(false) }
    }
}

impl Board {
    /// A command, or a tombstone, of a node: the newest there is.
    pub(super) fn post(&self, key: Bytes, post: Option<Post>) {
        let mut posts = lock(&self.posts);
        let Some(post) = post else {
            posts.last.remove(&key);
            return;
        };
        for watcher in posts.watchers.get(&key).into_iter().flatten() {
            watcher.tell(&key, &post, false);
        }
        posts.last.insert(key, post);
    }

    /// The topic was read to its end as it was at the start.
    pub(super) fn is_caught_up(&self) {
        self.caught_up.send_replace(true);
    }

    /// Whether it was.
    pub(super) fn has_caught_up(&self) -> bool {
        *self.caught_up.borrow()
    }

    /// Ready once it was.
    pub(super) async fn caught_up(&self) {
        drop(self.caught_up.subscribe().wait_for(|done| *done).await);
    }

    /// Whether there is a command of a node.
    pub(super) fn has(&self, key: &[u8]) -> bool {
        lock(&self.posts).last.contains_key(key)
    }

    /// Nodes held.
    pub(super) fn len(&self) -> usize {
        lock(&self.posts).last.len()
    }

    /// Waits for the commands of these nodes; those that are held are due at once.
    pub(super) fn watch(self: &Arc<Self>, mut keys: Vec<Bytes>) -> Watcher {
        keys.sort_unstable();
        keys.dedup();
        let due = Arc::new(Due::default());
        let mut posts = lock(&self.posts);
        for key in &keys {
            if let Some(post) = posts.last.get(key) {
                due.tell(key, post, true);
            }
            posts.watchers.entry(key.clone()).or_default().push(Arc::clone(&due));
        }
        drop(posts);
        Watcher { board: Arc::clone(self), keys, due }
    }
}

impl Due {
    fn tell(&self, key: &Bytes, post: &Post, kept: bool) {
        let mut changes = lock(&self.changes);
        if changes.newest.insert(key.clone(), (post.clone(), kept)).is_none() {
            changes.order.push_back(key.clone());
        }
        drop(changes);
        self.more.notify_one();
    }

    fn take(&self) -> Option<QuotaUpdate> {
        let mut changes = lock(&self.changes);
        let key = changes.order.pop_front()?;
        let (Post { value, traceparent, tracestate }, kept) = changes.newest.remove(&key)?;
        Some(QuotaUpdate { key, value, kept, traceparent, tracestate })
    }
}

impl Watcher {
    /// Waits for one more node, which it does not wait for yet or does already; what is held of it is due at once.
    pub(super) fn add(&mut self, key: Bytes) {
        if self.keys.contains(&key) {
            return;
        }
        let mut posts = lock(&self.board.posts);
        if let Some(post) = posts.last.get(&key) {
            self.due.tell(&key, post, true);
        }
        posts.watchers.entry(key.clone()).or_default().push(Arc::clone(&self.due));
        drop(posts);
        self.keys.push(key);
    }

    /// The next command.
    pub(super) async fn next(&self) -> QuotaUpdate {
        loop {
            if let Some(update) = self.due.take() {
                return update;
            }
            self.due.more.notified().await;
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut posts = lock(&self.board.posts);
        for key in &self.keys {
            if let Some(watchers) = posts.watchers.get_mut(key) {
                watchers.retain(|due| !Arc::ptr_eq(due, &self.due));
                if watchers.is_empty() {
                    posts.watchers.remove(key);
                }
            }
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
