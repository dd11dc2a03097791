//! The centre as an agent sees it: reports go out, commands come in, over Kafka itself or over a gateway.
//!
//! ```text
//!            ┌─ Kafka:   reporting ─> load, follow <─ quotas
//! report ────┤                                │
//!            └─ gateway: Link ────────────────┴─ command ─> keeper
//! ```

use std::sync::Arc;
use std::time::Duration;

use tidegate_broker::{Deliveries, From, KafkaSettings, Publisher, Registry, Stop, Tail};
use tidegate_gateway::Link;
use tidegate_gateway::link::{LinkSettings, OnUpdate, SpoolSettings, addresses};
use tidegate_producers::edge::Heard;
use tidegate_schemas::records::{LoadReport, QuotaCommand};
use tidegate_schemas::{CatalogueIds, Decoder, Topic};
use tidegate_traces::Origin;

use super::follow::{Following, Hears, Quotas, follow};
use super::keeper::Keeper;
use super::reporting::Reporting;
use crate::config::Settings;
use crate::own_spans;

/// Reports kept while no gateway answers: an hour at one every ten seconds.
const KEPT: usize = 360;
/// Bytes and age of the spool, if nothing else is said.
const SPOOL_BYTES: u64 = 16 << 20;
const SPOOL_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// The way to the centre.
pub(super) enum Centre {
    Kafka { reporting: Reporting, publisher: Arc<Publisher>, following: Following },
    Gateway(Link),
}

/// The way to the centre before anything goes over it: whatever is wrong is known here.
pub(super) enum Way {
    Kafka { kafka: KafkaSettings, quotas: Quotas },
    Gateway(LinkSettings),
}

impl Way {
    /// The way that the settings name. An agent that speaks to Kafka and cannot go on from its cache wants a broker that
    /// answers.
    pub(super) fn of(settings: &Settings, node_id: &str, restored: bool) -> anyhow::Result<Self> {
        if let Some(gateways) = settings.edge.gateways() {
            let edge = &settings.edge;
            let credentials = edge.credentials();
            let addresses = addresses(gateways)?;
            credentials.check(&addresses, edge.plain_text_anywhere)?;
            return Ok(Self::Gateway(LinkSettings {
                addresses,
                credentials,
                node_ids: vec![node_id.to_owned()],
                kept: KEPT,
                spool: edge.spool.clone().map(|folder| SpoolSettings {
                    folder,
                    bytes: edge.spool_bytes.unwrap_or(SPOOL_BYTES),
                    age: edge.spool_age_s.map_or(SPOOL_AGE, Duration::from_secs),
                }),
                has_spans: edge.takes_spans(),
                origin: origin(settings),
            }));
        }
        let kafka = settings.kafka()?;
        let quotas = if restored {
            Quotas::Sought(Box::new(kafka.clone()))
        } else {
            crate::commands::reach(&kafka)?;
            Quotas::Found(Box::new(Tail::topic(&kafka, &kafka.topic(Topic::Quotas), From::Beginning)?))
        };
        Ok(Self::Kafka { kafka, quotas })
    }

    /// Begins to listen; reports may be sent.
    pub(super) fn open(
        self,
        settings: &Settings,
        keeper: Arc<Keeper>,
        node_id: &str,
        registry: &Registry,
        stop: &Stop,
    ) -> anyhow::Result<Centre> {
        match self {
            Self::Kafka { kafka, quotas } => {
                let ids = settings.schema_ids(&kafka, stop);
                let origin = origin(settings);
                let hears = Hears { keeper, origin: origin.clone(), topic: kafka.topic(Topic::Quotas) };
                let following = follow(quotas, hears, node_id, Arc::clone(&ids), stop)?;
                let publisher = Arc::new(Publisher::new(&kafka, Arc::new(Deliveries::default()))?);
                let topic = kafka.topic(Topic::Load);
                let reporting = Reporting::start(Arc::clone(&publisher), topic, ids, origin, stop)?;
                Ok(Centre::Kafka { reporting, publisher, following })
            }
            Self::Gateway(link) => {
                let topic = Topic::Quotas.short_name().to_owned();
                let hears = Hears { keeper, origin: link.origin.clone(), topic };
                Ok(Centre::Gateway(Link::start(link, apply(hears), registry)?))
            }
        }
    }
}

impl Centre {
    /// Hands a report over; `false` where nobody sends any more.
    pub(super) fn send(&self, report: LoadReport) -> bool {
        match self {
            Self::Kafka { reporting, .. } => reporting.send(report),
            Self::Gateway(link) => link.send(report),
        }
    }

    /// Waits for what was handed over.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Kafka { reporting, publisher, following } => {
                reporting.finish()?;
                crate::commands::drain(&publisher, || true)?;
                following.finish();
            }
            Self::Gateway(link) => link.finish(),
        }
        Ok(())
    }
}

/// What a gateway passes on is decoded here, by the ids of the catalogue.
fn apply(hears: Hears) -> OnUpdate {
    let mut decoder = Decoder::new(Arc::new(CatalogueIds));
    Box::new(move |update| match decoder.decode::<QuotaCommand>(update.value) {
        Ok(command) => hears.apply(command, if update.kept { Heard::Kept } else { Heard::Live }, update.trace),
        Err(e) => tracing::warn!("a quota command from the gateway: {e}"),
    })
}

/// Every start of an edge begins traces of its own.
fn origin(settings: &Settings) -> Origin {
    Origin::new("tidegate-edge", settings.trace.head(own_spans::seed()))
}
