//! Harm to brokers: one at a time, and whole again before the next.

use std::time::Instant;

use super::super::schedule::Planned;
use super::super::site::Site;
use super::Effect;

/// SIGKILL, and started again with its data.
pub(super) fn kill(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    site.cluster.kill(fault.target)?;
    come_back(site, fault, "was killed")
}

/// SIGTERM, and started again.
pub(super) fn stop(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    site.cluster.stop(fault.target)?;
    come_back(site, fault, "was stopped")
}

fn come_back(site: &Site, fault: &Planned, what: &str) -> anyhow::Result<Effect> {
    let gone = !site.cluster.is_running(fault.target);
    std::thread::sleep(fault.lasts);
    let started = Instant::now();
    site.cluster.come_back(fault.target)?;
    let what = format!("broker {} {what}, and in sync {:.1} s after", fault.target, started.elapsed().as_secs_f64());
    Ok(Effect::when(gone, what, format!("broker {} went on", fault.target)))
}
