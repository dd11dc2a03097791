//! Harm through the topics and groups: members that come and go, records that nobody can process.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::process::wait_until;

use super::super::poison;
use super::super::schedule::Planned;
use super::super::site::Site;
use super::{Effect, SHOWS};

/// Guests of one storm.
const GUESTS: usize = 3;

/// Processes join and leave, in good order or not.
pub(super) fn rebalance(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let mut joined = 0;
    for nth in 0..GUESTS {
        site.guest.start()?;
        let pid = site.guest.pid().unwrap_or_default();
        let is_member = || site.members("forecast").is_ok_and(|members| members.contains(&pid));
        joined += usize::from(wait_until(SHOWS, is_member).is_ok());
        std::thread::sleep(fault.lasts);
        if fault.salt >> nth & 1 == 0 {
            site.guest.stop()?;
        } else {
            site.guest.kill()?;
        }
    }
    Ok(Effect::when(joined > 0, format!("{joined} of {GUESTS} guests were given partitions"), "none was given any"))
}

/// Bad records between good ones.
pub(super) fn poison(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let mut indexes = Vec::new();
    for record in poison::records(fault.salt, site.nodes, now) {
        indexes.push(site.sender.send(&record, None)?);
        std::thread::sleep(fault.lasts);
    }
    let on_the_log = || {
        let list = site.sender.list().lock();
        indexes.iter().all(|index| list[*index].place.is_some())
    };
    let taken = wait_until(SHOWS, on_the_log);
    Ok(Effect::when(taken.is_ok(), format!("{} are on the log", indexes.len()), "the broker did not take them"))
}
