//! A log that is deleted faster than it is read.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::logging::QuietContext;
use crate::settings::ASK;

/// Notices that a broker deletes a log faster than it is read: the client alone would run behind its beginning for ever,
/// because the beginning that it asked for is gone again when it reads there. The embedded broker keeps so little.
///
/// Looks only while nothing comes: a broker answers one request of a connection after the other, so a look may wait behind a
/// long poll, and a reader that looked between its records would read one in half a second.
#[derive(Debug)]
pub(crate) struct Overtaken {
    looked: Instant,
    times: i64,
}

impl Default for Overtaken {
    fn default() -> Self {
        Self { looked: Instant::now(), times: 0 }
    }
}

impl Overtaken {
    /// Time without a record before a look, and between two looks.
    const EVERY: Duration = Duration::from_millis(500);
    /// Records left as a lead, more each time.
    const LEAD: i64 = 128;

    /// Whether it is time to look, where the last record came at `heard`.
    pub(crate) fn is_due(&self, heard: Instant) -> bool {
        heard.elapsed() >= Self::EVERY && self.looked.elapsed() >= Self::EVERY
    }

    /// Where to go on, if the partition begins behind `at` by now; an outage is waited out by the reader.
    pub(crate) fn by(
        &mut self,
        consumer: &BaseConsumer<QuietContext>,
        topic: &str,
        partition: i32,
        at: i64,
    ) -> Option<i64> {
        let ends = consumer.fetch_watermarks(topic, partition, ASK);
        self.looked = Instant::now();
        let (low, high) = ends.ok()?;
        if low <= at {
            return None;
        }
        let next = low.saturating_add(Self::LEAD * self.times).min(high);
        tracing::debug!("{topic}/{partition}: deleted up to {low} before it was read from {at}; going on from {next}");
        self.times += 1;
        Some(next)
    }
}
