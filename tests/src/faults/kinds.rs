//! The kinds of harm, where each is done, and for how long.

use std::fmt;

use crate::kafka::cluster::BROKERS;

/// Processes of `tidegate run` that share the work.
pub const PROCESSES: usize = 3;
/// Seconds without a sign of life after which a group goes on without a member.
pub const SESSION_S: u64 = 6;
/// The process whose clock can be moved.
pub const CLOCKED: usize = PROCESSES - 1;

/// A kind of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, clap::ValueEnum)]
pub enum Kind {
    /// One of ours is killed, and started again.
    #[value(name = "kill9")]
    Kill9,
    /// One of ours is told to stop, and started again.
    Sigterm,
    /// One of ours is held still for longer than its session.
    Freeze,
    /// A broker is killed, and started again with its data.
    #[value(name = "broker-kill9")]
    BrokerKill9,
    /// A broker is told to stop, and started again.
    BrokerStop,
    /// All connections between us and a broker break, and none comes about.
    LinkCut,
    /// What passes between us and a broker takes its time.
    LinkSlow,
    /// More processes join and leave.
    RebalanceStorm,
    /// Records that cannot be processed.
    Poison,
    /// The schema registry is away while one of ours starts.
    RegistryOutage,
    /// The webhook refuses.
    WebhookOutage,
    /// The disk of the delivery folder is full.
    FullDisk,
    /// The clock of one of ours jumps, and jumps back.
    ClockJump,
}

/// What a fault needs for itself: the faults of one lane come one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// One of our processes.
    Process(usize),
    /// The brokers: one is away at a time, so that two are there.
    Brokers,
    /// The links to the brokers.
    Links,
    /// What delivers.
    Delivery,
    /// The topics and groups.
    Group,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 13] = [
        Self::Kill9,
        Self::Sigterm,
        Self::Freeze,
        Self::BrokerKill9,
        Self::BrokerStop,
        Self::LinkCut,
        Self::LinkSlow,
        Self::RebalanceStorm,
        Self::Poison,
        Self::RegistryOutage,
        Self::WebhookOutage,
        Self::FullDisk,
        Self::ClockJump,
    ];

    /// Its name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kill9 => "kill9",
            Self::Sigterm => "sigterm",
            Self::Freeze => "freeze",
            Self::BrokerKill9 => "broker-kill9",
            Self::BrokerStop => "broker-stop",
            Self::LinkCut => "link-cut",
            Self::LinkSlow => "link-slow",
            Self::RebalanceStorm => "rebalance-storm",
            Self::Poison => "poison",
            Self::RegistryOutage => "registry-outage",
            Self::WebhookOutage => "webhook-outage",
            Self::FullDisk => "full-disk",
            Self::ClockJump => "clock-jump",
        }
    }

    /// How many of its targets there are.
    #[must_use]
    pub fn targets(self) -> usize {
        match self {
            Self::Kill9 | Self::Sigterm | Self::Freeze | Self::RegistryOutage => PROCESSES,
            Self::BrokerKill9 | Self::BrokerStop | Self::LinkCut | Self::LinkSlow => BROKERS,
            Self::RebalanceStorm | Self::Poison | Self::WebhookOutage | Self::FullDisk | Self::ClockJump => 1,
        }
    }

    /// Where it is done.
    #[must_use]
    pub fn lane(self, target: usize) -> Lane {
        match self {
            Self::Kill9 | Self::Sigterm | Self::Freeze | Self::RegistryOutage => Lane::Process(target),
            Self::ClockJump => Lane::Process(CLOCKED),
            Self::BrokerKill9 | Self::BrokerStop => Lane::Brokers,
            Self::LinkCut | Self::LinkSlow => Lane::Links,
            Self::WebhookOutage | Self::FullDisk => Lane::Delivery,
            Self::RebalanceStorm | Self::Poison => Lane::Group,
        }
    }

    /// Shortest and longest time that it lasts, ms.
    #[must_use]
    pub fn lasts_ms(self) -> (u64, u64) {
        match self {
            // Until it is started again.
            Self::Kill9 | Self::Sigterm => (0, 4_000),
            Self::Freeze => (SESSION_S * 1000 + 2_000, SESSION_S * 1000 + 6_000),
            Self::BrokerKill9 | Self::BrokerStop => (1_000, 9_000),
            Self::LinkCut => (1_000, 12_000),
            Self::LinkSlow | Self::WebhookOutage | Self::FullDisk | Self::ClockJump => (3_000, 8_000),
            // From one joining to its leaving, and between records.
            Self::RebalanceStorm => (300, 2_500),
            Self::Poison => (0, 200),
            Self::RegistryOutage => (1_000, 6_000),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
