//! Transactions that have not ended: readers that read only what is committed do not pass them.
//!
//! ```text
//! low ....... last stable offset ....... high
//!   readable  │   behind an open transaction, its own records and those of others
//! ```

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::BaseConsumer;

use crate::error::BrokerError;
use crate::logging::QuietContext;
use crate::settings::{KafkaSettings, create};
use crate::tail::watermarks;

/// A transaction that is open for so long hangs: ours are ended by the broker before.
const HANGS_AFTER: Duration = Duration::from_secs(15);
/// Between two looks at a partition that is not stable.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until all that partitions hold by now is committed or aborted. Without that, a transaction whose offsets are
/// committed already may not be readable yet, and what is restored from the partition would be too old.
pub(crate) struct Settling {
    committed: BaseConsumer<QuietContext>,
    topic: String,
    /// Partitions with the offset that must be readable.
    pending: Vec<(i32, i64)>,
    began: Instant,
    told: bool,
}

impl Settling {
    /// Notes how far the partitions are written.
    ///
    /// # Errors
    /// An unreachable broker.
    pub(crate) fn begin(settings: &KafkaSettings, topic: &str, partitions: &[i32]) -> Result<Self, BrokerError> {
        let committed = create(&settings.consumer(None), QuietContext::default())?;
        let mut config = settings.consumer(None);
        config.set("isolation.level", "read_uncommitted");
        let all: BaseConsumer<QuietContext> = create(&config, QuietContext::default())?;
        let mut pending = Vec::new();
        for partition in partitions {
            pending.push((*partition, watermarks(&all, settings, topic, *partition)?.1));
        }
        Ok(Self { committed, topic: topic.to_owned(), pending, began: Instant::now(), told: false })
    }

    /// Whether all of it is readable by now.
    ///
    /// # Errors
    /// An unreachable broker.
    pub(crate) fn is_over(&mut self, settings: &KafkaSettings) -> Result<bool, BrokerError> {
        while let Some((partition, high)) = self.pending.last().copied() {
            if watermarks(&self.committed, settings, &self.topic, partition)?.1 < high {
                if !self.told && self.began.elapsed() >= HANGS_AFTER {
                    self.told = true;
                    let topic = &self.topic;
                    tracing::warn!(
                        "{topic}/{partition}: waiting for a transaction to end before the state is restored"
                    );
                }
                return Ok(false);
            }
            self.pending.pop();
        }
        Ok(true)
    }
}

/// How far a partition is readable, as of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) partition: i32,
    /// First offset that is not readable yet.
    pub(crate) stable: i64,
    /// Offset of the next record.
    pub(crate) high: i64,
}

impl Ends {
    /// Offsets behind a transaction that has not ended.
    pub(crate) fn unstable(&self) -> i64 {
        (self.high - self.stable).max(0)
    }
}

/// Notices transactions on an input that do not end. Pure: it is told the time.
#[derive(Debug, Default)]
pub(crate) struct HangingTransactions {
    /// By partition: where it stands still, since when, and whether that was told.
    still: HashMap<i32, (i64, Instant, bool)>,
}

impl HangingTransactions {
    /// Takes the ends of partitions in; gives those that stand still for long, each once, with how long.
    pub(crate) fn see(&mut self, ends: &[Ends], now: Instant) -> Vec<(Ends, Duration)> {
        self.still.retain(|partition, _| ends.iter().any(|e| e.partition == *partition));
        let mut hanging = Vec::new();
        for end in ends {
            let (stable, since, told) = self.still.entry(end.partition).or_insert((end.stable, now, false));
            if *stable != end.stable || end.unstable() == 0 {
                (*stable, *since, *told) = (end.stable, now, false);
            }
            let standing = now.duration_since(*since);
            if standing >= HANGS_AFTER && !*told {
                *told = true;
                hanging.push((*end, standing));
            }
        }
        hanging
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(stable: i64, high: i64) -> Ends {
        Ends { partition: 3, stable, high }
    }

    #[test]
    fn a_transaction_that_does_not_end_is_told_once() {
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        let mut watch = HangingTransactions::default();
        let told = (0..60).filter(|n| !watch.see(&[at(7, 9)], begin + second * *n).is_empty());
        assert_eq!(told.collect::<Vec<_>>(), [15]);
        // It ends; the next one hangs too.
        assert_eq!(watch.see(&[at(12, 14)], begin + second * 60), []);
        assert_eq!(watch.see(&[at(12, 20)], begin + second * 75), [(at(12, 20), second * 15)]);
    }

    #[test]
    fn one_that_moves_on_or_has_nothing_to_wait_for_hangs_never() {
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        let mut watch = HangingTransactions::default();
        for n in 0_u32..100 {
            assert_eq!(watch.see(&[at(i64::from(n / 10), 1_000)], begin + second * n), []);
        }
        let mut watch = HangingTransactions::default();
        for n in 0..100 {
            assert_eq!(watch.see(&[at(7, 7)], begin + second * n), []);
        }
    }
}
