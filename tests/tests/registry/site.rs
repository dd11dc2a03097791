//! A pipeline on a broker of its own, with a registry beside it.

use std::collections::BTreeSet;

use tidegate_schemas::codec::WriterSchema;
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::{Encoder, RecordKind, SchemaError, SchemaIds, Topic, framing};
use tidegate_tests::binary::{self, Finished, Running};
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::client::{self, Raw};
pub(crate) use tidegate_tests::process::PATIENCE;

use crate::server::SmallRegistry;

/// A command that publishes some load.
pub(crate) const FLEET: [&str; 10] =
    ["simulate", "--no-quotas", "--nodes", "6", "--for", "5m", "--speed", "max", "--trace-sample", "0"];

/// One pipeline.
#[derive(Debug)]
pub(crate) struct Site {
    broker: TestBroker,
    pub(crate) registry: SmallRegistry,
    pub(crate) prefix: String,
}

impl Site {
    pub(crate) fn new(name: &str) -> Self {
        let (broker, prefix) = (TestBroker::embedded(), format!("{name}."));
        broker.provision(&prefix);
        Self { broker, registry: SmallRegistry::start(), prefix }
    }

    fn arguments<'a>(&'a self, command: &[&'a str]) -> Vec<&'a str> {
        let place = ["--brokers", self.broker.bootstrap(), "--prefix", &self.prefix];
        [command, &place, &["--schema-registry-url", &self.registry.url]].concat()
    }

    /// Starts a command that goes on until it is stopped.
    pub(crate) fn start(&self, command: &[&str]) -> Running {
        binary::spawn(&self.arguments(command))
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, command: &[&str]) -> Finished {
        binary::run(&self.arguments(command), PATIENCE)
    }

    pub(crate) fn read(&self, topic: Topic) -> Vec<Raw> {
        client::read_all(self.broker.bootstrap(), &topic.name(&self.prefix)).unwrap()
    }

    /// Waits until a topic holds so many records; what the process said, where it does not.
    pub(crate) fn wait_for(&self, topic: Topic, wanted: usize, running: &Running) {
        let name = topic.name(&self.prefix);
        let waited = client::wait_for_count(self.broker.bootstrap(), &name, wanted as u64, PATIENCE);
        waited.unwrap_or_else(|e| panic!("{e}\n{}", running.stderr()));
    }

    /// Schema ids that stand before the values of a topic.
    pub(crate) fn ids(&self, topic: Topic) -> Vec<u32> {
        let records = self.read(topic);
        let ids: BTreeSet<u32> =
            records.iter().map(|r| framing::split(r.value.as_deref().unwrap()).unwrap().0).collect();
        ids.into_iter().collect()
    }

    /// Puts reports on the load topic, framed with an id.
    pub(crate) fn send_load(&self, id: u32, reports: &[LoadReport]) {
        let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, &Only(id)).unwrap();
        let record = |report: &LoadReport| {
            let mut value = Vec::new();
            encoder.encode(report, &mut value).unwrap();
            Raw::new(report.node_id.as_bytes(), value)
        };
        let records: Vec<Raw> = reports.iter().map(record).collect();
        client::produce(self.broker.bootstrap(), &Topic::Load.name(&self.prefix), &records).unwrap();
    }
}

/// One id for everything that is written.
#[derive(Debug)]
struct Only(u32);

impl SchemaIds for Only {
    fn id_for(&self, _: Topic, _: RecordKind) -> Result<u32, SchemaError> {
        Ok(self.0)
    }

    fn writer_schema(&self, id: u32) -> Result<WriterSchema, SchemaError> {
        Err(SchemaError::UnknownSchemaId { id, source_name: "a writer".into() })
    }
}
