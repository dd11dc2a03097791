//! The time with one gateway: a connection, a stream of reports, a stream of commands.
//!
//! ```text
//! connect ─> Report, Watch ─> reports out (a few batches on the way), acknowledgements and commands in ─> Ended
//! ```

use std::time::Duration;

use tidegate_producers::edge::Parcel;
use tidegate_schemas::trace::TraceContext;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use super::FINISH;
use super::Update;
use super::runner::{Ended, Runner};
use crate::batch::pack;
use crate::error::with_causes;
use crate::guard::readable;
use crate::proto::edge_service_client::EdgeServiceClient;
use crate::proto::{QuotaUpdate, Record, ReportAck, ReportBatch, WatchRequest};
use crate::server::drain::is_move;

/// Batches that may stand before the connection.
const BEFORE: usize = 4;
/// How long a call may take to begin.
const BEGIN: Duration = Duration::from_secs(5);
/// How long an acknowledgement may take: a gateway that accepts and never answers is none, and an outage of Kafka is shorter or
/// is one for all gateways.
const ACKNOWLEDGE: Duration = Duration::from_secs(30);

/// Both streams of a session.
struct Streams {
    batches: mpsc::Sender<ReportBatch>,
    acks: Streaming<ReportAck>,
    updates: Streaming<QuotaUpdate>,
    /// When the gateway last acknowledged, or was last owed nothing.
    progress: Instant,
    /// Whether the gateway has sent us on.
    moving: bool,
    /// Once the agent ends: until when acknowledgements are awaited.
    until: Option<Instant>,
}

impl Runner {
    /// Is with one gateway as long as it lasts.
    pub(super) async fn session(&mut self, address: &str) -> Ended {
        let begun = self.begin(address).await;
        let mut streams = match begun {
            Ok(streams) => streams,
            Err(ended) => return ended,
        };
        tracing::info!("connected to {address}");
        self.metrics.attempted("connected");
        self.metrics.connected.set(1);
        loop {
            if let Err(ended) = self.fill(&mut streams) {
                return ended;
            }
            if streams.until.is_some() && self.stores.is_empty() {
                return Ended::Finished;
            }
            if streams.moving && self.stores.in_flight() == 0 {
                return Ended::Moved;
            }
            if let Err(ended) = self.step(&mut streams).await {
                return ended;
            }
        }
    }

    async fn begin(&self, address: &str) -> Result<Streams, Ended> {
        let credentials = &self.settings.credentials;
        let channel = credentials.connect(address).await.map_err(Ended::Failed)?;
        let bearer = credentials.bearer().map_err(Ended::Failed)?;
        let mut client = EdgeServiceClient::new(channel);
        let (batches, stream) = mpsc::channel(BEFORE);
        let mut report = Request::new(ReceiverStream::new(stream));
        let mut watch = Request::new(WatchRequest { node_ids: self.settings.node_ids.clone() });
        if let Some(bearer) = bearer {
            report.metadata_mut().insert("authorization", bearer.clone());
            watch.metadata_mut().insert("authorization", bearer);
        }
        let begin = async {
            let acks = client.report(report).await?.into_inner();
            Ok::<_, Status>((acks, client.watch(watch).await?.into_inner()))
        };
        match tokio::time::timeout(BEGIN, answered(begin)).await {
            Ok(Ok((acks, updates))) => {
                Ok(Streams { batches, acks, updates, progress: Instant::now(), moving: false, until: None })
            }
            Ok(Err(status)) => Err(ended(&status)),
            Err(_) => Err(Ended::Failed(format!("no answer within {} s", BEGIN.as_secs()))),
        }
    }

    /// Sends what waits, as far as batches may be on the way.
    fn fill(&mut self, streams: &mut Streams) -> Result<(), Ended> {
        while !streams.moving {
            if self.stores.in_flight() == 0 {
                streams.progress = Instant::now();
            }
            let Some((id, parcels)) = self.stores.next_batch() else { break };
            let record = |parcel: &Parcel| Record {
                key: parcel.key.clone().into(),
                value: parcel.value.clone().into(),
                traceparent: parcel.traceparent.clone(),
            };
            let batch = pack(id, parcels.iter().map(record).collect());
            let batch = batch.map_err(|e| Ended::Failed(e.to_string()))?;
            streams.batches.try_send(batch).map_err(|_| Ended::Failed("the stream of reports ended".into()))?;
        }
        Ok(())
    }

    /// Waits for whatever happens next.
    async fn step(&mut self, streams: &mut Streams) -> Result<(), Ended> {
        let late = streams.progress + ACKNOWLEDGE;
        let (is_owed, has_room, more) = (self.stores.in_flight() > 0, self.stores.has_room(), self.stores.next_at());
        tokio::select! {
            item = self.inbox.recv(), if streams.until.is_none() => if !self.keep_all(item) {
                streams.until = Some(Instant::now() + FINISH);
            },
            ack = answered(streams.acks.message()) => {
                let ack = next(ack)?;
                streams.progress = Instant::now();
                self.acknowledged(&ack);
            }
            update = answered(streams.updates.message()), if !streams.moving => match next(update) {
                Ok(QuotaUpdate { value, kept, traceparent, tracestate, .. }) => {
                    let trace = TraceContext::parse(traceparent.as_bytes(), Some(tracestate.as_bytes()));
                    (self.on_update)(Update { value: &value, kept, trace: trace.as_ref() });
                }
                // What is on the way may still be acknowledged: the other stream tells when it has ended, too.
                Err(Ended::Moved) => streams.moving = true,
                Err(ended) => return Err(ended),
            },
            () = tokio::time::sleep_until(late), if is_owed => {
                return Err(Ended::Failed(format!("no acknowledgement within {} s", ACKNOWLEDGE.as_secs())));
            }
            () = tokio::time::sleep_until(more.unwrap_or(late)), if more.is_some() && has_room => {}
            () = tokio::time::sleep_until(streams.until.unwrap_or(late)), if streams.until.is_some() => {
                return Err(Ended::Finished);
            }
        }
        Ok(())
    }

    fn acknowledged(&mut self, ack: &ReportAck) {
        let Some(aside) = self.stores.acknowledged(ack) else { return };
        if aside > 0 {
            tracing::warn!("{aside} records were set aside at the centre: {}", ack.first_reason);
        }
        self.succeeded();
    }
}

/// An answer that nobody can read is a failure like any other.
async fn answered<T>(answer: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    readable(answer).await.unwrap_or_else(|unreadable| Err(Status::unknown(unreadable.to_string())))
}

/// What a stream gave; its end is the session's.
fn next<T>(message: Result<Option<T>, Status>) -> Result<T, Ended> {
    match message {
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(Ended::Failed("the gateway ended the stream".into())),
        Err(status) => Err(ended(&status)),
    }
}

fn ended(status: &Status) -> Ended {
    if is_move(status) {
        return Ended::Moved;
    }
    Ended::Failed(with_causes(format!("{:?}: {}", status.code(), status.message()), status))
}
