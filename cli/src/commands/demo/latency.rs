//! Latency from the produce call of a report to its quota command in the edge's hands.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use hdrhistogram::Histogram;

/// Reports waited for at most; beyond that the oldest story is lost, not the memory.
const MOST: usize = 200_000;

/// Measures, in microseconds.
#[derive(Debug)]
pub(crate) struct Latency {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    waiting: HashMap<(String, i64), Instant>,
    /// Whether what is answered counts: the history before the page goes live does not.
    live: bool,
    histogram: Histogram<u64>,
}

impl Latency {
    pub(crate) fn new() -> Self {
        // From 1 µs to 10 min, 2 digits: some 20 KiB.
        let histogram = Histogram::new_with_bounds(1, 600_000_000, 2).unwrap_or_else(|_| unreachable!("valid bounds"));
        Self { inner: Mutex::new(Inner { waiting: HashMap::new(), live: false, histogram }) }
    }

    /// From now on latencies count.
    pub(crate) fn go_live(&self) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.waiting.clear();
        inner.live = true;
    }

    pub(crate) fn sent(&self, node_id: &str, sequence: i64) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.live && inner.waiting.len() < MOST {
            inner.waiting.insert((node_id.to_owned(), sequence), Instant::now());
        }
    }

    /// The command is here; gives the latency in ms where the report was waited for.
    pub(crate) fn answered(&self, node_id: &str, sequence: i64) -> Option<f64> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let took = inner.waiting.remove(&(node_id.to_owned(), sequence))?.elapsed();
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        inner.histogram.saturating_record(micros.max(1));
        Some(took.as_secs_f64() * 1000.0)
    }

    /// A quantile in ms; `None` before anything was answered.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> Option<f64> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let any = !inner.histogram.is_empty();
        any.then(|| inner.histogram.value_at_quantile(quantile) as f64 / 1000.0)
    }
}
