//! Harm to the links between us and a broker.

use std::time::Duration;

use crate::process::wait_until;

use super::super::schedule::Planned;
use super::super::site::Site;
use super::{Effect, SHOWS};

/// What each piece of a slow link waits.
const SLOW: Duration = Duration::from_millis(250);

/// All connections break, and none comes about.
pub(super) fn cut(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let proxy = &site.proxies[fault.target];
    let before = proxy.broken();
    let open = proxy.cut();
    std::thread::sleep(fault.lasts);
    let broken = proxy.broken() - before;
    proxy.mend();
    let what = format!("{open} connections to broker {} broke, {} were refused", fault.target, broken - open as u64);
    Ok(Effect::when(broken > 0, what, "nobody was connected"))
}

/// What passes waits.
pub(super) fn slow(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let proxy = &site.proxies[fault.target];
    let before = proxy.delayed();
    proxy.slow(SLOW);
    std::thread::sleep(fault.lasts);
    let passed = wait_until(SHOWS, || proxy.delayed() > before);
    proxy.mend();
    let what = format!("{} pieces to and from broker {} waited", proxy.delayed() - before, fault.target);
    Ok(Effect::when(passed.is_ok(), what, "nothing passed"))
}
