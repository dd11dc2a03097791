//! A backend that takes every span and counts it.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use tidegate_broker::Stop;
use tidegate_gateway::otlp;
use tidegate_otlp::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use tidegate_producers::ProducerError;
use tidegate_producers::spans::SpanIntake;

use super::LOOK_EVERY;

/// Serves until it is dropped.
#[derive(Debug)]
pub(super) struct Counting {
    address: String,
    counted: Arc<Counted>,
    stop: Stop,
}

#[derive(Debug, Default)]
struct Counted(AtomicU64);

impl SpanIntake for Counted {
    fn take(&self, request: ExportTraceServiceRequest) -> Result<ExportTraceServiceResponse, ProducerError> {
        let scopes = request.resource_spans.iter().flat_map(|of| &of.scope_spans);
        let spans: usize = scopes.map(|of| of.spans.len()).sum();
        self.0.fetch_add(spans as u64, Ordering::Relaxed);
        Ok(ExportTraceServiceResponse::default())
    }
}

impl Counting {
    pub(super) fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let (counted, stop) = (Arc::new(Counted::default()), Stop::default());
        otlp::serve(listener, Arc::clone(&counted) as _, &stop)?;
        Ok(Self { address, counted, stop })
    }

    /// `HOST:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Waits until so many spans have come; gives how many then have. Fails where none comes for `stall`.
    pub(super) fn wait_for(&self, wanted: u64, stall: Duration) -> anyhow::Result<u64> {
        let (mut last, mut moved) = (0, Instant::now());
        loop {
            let count = self.counted.0.load(Ordering::Relaxed);
            if count >= wanted {
                return Ok(count);
            }
            if count > last {
                (last, moved) = (count, Instant::now());
            }
            ensure!(moved.elapsed() < stall, "only {count} of {wanted} spans came");
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.stop.stop();
    }
}
