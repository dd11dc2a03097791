//! The output side of the driver: a batch through the stage, its outputs encoded, published and entered in the ledger.

use std::sync::atomic::Ordering;

use tidegate_schemas::partition::partition_of;
use tidegate_schemas::records::Checkpoint;
use tidegate_traces::Hop;

use super::Driver;
use super::hops::{Hops, with_trace};
use crate::acknowledge::NO_TICKET;
use crate::backpressure::Backpressure;
use crate::dead_letters::DeadLetter;
use crate::error::BrokerError;
use crate::intake::Item;
use crate::metrics::Metrics;
use crate::partition::PartitionReader;
use crate::publisher::Outgoing;
use crate::stage::{Keyed, Received, Rejection, Source, Stage, Verdict};
use crate::status::WorkStatus;

impl<S: Stage> Driver<'_, S> {
    /// Takes a whole batch through the stage.
    pub(super) fn process(&mut self, batch: &mut Vec<Item<S::Input>>) -> Result<(), BrokerError> {
        if batch.is_empty() {
            return Ok(());
        }
        let timer = self.metrics.batch_seconds.start_timer();
        let mut run = Vec::with_capacity(batch.len());
        let mut order = Vec::with_capacity(batch.len());
        for item in batch.drain(..) {
            let source = item.source();
            self.position.insert(source.partition, source.offset + 1);
            match item {
                Item::Record(received) => {
                    order.push(Slot::Record(run.len()));
                    run.push(received);
                }
                Item::Dead(letter) => order.push(Slot::Dead(letter)),
            }
        }
        let mut hops = self.hops(&run);
        let verdicts = hops.batch.within(|| self.stage.process(&run));
        self.publish(&order, &run, &verdicts, &mut hops)?;
        self.metrics.note_hops(run.iter().map(|received| (received.source.partition, received.kafka_timestamp)));
        timer.observe_duration();
        Ok(())
    }

    /// Publishes in the order of the input: the ledger wants the offsets of a partition ascending.
    fn publish(
        &mut self,
        order: &[Slot],
        run: &[Received<S::Input>],
        verdicts: &[(usize, Verdict<S::Output>)],
        hops: &mut Hops,
    ) -> Result<(), BrokerError> {
        let mut verdicts = verdicts.iter().peekable();
        let mut counts = Counts::default();
        for slot in order {
            match slot {
                Slot::Dead(letter) if self.is_live(letter.source.partition, letter.source.offset) => {
                    self.set_aside(letter)?;
                }
                Slot::Dead(_) => counts.rebuilt += 1,
                Slot::Record(index) => {
                    let mut of_this = Vec::new();
                    while let Some((_, verdict)) = verdicts.next_if(|(of, _)| of == index) {
                        of_this.push(verdict);
                    }
                    let hop = hops.of(*index);
                    self.publish_one(&run[*index], &of_this, hop, &mut counts)?;
                }
            }
        }
        counts.report(self.metrics, self.status);
        Ok(())
    }

    fn publish_one(
        &mut self,
        received: &Received<S::Input>,
        verdicts: &[&Verdict<S::Output>],
        mut hop: Option<Hop>,
        counts: &mut Counts,
    ) -> Result<(), BrokerError> {
        let source = &received.source;
        if !self.is_live(source.partition, source.offset) {
            counts.rebuilt += 1;
            return Ok(());
        }
        if !self.may_send() {
            return Ok(());
        }
        let keeps = self.checkpoints.is_some();
        let is_sent = |v: &&&Verdict<S::Output>| match v {
            Verdict::Output(_) => true,
            Verdict::Keep(..) => keeps,
            Verdict::Drop(_) => false,
        };
        let outputs = verdicts.iter().filter(is_sent).count();
        let ticket = self.ledger.lock().take(source.partition, source.offset, outputs as u32);
        // It is not ours any more: its new owner answers it.
        if ticket == NO_TICKET {
            return Ok(());
        }
        counts.live += 1;
        let mut paused = Backpressure::new(&self.intake);
        let mut too_large = Vec::new();
        for verdict in verdicts {
            match verdict {
                Verdict::Output(output) => {
                    counts.output(self.stage.label(output));
                    self.stage.published(&received.record, output);
                    self.encoder.encode(output, &mut self.bytes)?;
                    self.metrics.output_bytes.inc_by(self.bytes.len() as u64);
                    let trace = self.trace_of(received, output, &mut hop);
                    let record = Outgoing {
                        topic: &self.output,
                        partition: Some(partition_of(output.partition_key().as_bytes(), self.output_partitions)),
                        key: Some(output.key().as_bytes()),
                        payload: Some(&self.bytes),
                        ..Outgoing::default()
                    };
                    let send = |record: &Outgoing<'_>| self.publisher.send_with(record, ticket, || paused.wait());
                    match with_trace(trace.as_ref(), record, send) {
                        Err(e @ BrokerError::TooLarge { .. }) => too_large.push(e),
                        sent => self.sent(sent)?,
                    }
                }
                Verdict::Keep(node_id, checkpoint) => {
                    let kept = (&**node_id, checkpoint.as_deref());
                    let sent = self.keep(source.partition, kept, ticket, || paused.wait());
                    self.sent(sent)?;
                }
                Verdict::Drop(reason) => {
                    self.metrics.dropped.with_label_values(&[reason.name()]).inc();
                    self.status.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        drop(paused);
        too_large.iter().try_for_each(|e| self.set_cause_aside(source, e, ticket))
    }

    /// Sends a node's checkpoint, or its tombstone.
    fn keep(
        &self,
        partition: i32,
        kept: (&str, Option<&Checkpoint>),
        ticket: usize,
        wait: impl FnMut(),
    ) -> Result<(), BrokerError> {
        let Some(topic) = &self.checkpoints else { return Ok(()) };
        let bytes = topic.send(partition, kept, &self.publisher, ticket, wait)?;
        self.metrics.checkpoints.inc();
        self.metrics.checkpoint_bytes.inc_by(bytes as u64);
        Ok(())
    }

    /// An output that its topic does not take: its input becomes a dead letter in its place.
    fn set_cause_aside(&mut self, source: &Source, error: &BrokerError, ticket: usize) -> Result<(), BrokerError> {
        let record = loop {
            let reader = PartitionReader::open(self.settings, &source.topic, source.partition, Some(source.offset));
            match reader.and_then(|mut reader| reader.at(source.offset)) {
                Err(e) if e.is_retryable() && !self.intake.context().stop.is_set() => {}
                read => break read?.unwrap_or_default(),
            }
        };
        let rejection = Rejection { class: "output-too-large", message: error.to_string() };
        self.send_letter(&DeadLetter::of_raw(record, source.clone(), rejection), ticket)
    }

    pub(super) fn is_live(&self, partition: i32, offset: i64) -> bool {
        self.resume.get(&partition).is_some_and(|resume| offset >= *resume)
    }

    fn set_aside(&mut self, letter: &DeadLetter) -> Result<(), BrokerError> {
        if !self.may_send() {
            return Ok(());
        }
        let ticket = self.ledger.lock().take(letter.source.partition, letter.source.offset, 1);
        if ticket == NO_TICKET {
            return Ok(());
        }
        self.send_letter(letter, ticket)
    }

    fn send_letter(&self, letter: &DeadLetter, ticket: usize) -> Result<(), BrokerError> {
        self.metrics.dead_letters.with_label_values(&[letter.rejection.class]).inc();
        self.status.dead_letters.fetch_add(1, Ordering::Relaxed);
        tracing::debug!("{}: set aside: {}", letter.source, letter.rejection.message);
        let mut paused = Backpressure::new(&self.intake);
        self.sent(self.dead_letters.send(letter, &self.publisher, ticket, || paused.wait()))
    }
}

/// One input of a batch, in the order of the topic.
enum Slot {
    /// Index among the records given to the stage.
    Record(usize),
    Dead(DeadLetter),
}

/// What a batch came to.
#[derive(Default)]
struct Counts {
    live: u64,
    rebuilt: u64,
    outputs: u64,
    by_label: Vec<(&'static str, u64)>,
}

impl Counts {
    fn output(&mut self, label: Option<&'static str>) {
        self.outputs += 1;
        let Some(label) = label else { return };
        match self.by_label.iter_mut().find(|(known, _)| *known == label) {
            Some((_, count)) => *count += 1,
            None => self.by_label.push((label, 1)),
        }
    }

    fn report(&self, metrics: &Metrics, status: &WorkStatus) {
        metrics.records.inc_by(self.live);
        metrics.outputs.inc_by(self.outputs);
        metrics.restored.inc_by(self.rebuilt);
        if let Some(counter) = &metrics.by_label {
            self.by_label.iter().for_each(|(label, count)| counter.with_label_values(&[label]).inc_by(*count));
        }
        status.records.fetch_add(self.live, Ordering::Relaxed);
        status.outputs.fetch_add(self.outputs, Ordering::Relaxed);
        status.restored.fetch_add(self.rebuilt, Ordering::Relaxed);
    }
}
