//! How large a record the topics take on which we publish, so that one that is too large is known before it is sent: a broker
//! would refuse it with all that came in the same batch.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, ResourceSpecifier};

use tidegate_schemas::Topic;

use crate::logging::QuietContext;
use crate::settings::{KafkaSettings, create};

/// What a batch adds to its records, with some room.
const OVERHEAD: usize = 512;
/// Less than this the client library does not take.
const LEAST: usize = 1000;
/// How long a broker may take to tell: an embedded one in another process never does, and work begins without.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at an answer.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Largest batch that all these topics take (`max.message.bytes`); `None` where the broker does not tell.
pub(crate) fn of_topics(settings: &KafkaSettings, topics: &[Topic]) -> Option<usize> {
    // The embedded broker has no administration.
    if settings.embedded {
        return None;
    }
    let admin: AdminClient<QuietContext> = create(&settings.client(), QuietContext::default()).ok()?;
    let names: Vec<String> = topics.iter().map(|topic| settings.topic(*topic)).collect();
    let resources: Vec<_> = names.iter().map(|name| ResourceSpecifier::Topic(name)).collect();
    let options = AdminOptions::new().request_timeout(Some(PATIENCE));
    let described = block_on(admin.describe_configs(&resources, &options));
    let limit = |config: rdkafka::admin::ConfigResource| config.get("max.message.bytes")?.value.as_ref()?.parse().ok();
    match described {
        Ok(described) => described.into_iter().filter_map(|topic| topic.ok().and_then(limit)).min(),
        Err(e) => {
            tracing::info!("the broker does not tell how large a record may be, the usual limit is taken: {e}");
            None
        }
    }
}

/// Settings of a producer whose records and batches are within `limit`.
pub(crate) fn within(mut config: ClientConfig, limit: Option<usize>) -> ClientConfig {
    const DEFAULT: usize = 1_000_000;
    let Some(limit) = limit else { return config };
    let ours = config.get("message.max.bytes").and_then(|set| set.parse().ok()).unwrap_or(DEFAULT);
    config.set("message.max.bytes", limit.saturating_sub(OVERHEAD).clamp(LEAST, ours.max(LEAST)).to_string());
    config
}

/// The client library completes admin calls on a thread of its own: looking now and then is enough.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
