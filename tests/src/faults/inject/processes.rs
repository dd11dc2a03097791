//! Harm to our own processes.

use std::sync::{Mutex, PoisonError};

use crate::process::wait_until;

use super::super::member::Member;
use super::super::schedule::Planned;
use super::super::site::Site;
use super::{Effect, SHOWS};

/// The registry is away for one process at a time.
static REGISTRY: Mutex<()> = Mutex::new(());

fn target<'s>(site: &'s Site, fault: &Planned) -> anyhow::Result<&'s Member> {
    let process = &site.processes[fault.target];
    // It may have ended by itself a moment ago.
    process.supervise()?;
    Ok(process)
}

/// SIGKILL, and started again.
pub(super) fn kill(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let process = target(site, fault)?;
    let killed = process.kill();
    std::thread::sleep(fault.lasts);
    process.start()?;
    Ok(Effect::when(killed.is_ok(), format!("{} was killed", process.name()), format!("{killed:?}")))
}

/// SIGTERM, and started again.
pub(super) fn stop(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let process = target(site, fault)?;
    let took = process.stop()?;
    std::thread::sleep(fault.lasts);
    process.start()?;
    Ok(Effect::Seen(format!("{} stopped in {:.1} s", process.name(), took.as_secs_f64())))
}

/// SIGSTOP until its group has gone on without it, then SIGCONT.
pub(super) fn freeze(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let process = target(site, fault)?;
    let Some(pid) = process.pid() else { return Ok(Effect::NotSeen("it does not run".into())) };
    let is_member = || site.members("forecast").is_ok_and(|members| members.contains(&pid));
    if wait_until(SHOWS, is_member).is_err() {
        return Ok(Effect::NotSeen(format!("{} had no partition", process.name())));
    }
    process.signal("STOP")?;
    std::thread::sleep(fault.lasts);
    let gone = wait_until(SHOWS, || site.members("forecast").is_ok_and(|members| !members.contains(&pid)));
    process.signal("CONT")?;
    let what = format!("{} was given up by its group", process.name());
    Ok(Effect::when(gone.is_ok(), what, format!("{} stayed in its group", process.name())))
}

/// Killed, and started again while the registry is away.
pub(super) fn start_without_registry(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let _alone = REGISTRY.lock().unwrap_or_else(PoisonError::into_inner);
    let process = target(site, fault)?;
    // One that has ended by itself has been written down.
    drop(process.kill());
    site.registry.stop()?;
    process.start()?;
    let waits = wait_until(SHOWS, || process.log().contains("waiting for it"));
    std::thread::sleep(fault.lasts);
    site.start_registry()?;
    let why_not = format!("{} did not miss the registry", process.name());
    Ok(Effect::when(waits.is_ok(), format!("{} waited for the registry", process.name()), why_not))
}
