//! Senders: a connection each, one request at a time, until all are taken.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::bail;
use tidegate_broker::https::Authorities;
use tidegate_gateway::otlp::GrpcBackend;
use tidegate_otlp::{Answer, SpanBackend};

use super::traffic::{PER_REQUEST, Traffic};

const PAUSE: Duration = Duration::from_millis(10);

/// Sends so many spans, as many as make whole requests, numbered from `first` on; returns once all are acknowledged.
pub(super) fn send(address: &str, first: u64, spans: u64, senders: u32) -> anyhow::Result<()> {
    let next = AtomicU64::new(first.div_ceil(PER_REQUEST));
    let end = first.div_ceil(PER_REQUEST) + spans.div_ceil(PER_REQUEST);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..senders).map(|_| scope.spawn(|| sender(address, &next, end))).collect();
        let ended = all.into_iter().map(|sender| sender.join().unwrap_or_else(|_| bail!("a sender ended in a panic")));
        ended.collect()
    })
}

fn sender(address: &str, next: &AtomicU64, end: u64) -> anyhow::Result<()> {
    let mut backend = GrpcBackend::new(address, &BTreeMap::new(), false, &Authorities::default())?;
    let mut traffic = Traffic::new()?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            return Ok(());
        }
        loop {
            match backend.send(traffic.request(number)) {
                Answer::Taken => break,
                Answer::Later(..) => std::thread::sleep(PAUSE),
                refused => bail!("{address} refused a request: {refused:?}"),
            }
        }
    }
}
