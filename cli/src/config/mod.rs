//! Settings: one TOML file, then `TIDEGATE_…` variables, then flags; the later one wins. Unknown keys are refused.
//!
//! ```toml
//! brokers = "kafka-1:9092,kafka-2:9092"
//! prefix = "tidegate."
//! schema.registry.url = "http://registry:8081"
//!
//! [kafka]                      # to the client library, untouched
//! "security.protocol" = "SSL"
//!
//! [forecast]
//! model = "fleet.tidemodel"
//!
//! [quota]
//! min_scale = 0.5
//! max_scale = 2.0
//! lease_s = 300
//! ```

mod alerts;
mod edge;
mod gateway;
mod processing;
mod quota;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use tidegate_broker::https::Authorities;
use tidegate_broker::registry::RegistryClient;
use tidegate_broker::{Compression, KafkaSettings, Stop};
use tidegate_quota::Settings as QuotaSettings;
use tidegate_schemas::trace::HeadSampler;
use tidegate_schemas::{CatalogueIds, SchemaIds};

use crate::args::Common;
use crate::exit::{self, failure};

pub(crate) use alerts::Alerts;
pub(crate) use edge::{CountBy, Edge, LoadOf};
pub(crate) use gateway::Gateway;
pub(crate) use processing::{Guarantee, Processing, Restore};
pub(crate) use quota::{Quota, Share};

/// Batch of the stages where nothing else is set.
const MAX_BATCH: usize = 5000;

/// The settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Settings {
    /// `HOST:PORT,…`
    brokers: Option<String>,
    /// Prefix of topics and groups.
    prefix: Option<String>,
    /// Compression of what is produced: snappy, zstd, lz4 or none.
    compression: Compression,
    /// How long the producer waits to fill a batch.
    linger_ms: Option<u32>,
    /// PEM file of the authorities that are believed where tidegate asks others by https.
    pub(crate) https_ca: Option<PathBuf>,
    /// What it holds.
    #[serde(skip)]
    pub(crate) authorities: Authorities,
    /// Address of `/metrics`.
    pub(crate) metrics_listen: Option<String>,
    /// `schema.registry.url`
    schema: Schema,
    /// To the client library.
    kafka: BTreeMap<String, toml::Value>,
    pub(crate) processing: Processing,
    pub(crate) forecast: Forecast,
    pub(crate) quota: Quota,
    pub(crate) deliver: Deliver,
    pub(crate) alerts: Alerts,
    pub(crate) export: Export,
    pub(crate) edge: Edge,
    pub(crate) gateway: Gateway,
    pub(crate) trace: Trace,
}

/// Spans of our own.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Trace {
    /// Share of the reports whose traces are recorded.
    pub(crate) sample: Option<Share>,
}

/// Of all traces that begin here, where nothing else is set.
const SAMPLED: f64 = 0.01;

impl Trace {
    /// All traces are recorded, where nothing else is set.
    pub(crate) fn sample_all(&mut self) {
        self.sample = self.sample.or("1".parse().ok());
    }

    /// Begins traces that differ from those of other seeds.
    pub(crate) fn head(&self, seed: u64) -> HeadSampler {
        HeadSampler::new(seed, self.sample.map_or(SAMPLED, Share::get))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Schema {
    registry: Registry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Registry {
    url: Option<String>,
}

/// The forecast stage.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Forecast {
    /// Artifact; without it the shipped model forecasts.
    pub(crate) model: Option<PathBuf>,
    /// Records in one batch at most.
    pub(crate) max_batch: Option<usize>,
}

/// The delivery sink.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Deliver {
    pub(crate) webhook: Option<String>,
    pub(crate) folder: Option<PathBuf>,
}

impl Deliver {
    /// Whether commands are to be delivered anywhere.
    pub(crate) fn has_target(&self) -> bool {
        self.webhook.is_some() || self.folder.is_some()
    }
}

/// The export of spans.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Export {
    /// Address of the OTLP backend.
    pub(crate) otlp: Option<String>,
    pub(crate) protocol: Option<ExportProtocol>,
    /// Headers of every request, such as a token.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) compression: Option<BodyCompression>,
}

/// Transport of what is exported; the words are those of `OTEL_EXPORTER_OTLP_PROTOCOL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
pub(crate) enum ExportProtocol {
    /// To port 4318, as a rule
    #[serde(rename = "http/protobuf")]
    #[value(name = "http/protobuf")]
    Http,
    /// To port 4317, as a rule
    #[serde(rename = "grpc")]
    #[value(name = "grpc")]
    Grpc,
}

/// Compression of what is exported; the flag's and the file's words are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BodyCompression {
    /// As OTLP's clients have it
    Gzip,
    /// For receivers that know none
    None,
}

impl Settings {
    /// Reads the file that the flags name, if any, and lays the flags over it.
    pub(crate) fn load(common: &Common) -> anyhow::Result<Self> {
        let mut settings = match &common.config {
            Some(path) => Self::read(path)?,
            None => Self::default(),
        };
        let over = |slot: &mut Option<String>, flag: &Option<String>| {
            if flag.is_some() {
                slot.clone_from(flag);
            }
        };
        over(&mut settings.brokers, &common.brokers);
        over(&mut settings.prefix, &common.prefix);
        over(&mut settings.schema.registry.url, &common.schema_registry_url);
        settings.https_ca = common.https_ca.clone().or(settings.https_ca);
        if let Some(path) = &settings.https_ca {
            settings.authorities = Authorities::read(path)?;
        }
        Ok(settings)
    }

    /// As [`Settings::load`], with keys of the `[quota]` table laid over it; whatever key that table knows may be given.
    pub(crate) fn load_with(common: &Common, quota: &[(String, toml::Value)]) -> anyhow::Result<Self> {
        let mut settings = Self::load(common)?;
        let mut file = toml::Table::new();
        if let Some(path) = &common.config {
            file = std::fs::read_to_string(path)?.parse()?;
        }
        let mut table = match file.remove("quota") {
            Some(toml::Value::Table(table)) => table,
            _ => toml::Table::new(),
        };
        for (key, value) in quota {
            // Each on its own first, so that what is wrong is named with its key.
            let alone = toml::Table::from_iter([(key.clone(), value.clone())]);
            alone.try_into::<Quota>().map_err(|e| {
                let said = e.message();
                failure(exit::CONFIG, format!("the quota setting {key} = {value}: {said}"))
            })?;
            table.insert(key.clone(), value.clone());
        }
        settings.quota = table.try_into()?;
        Ok(settings)
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let said = |e: &dyn std::fmt::Display| {
            failure(exit::CONFIG, format!("the settings file {}: {}", path.display(), e.to_string().trim()))
        };
        let text = std::fs::read_to_string(path).map_err(|e| said(&e))?;
        Self::parse(&text).map_err(|e| said(&e))
    }

    /// Parses a file's text; errors name their line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| {
            let line = e.span().map(|s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            line.map_or_else(|| e.message().to_owned(), |line| format!("line {line}: {}", e.message()))
        })
    }

    /// How to reach Kafka.
    pub(crate) fn kafka(&self) -> anyhow::Result<KafkaSettings> {
        let defaults = KafkaSettings::default();
        let brokers = self.brokers.clone().unwrap_or(defaults.brokers);
        if brokers.trim().is_empty() {
            return Err(failure(exit::CONFIG, "the setting brokers is empty; it wants HOST:PORT,…"));
        }
        let extra = self.kafka.iter().map(|(key, value)| Ok((key.clone(), plain(key, value)?)));
        Ok(KafkaSettings {
            brokers,
            prefix: self.prefix.clone().unwrap_or(defaults.prefix),
            compression: self.compression,
            linger_ms: self.linger_ms.unwrap_or(defaults.linger_ms),
            embedded: false,
            extra: extra.collect::<anyhow::Result<_>>()?,
        })
    }

    /// The prefix, where the user gave one.
    pub(crate) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Where schema ids come from.
    pub(crate) fn schema_ids(&self, kafka: &KafkaSettings, stop: &Stop) -> Arc<dyn SchemaIds> {
        match self.registry(kafka, stop) {
            Some(registry) => Arc::new(registry),
            None => Arc::new(CatalogueIds),
        }
    }

    /// The outside registry, where one is set.
    pub(crate) fn registry(&self, kafka: &KafkaSettings, stop: &Stop) -> Option<RegistryClient> {
        let url = self.schema.registry.url.as_deref().filter(|url| !url.is_empty())?;
        Some(RegistryClient::new(url, &kafka.prefix, &self.authorities, stop))
    }

    /// Settings of the quota stage, checked.
    pub(crate) fn quota(&self) -> anyhow::Result<QuotaSettings> {
        Ok(self.quota.settings()?)
    }

    /// Records in one batch at most.
    pub(crate) fn max_batch(&self) -> usize {
        self.forecast.max_batch.unwrap_or(MAX_BATCH)
    }
}

/// A value of the `[kafka]` table as the client library wants it.
fn plain(key: &str, value: &toml::Value) -> anyhow::Result<String> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::Boolean(yes) => Ok(yes.to_string()),
        _ => Err(failure(
            exit::CONFIG,
            format!("the setting kafka.{key} must be a text, a number or true/false; write dotted names in quotes"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_and_table_settings_are_read() {
        let text = "brokers = \"a:1\"\nschema.registry.url = \"http://r\"\n[kafka]\n\"linger.ms\" = 7\n[quota]\nmax_scale = 2.0\n";
        let settings = Settings::parse(text).unwrap();
        assert_eq!(settings.schema.registry.url.as_deref(), Some("http://r"));
        let kafka = settings.kafka().unwrap();
        assert_eq!((kafka.brokers.as_str(), kafka.extra["linger.ms"].as_str()), ("a:1", "7"));
        assert!((settings.quota().unwrap().rails.max_scale - 2.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_unknown_setting_is_named_with_its_line() {
        let said = Settings::parse("prefix = \"x.\"\nbrockers = \"a:1\"\n").unwrap_err();
        assert!(said.starts_with("line 2: unknown field `brockers`"), "{said}");
    }

    #[test]
    fn a_nested_kafka_table_is_refused_with_advice() {
        let settings = Settings::parse("[kafka]\nsecurity.protocol = \"SSL\"\n").unwrap();
        let said = settings.kafka().unwrap_err().to_string();
        assert!(said.contains("kafka.security") && said.contains("in quotes"), "{said}");
    }
}
