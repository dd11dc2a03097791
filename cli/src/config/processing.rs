//! The `[processing]` table: what the stages promise, and how their state comes back.

use std::time::Duration;

use serde::Deserialize;
use tidegate_broker::Processing as Promise;

use crate::exit::{self, failure};

/// Records that may wait where nothing else is set: ten seconds of a thousand nodes.
const READY_LAG: i64 = 10_000;

/// How often an answer may stand on the topics; the flag's and the file's words are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub(crate) enum Guarantee {
    /// Once or, after a crash, again
    AtLeastOnce,
    /// Once, by Kafka's transactions
    ExactlyOnce,
}

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
    pub(crate) guarantee: Option<Guarantee>,
    /// How long a transaction gathers answers.
    transaction_ms: Option<u32>,
    pub(crate) restore: Restore,
    ready_lag: Option<u32>,
    /// Whether the state of partitions that others hold is followed.
    pub(crate) standby: Option<bool>,
}

impl Processing {
    /// Most records that may wait on the input of a stage that is ready.
    pub(crate) fn ready_lag(&self) -> i64 {
        self.ready_lag.map_or(READY_LAG, i64::from)
    }

    /// As the stages take it, checked.
    pub(crate) fn promise(&self) -> anyhow::Result<Promise> {
        let mut promise = Promise::default();
        promise.guarantee = match self.guarantee {
            None => promise.guarantee,
            Some(Guarantee::AtLeastOnce) => tidegate_broker::Guarantee::AtLeastOnce,
            Some(Guarantee::ExactlyOnce) => tidegate_broker::Guarantee::ExactlyOnce,
        };
        promise.standby = self.standby.unwrap_or(promise.standby);
        match self.transaction_ms {
            None => {}
            Some(ms @ 1..=5000) => promise.transaction = Duration::from_millis(u64::from(ms)),
            Some(ms) => {
                let said = format!("the setting processing.transaction_ms is {ms}; it must be 1 to 5000");
                return Err(failure(exit::CONFIG, said));
            }
        }
        Ok(promise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Promise, String> {
        let table: Processing = toml::from_str(text).map_err(|e| e.to_string())?;
        table.promise().map_err(|e| e.to_string())
    }

    #[test]
    fn every_processing_setting_is_read() {
        assert!(!parsed("").unwrap().is_exactly_once());
        let promise = parsed("guarantee = \"exactly_once\"\ntransaction_ms = 20\nstandby = true\n").unwrap();
        assert!(promise.is_exactly_once() && promise.standby);
        assert_eq!(promise.transaction, Duration::from_millis(20));
    }

    #[test]
    fn wrong_processing_settings_are_named() {
        let said = parsed("guarantee = \"twice\"").unwrap_err();
        assert!(said.contains("twice") && said.contains("exactly_once"), "{said}");
        let said = parsed("transaction_ms = 0").unwrap_err();
        assert!(said.contains("transaction_ms is 0; it must be 1 to 5000"), "{said}");
    }
}
