//! Taking topics and consumer groups away from a real Kafka, so that the same names can be used once more.

use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

use crate::client::{self, block_on, config};
use crate::process::PATIENCE;

const AGAIN: Duration = Duration::from_millis(100);

/// Deletes topics and waits until the broker no longer names them.
///
/// # Errors
/// Where the broker refuses, or still names one after [`PATIENCE`].
pub fn delete_topics(bootstrap: &str, names: &[&str]) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create()?;
    for result in block_on(admin.delete_topics(names, &AdminOptions::new()))? {
        result.map_err(|(topic, code)| anyhow::anyhow!("deleting {topic}: {code}"))?;
    }
    let started = Instant::now();
    while client::topics(bootstrap, "")?.iter().any(|(name, _)| names.contains(&name.as_str())) {
        ensure!(started.elapsed() < PATIENCE, "one of {names:?} is still there after {} s", PATIENCE.as_secs());
        std::thread::sleep(AGAIN);
    }
    Ok(())
}

/// Deletes consumer groups with their offsets, waiting until their last members are gone.
///
/// # Errors
/// Where the broker refuses, or one still has members after [`PATIENCE`].
pub fn delete_groups(bootstrap: &str, names: &[&str]) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = config(bootstrap).create()?;
    for name in names {
        let started = Instant::now();
        loop {
            let mut results = block_on(admin.delete_groups(&[name], &AdminOptions::new()))?;
            match results.pop() {
                None | Some(Ok(_) | Err((_, RDKafkaErrorCode::GroupIdNotFound))) => break,
                Some(Err((_, RDKafkaErrorCode::NonEmptyGroup))) if started.elapsed() < PATIENCE => {
                    std::thread::sleep(AGAIN);
                }
                Some(Err((group, code))) => bail!("deleting the group {group}: {code}"),
            }
        }
    }
    Ok(())
}
