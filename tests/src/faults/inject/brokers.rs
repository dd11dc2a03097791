//! Harm to brokers: one at a time, and whole again before the next.

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
    site.cluster.come_back(fault.target)?;
    Ok(Effect::when(gone, format!("broker {} {what}", fault.target), format!("broker {} went on", fault.target)))
}
