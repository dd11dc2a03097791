//! The faults themselves: each does its harm, looks whether the harm came about, and undoes it.

mod brokers;
mod clock;
mod delivery;
mod links;
mod processes;
mod topics;

pub(super) use clock::HANGS;

use std::time::Duration;

use super::kinds::Kind;
use super::schedule::Planned;
use super::site::Site;

/// How long harm may take to show, on a busy machine.
const SHOWS: Duration = Duration::from_secs(60);

/// Whether the harm came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// It did: what was seen.
    Seen(String),
    /// It did not, or was not seen: it does not count.
    NotSeen(String),
}

impl Effect {
    /// Seen, or why not.
    fn when(seen: bool, what: impl Into<String>, why_not: impl Into<String>) -> Self {
        if seen { Self::Seen(what.into()) } else { Self::NotSeen(why_not.into()) }
    }
}

/// Does one fault from its beginning to its end.
///
/// # Errors
/// Where the suite itself can not go on, e.g. a broker does not come back.
pub fn inject(site: &Site, fault: &Planned) -> anyhow::Result<Effect> {
    match fault.kind {
        Kind::Kill9 => processes::kill(site, fault),
        Kind::Sigterm => processes::stop(site, fault),
        Kind::Freeze => processes::freeze(site, fault),
        Kind::RegistryOutage => processes::start_without_registry(site, fault),
        Kind::BrokerKill9 => brokers::kill(site, fault),
        Kind::BrokerStop => brokers::stop(site, fault),
        Kind::LinkCut => links::cut(site, fault),
        Kind::LinkSlow => links::slow(site, fault),
        Kind::RebalanceStorm => topics::rebalance(site, fault),
        Kind::Poison => topics::poison(site, fault),
        Kind::WebhookOutage => delivery::refuse(site, fault),
        Kind::FullDisk => delivery::fill(site, fault),
        Kind::ClockJump => clock::jump(site, fault),
    }
}
