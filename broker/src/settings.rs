//! The one place where Kafka clients are configured. Everyone else asks [`KafkaSettings`] for a client.
//!
//! Order: our defaults, then what is needed on the embedded broker, then the user's `[kafka]` table untouched, then what
//! must hold whatever the user says (commits and acknowledgements are the driver's).

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaResult;
use rdkafka::metadata::Metadata;
use serde::{Deserialize, Serialize};
use tidegate_schemas::Topic;
use tidegate_schemas::catalogue::DEFAULT_PREFIX;

use crate::error::BrokerError;
use crate::logging::QuietContext;

/// How long to wait for a broker's answer.
pub(crate) const ASK: Duration = Duration::from_secs(10);

/// Between two times that the same is asked.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// How often a client tells its statistics, ms.
pub(crate) const STATISTICS_MS: &str = "1000";

/// Between two looks at why there is no answer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Compression of what we produce.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Snappy: little CPU, the default.
    #[default]
    Snappy,
    /// Zstandard: fewer bytes, more CPU.
    Zstd,
    /// LZ4.
    Lz4,
    /// No compression.
    None,
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::None => "none",
        }
    }
}

/// How to reach Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaSettings {
    /// `HOST:PORT,…`
    pub brokers: String,
    /// Prefix of topic and group names.
    pub prefix: String,
    /// Compression of what we produce.
    pub compression: Compression,
    /// How long the client waits for more records before it sends a batch, in milliseconds.
    pub linger_ms: u32,
    /// Whether the broker is the embedded one.
    pub embedded: bool,
    /// Settings of the client library, passed on untouched.
    pub extra: BTreeMap<String, String>,
}

impl Default for KafkaSettings {
    fn default() -> Self {
        Self {
            brokers: "localhost:9092".into(),
            prefix: DEFAULT_PREFIX.into(),
            compression: Compression::default(),
            linger_ms: 1,
            embedded: false,
            extra: BTreeMap::new(),
        }
    }
}

impl KafkaSettings {
    /// Full name of a topic.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> String {
        topic.name(&self.prefix)
    }

    /// Settings for readers of a topic on which little comes: the embedded broker, which knows no long polls, is asked less
    /// often.
    #[must_use]
    pub fn unhurried(&self) -> Self {
        let mut settings = self.clone();
        if settings.embedded {
            settings.extra.entry("fetch.wait.max.ms".into()).or_insert_with(|| "50".into());
        }
        settings
    }

    /// Consumer group of a role.
    #[must_use]
    pub fn group(&self, role: &str) -> String {
        format!("{}{role}", self.prefix)
    }

    /// Settings for a client that only asks (metadata, administration).
    pub(crate) fn client(&self) -> ClientConfig {
        let mut config = self.base();
        self.add_extra(&mut config);
        config
    }

    /// Settings for a producer.
    #[must_use]
    pub fn producer(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set("compression.type", self.compression.name())
            .set("linger.ms", self.linger_ms.to_string())
            .set("partitioner", "murmur2_random")
            .set("batch.num.messages", "10000")
            .set("queue.buffering.max.messages", "100000")
            .set("queue.buffering.max.kbytes", "65536")
            // An outage is waited out, never turned into a loss.
            .set("message.timeout.ms", "0");
        self.add_extra(&mut config);
        config.set("enable.idempotence", "true").set("acks", "all");
        config
    }

    /// Settings for a producer of transactions under an id of its own.
    pub(crate) fn transactional_producer(&self, id: &str) -> ClientConfig {
        let mut config = self.producer();
        let bound = self.transaction_timeout_ms();
        config.set("transactional.id", id).set("transaction.timeout.ms", &bound);
        // A record that can not be sent ends its transaction, not the stage: its input is read again.
        config.set("message.timeout.ms", &bound);
        config
    }

    /// When the broker ends a transaction that nobody ends, ms.
    fn transaction_timeout_ms(&self) -> String {
        self.extra.get("transaction.timeout.ms").cloned().unwrap_or_else(|| "10000".into())
    }

    /// Settings for a consumer; `group` is `None` for readers that keep their own position.
    #[must_use]
    pub fn consumer(&self, group: Option<&str>) -> ClientConfig {
        let mut config = self.base();
        config
            .set("group.id", group.unwrap_or("tidegate-reader"))
            .set("auto.offset.reset", "earliest")
            .set("check.crcs", "true")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "10000")
            .set("queued.max.messages.kbytes", "16384")
            // The stock second starves a consumer that empties its queue.
            .set("fetch.queue.backoff.ms", "2");
        if self.embedded {
            // An empty fetch on the embedded broker waits this long, also when a record arrives.
            config.set("fetch.wait.max.ms", "1");
        }
        if group.is_some() {
            config.set("statistics.interval.ms", STATISTICS_MS);
        }
        self.add_extra(&mut config);
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        // What was taken back, or may yet be, was never said.
        config.set("isolation.level", "read_committed");
        config
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that may")]
    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("client.id", client_id()).set("log_level", "6");
        config.set_log_level(RDKafkaLogLevel::Warning);
        config
    }

    fn add_extra(&self, config: &mut ClientConfig) {
        for (key, value) in &self.extra {
            config.set(key, value);
        }
    }

    /// Number of partitions of a topic.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where no broker answers within `timeout`, [`BrokerError::MissingTopic`] where there
    /// is no such topic.
    pub fn partition_count(&self, topic: &str, timeout: Duration) -> Result<i32, BrokerError> {
        // A consumer asks: for a producer the broker might create the topic, with settings of its own.
        let client: BaseConsumer<QuietContext> = create(&self.client(), QuietContext::default())?;
        let metadata = self.ask(&client, Some(topic), timeout)?;
        let found = metadata.topics().iter().find(|t| t.name() == topic).map_or(0, |t| t.partitions().len());
        match i32::try_from(found) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(BrokerError::MissingTopic(topic.into())),
        }
    }

    /// Checks that a broker answers.
    ///
    /// # Errors
    /// [`BrokerError::Unreachable`] where none does within `timeout`; [`BrokerError::Settings`] where the client library
    /// refuses the settings.
    pub fn check_reachable(&self, timeout: Duration) -> Result<(), BrokerError> {
        self.metadata(timeout).map(drop)
    }

    /// Of the brokers and all topics; errors as of [`KafkaSettings::check_reachable`].
    pub(crate) fn metadata(&self, timeout: Duration) -> Result<Metadata, BrokerError> {
        let client: BaseConsumer<QuietContext> = create(&self.client(), QuietContext::default())?;
        self.ask(&client, None, timeout)
    }

    /// Asks for metadata; where there is no answer, says why: somebody who refuses us is not away.
    fn ask(
        &self,
        client: &BaseConsumer<QuietContext>,
        topic: Option<&str>,
        timeout: Duration,
    ) -> Result<Metadata, BrokerError> {
        let until = Instant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let error = match client.fetch_metadata(topic, left.min(LOOK_EVERY)) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error,
            };
            // What the client has to say comes with a poll.
            while client.poll(Duration::ZERO).is_some() {}
            if let Some(message) = client.context().refusal() {
                return Err(BrokerError::Refused { what: format!("connecting to {}", self.brokers), message });
            }
            if left.is_zero() {
                return Err(self.unreachable(&error));
            }
        }
    }

    /// Asks again, for a while, where that can help: what was created a moment ago may not be served yet.
    pub(crate) fn patiently<T>(
        &self,
        what: impl Fn() -> String,
        ask: impl Fn() -> KafkaResult<T>,
    ) -> Result<T, BrokerError> {
        let until = Instant::now() + ASK;
        loop {
            match ask() {
                Ok(answer) => return Ok(answer),
                Err(e) if Instant::now() > until => return Err(self.unreachable(&e)),
                Err(e) => match BrokerError::kafka(what(), e) {
                    e if e.is_retryable() => std::thread::sleep(ASK_AGAIN),
                    e => return Err(e),
                },
            }
        }
    }

    pub(crate) fn unreachable(&self, source: &rdkafka::error::KafkaError) -> BrokerError {
        BrokerError::Unreachable { brokers: self.brokers.clone(), message: source.to_string() }
    }
}

/// Makes a client of any kind.
pub(crate) fn create<C: ClientContext, T: FromClientConfigAndContext<C>>(
    config: &ClientConfig,
    context: C,
) -> Result<T, BrokerError> {
    config.create_with_context(context).map_err(|e| BrokerError::kafka("creating a Kafka client", e))
}

/// Differs between processes and clients: cooperative-sticky needs that.
fn client_id() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static CLIENTS: AtomicU32 = AtomicU32::new(0);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
    let number = CLIENTS.fetch_add(1, Ordering::Relaxed);
    format!("tidegate-{}-{nanos:08x}-{number}", std::process::id())
}
