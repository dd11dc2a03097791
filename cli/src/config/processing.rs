//! The `[processing]` table: what holds for all stages.

use serde::Deserialize;

/// Records that may wait where nothing else is set: ten seconds of a thousand nodes.
const READY_LAG: i64 = 10_000;

/// How the state of the forecast stage comes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Restore {
    /// From checkpoints, and the load since.
    #[default]
    Checkpoints,
    /// From the load alone; no checkpoints are written.
    Rewind,
}

/// The table.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Processing {
    pub(crate) restore: Restore,
    ready_lag: Option<u32>,
}

impl Processing {
    /// Most records that may wait on the input of a stage that is ready.
    pub(crate) fn ready_lag(&self) -> i64 {
        self.ready_lag.map_or(READY_LAG, i64::from)
    }
}
