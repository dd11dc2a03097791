//! Harm to what takes the quotas.

use anyhow::Context;

use crate::process::wait_until;

use super::super::delivery;
use super::super::schedule::Planned;
use super::super::site::Site;
use super::{Effect, SHOWS};

/// What the system says of a full disk.
const FULL: &str = "os error 28";

/// What the sink says of each reason why a target is away, and when it is back.
const AWAY: &str = "trying again until it is taken";
const BACK: &str = "delivering again after";

/// The webhook answers 503.
pub(super) fn refuse(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let before = site.webhook.refused();
    site.webhook.answer_with(503);
    std::thread::sleep(fault.lasts);
    let refused = wait_until(SHOWS, || site.webhook.refused() > before);
    site.webhook.answer_with(200);
    let what = format!("{} requests were refused", site.webhook.refused() - before);
    Ok(Effect::when(refused.is_ok(), what, "nothing came to be refused"))
}

/// The folder's disk is full.
pub(super) fn fill(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    // It tells of one outage at a time: the one before must be over.
    let log = || site.delivery.log();
    let is_back = || {
        let log = log();
        log.rfind(AWAY) <= log.rfind(BACK)
    };
    if wait_until(SHOWS, is_back).is_err() {
        return Ok(Effect::NotSeen("the sink is still in another outage".into()));
    }
    let told = || log().matches(FULL).count();
    let before = told();
    let pid = site.delivery.pid().context("the sink does not run")?;
    let ballast = delivery::fill(pid, &site.folder)?;
    std::thread::sleep(fault.lasts);
    let missed = wait_until(SHOWS, || told() > before);
    std::fs::remove_file(&ballast).with_context(|| format!("removing {}", ballast.display()))?;
    Ok(Effect::when(missed.is_ok(), "the sink found the disk full", "the sink wrote on"))
}
