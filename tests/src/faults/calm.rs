//! The undisturbed run: the very records of the load topic, poison included, at the same places of another one, answered by
//! one process of the real program without faults.

use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;
use tidegate_schemas::Topic;

use crate::binary;
use crate::client::{self, Raw};

use super::checker::Answers;
use super::site::{CALM, QUOTA, Site, provision};
use super::stream::Stream;

/// Without anything new.
const PATIENCE: Duration = Duration::from_secs(120);
/// Records that are sent at once.
const CHUNK: usize = 5_000;

/// Answers the load of a disturbed run again.
///
/// # Errors
/// Where a part fails, or the answers do not come.
pub fn answers(site: &Site, load: &[Raw], wanted: usize) -> anyhow::Result<Answers> {
    let bootstrap = site.cluster.bootstrap();
    provision(&site.cluster, CALM)?;
    for chunk in load.chunks(CHUNK) {
        client::produce(&bootstrap, &Topic::Load.name(CALM), chunk)?;
    }
    let folder = TempDir::new()?;
    let settings = folder.path().join("tidegate.toml");
    std::fs::write(&settings, QUOTA)?;
    let settings = settings.display().to_string();
    let place = ["--brokers", &bootstrap, "--prefix", CALM, "--config", &settings];
    let running = binary::spawn(&[&["run", "forecast", "quota"], &place[..]].concat());
    let stream = |topic| Stream::of(&bootstrap, topic, CALM, &site.registry_url);
    let mut streams = [stream(Topic::Forecasts)?, stream(Topic::Quotas)?];
    for stream in &mut streams {
        ensure!(
            stream.wait_for(wanted, PATIENCE)?,
            "the undisturbed run did not answer everything:\n{}",
            running.stderr()
        );
    }
    let [forecasts, quotas] = streams;
    let answers = Answers { forecasts: forecasts.into_answers()?, quotas: quotas.into_answers()? };
    let ended = running.terminate().context("ending the undisturbed run")?;
    ensure!(ended.code == Some(0), "the undisturbed run ended badly:\n{}", ended.stderr);
    Ok(answers)
}
