//! The bare loop: consume, produce the same bytes, nothing else. What a stage costs beyond this is its own.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, ThreadedProducer};

use super::settings;

/// From where to where.
#[derive(Debug, Clone, Args)]
#[expect(missing_docs, reason = "Kafka's own names")]
pub struct HopOptions {
    #[arg(long)]
    pub brokers: String,
    #[arg(long)]
    pub from: String,
    #[arg(long)]
    pub to: String,
    #[arg(long)]
    pub group: String,
}

/// Copies records until the process is ended.
///
/// # Errors
/// What Kafka refuses.
pub fn run(options: &HopOptions) -> anyhow::Result<()> {
    let consumer: BaseConsumer = settings::committing_consumer(&options.brokers, &options.group).create()?;
    let producer: ThreadedProducer<DefaultProducerContext> = settings::producer(&options.brokers).create()?;
    consumer.subscribe(&[&options.from])?;
    loop {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message.with_context(|| format!("reading {}", options.from))?;
        let mut next: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&options.to);
        next.key = message.key();
        next.payload = message.payload();
        next.headers = message.headers().map(rdkafka::message::BorrowedHeaders::detach);
        while let Err((error, back)) = producer.send(next) {
            match error {
                KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => next = back,
                other => return Err(other).with_context(|| format!("producing to {}", options.to)),
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
