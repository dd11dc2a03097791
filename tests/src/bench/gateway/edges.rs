//! Edges that report in turn and time the command that answers each report.
//!
//! ```text
//! a task an edge: every interval a report, a batch of its own ─> Report        sent at ┐
//!                                           QuotaUpdate of its node <─ Watch           ┴─ same sequence: latency
//! ```
//!
//! They start over one interval, and so report spread over it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use tidegate_gateway::batch::pack;
use tidegate_gateway::proto::edge_service_client::EdgeServiceClient;
use tidegate_gateway::proto::{QuotaUpdate, Record, ReportBatch, WatchRequest};
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_schemas::{CatalogueIds, Decoder, Encoder, RecordKind, Topic};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;

/// All edges; their connections end with it.
#[derive(Debug)]
pub(super) struct Edges {
    shared: Arc<Shared>,
    runtime: Runtime,
}

/// What they saw while it was measured.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) sent: u64,
    pub(super) latencies_ms: Vec<f64>,
}

struct Shared {
    url: String,
    interval: Duration,
    encoder: Encoder,
    decoder: Mutex<Decoder>,
    connected: AtomicU32,
    measured: AtomicBool,
    sent: AtomicU64,
    latencies_ms: Mutex<Vec<f64>>,
    failed: Mutex<Option<String>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("url", &self.url).field("connected", &self.connected).finish_non_exhaustive()
    }
}

impl Edges {
    pub(super) fn start(url: &str, edges: u32, interval: Duration) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            interval,
            encoder: Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds)?,
            decoder: Mutex::new(Decoder::new(Arc::new(CatalogueIds))),
            connected: AtomicU32::new(0),
            measured: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            latencies_ms: Mutex::default(),
            failed: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        for number in 0..edges {
            let shared = Arc::clone(&shared);
            let wait = interval.mul_f64(f64::from(number) / f64::from(edges));
            runtime.spawn(async move {
                tokio::time::sleep(wait).await;
                if let Err(e) = live(number, &shared).await {
                    lock(&shared.failed).get_or_insert(format!("{e:#}"));
                }
            });
        }
        Ok(Self { shared, runtime })
    }

    pub(super) fn connected(&self) -> u32 {
        self.shared.connected.load(Ordering::SeqCst)
    }

    /// Why an edge has ended, which none should.
    pub(super) fn failed(&self) -> Option<String> {
        lock(&self.shared.failed).clone()
    }

    /// Whether reports count from now on.
    pub(super) fn measure(&self, counts: bool) {
        self.shared.measured.store(counts, Ordering::SeqCst);
    }

    /// Waits for the last answers; ends.
    pub(super) fn finish(self, patience: Duration) -> anyhow::Result<Found> {
        std::thread::sleep(patience);
        self.failed().map_or(Ok(()), |why| Err(anyhow::anyhow!("an edge has ended: {why}")))?;
        self.runtime.shutdown_background();
        let latencies_ms = std::mem::take(&mut *lock(&self.shared.latencies_ms));
        Ok(Found { sent: self.shared.sent.load(Ordering::SeqCst), latencies_ms })
    }
}

/// The last report of an edge that is to be timed.
struct Open {
    sequence: i64,
    sent: Instant,
}

async fn live(number: u32, shared: &Shared) -> anyhow::Result<()> {
    let node = format!("edge-{number:06}");
    let channel = Endpoint::from_shared(shared.url.clone())?.connect().await.context("connecting")?;
    let mut client = EdgeServiceClient::new(channel);
    let (batches, stream) = mpsc::channel(1);
    let mut acks = client.report(ReceiverStream::new(stream)).await?.into_inner();
    let mut updates = client.watch(WatchRequest { node_ids: vec![node.clone()] }).await?.into_inner();
    shared.connected.fetch_add(1, Ordering::SeqCst);
    let mut ticks = tokio::time::interval(shared.interval);
    let mut open = None;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                let (sequence, batch) = shared.batch(&node)?;
                let counts = shared.measured.load(Ordering::SeqCst);
                open = counts.then(|| Open { sequence, sent: Instant::now() });
                shared.sent.fetch_add(u64::from(counts), Ordering::SeqCst);
                batches.send(batch).await?;
            }
            ack = acks.message() => {
                let ack = ack?.context("the gateway ended the stream of acknowledgements")?;
                anyhow::ensure!(ack.set_aside == 0, "a report was set aside: {}", ack.first_reason);
            }
            update = updates.message() => {
                shared.answered(&update?.context("the gateway ended the stream of commands")?, &mut open)?;
            }
        }
    }
}

impl Shared {
    fn batch(&self, node: &str) -> anyhow::Result<(i64, ReportBatch)> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as i64;
        let mut report = LoadReport::new(node, now, self.interval.as_millis() as i64, 1000.0);
        (report.cpu, report.memory) = (Some(0.5), Some(0.4));
        let mut value = Vec::new();
        self.encoder.encode(&report, &mut value)?;
        let record = Record { key: node.to_owned().into(), value: value.into(), traceparent: String::new() };
        Ok((report.sequence, pack(now.unsigned_abs(), vec![record])?))
    }

    fn answered(&self, update: &QuotaUpdate, open: &mut Option<Open>) -> anyhow::Result<()> {
        let Some(Open { sequence, sent }) = open else { return Ok(()) };
        let now = Instant::now();
        let command: QuotaCommand = lock(&self.decoder).decode(&update.value)?;
        if command.sequence == *sequence {
            lock(&self.latencies_ms).push((now - *sent).as_secs_f64() * 1e3);
            *open = None;
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
