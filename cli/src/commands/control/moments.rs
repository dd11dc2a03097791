//! The fleet's event times by the quotas topic: what a control is stamped with where nobody says otherwise.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_broker::{From, KafkaSettings, Stop, Tail};
use tidegate_schemas::records::{QuotaCommand, Target};
use tidegate_schemas::{Decoder, SchemaIds, Topic};

use crate::event_time;
use crate::exit::{self, failure};

/// How long a first command is waited for.
const FIRST_COMMAND: Duration = Duration::from_secs(30);
/// Between two looks for it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// How far back from the end of each partition is looked, in turn, until all targets are found.
const DEPTHS: [i64; 3] = [2_000, 20_000, 200_000];
/// For a list: what is not found here has been silent for long.
const RECENT: [i64; 1] = [2_000];

/// Newest event times.
#[derive(Debug, Default)]
pub(super) struct Moments {
    nodes: HashMap<String, i64>,
    pools: HashMap<String, i64>,
    any: Option<i64>,
}

impl Moments {
    /// Looks for `targets`, far back.
    pub(super) fn look(kafka: &KafkaSettings, ids: &Arc<dyn SchemaIds>, targets: &[&str]) -> anyhow::Result<Self> {
        Self::look_at(kafka, ids, targets, &DEPTHS)
    }

    /// As [`Moments::look`], for what is stamped with the time that is found: on an empty topic the first command is waited for.
    /// By this machine's clock a control might begin hours away from the fleet's event time, or never.
    pub(super) fn wait(
        kafka: &KafkaSettings,
        ids: &Arc<dyn SchemaIds>,
        targets: &[&str],
        stop: &Stop,
    ) -> anyhow::Result<Self> {
        let until = Instant::now() + FIRST_COMMAND;
        let mut moments = Self::look(kafka, ids, targets)?;
        if moments.any.is_none() {
            super::super::tell(format!(
                "no node has a quota command yet; waiting up to {} s for the first, because the control begins by the fleet's event time",
                FIRST_COMMAND.as_secs()
            ));
        }
        while moments.any.is_none() {
            if stop.is_set() || Instant::now() > until {
                let said = "no node has a quota command, so there is no event time at which the control could begin; \
                            start `tidegate run` and its load first, or give a beginning (--from TIME, in a file `from`)";
                return Err(failure(exit::UNAVAILABLE, said));
            }
            std::thread::sleep(LOOK_AGAIN);
            moments = Self::look(kafka, ids, targets)?;
        }
        Ok(moments)
    }

    /// Looks for `targets` among the newest commands.
    pub(super) fn recent(kafka: &KafkaSettings, ids: &Arc<dyn SchemaIds>, targets: &[&str]) -> anyhow::Result<Self> {
        Self::look_at(kafka, ids, targets, &RECENT)
    }

    fn look_at(
        kafka: &KafkaSettings,
        ids: &Arc<dyn SchemaIds>,
        targets: &[&str],
        depths: &[i64],
    ) -> anyhow::Result<Self> {
        let mut moments = Self::default();
        // The embedded broker forgets its oldest records faster than some readers read them.
        let until = Instant::now() + super::super::BROKER_PATIENCE;
        for depth in depths {
            let mut tail = Tail::topic(kafka, &kafka.topic(Topic::Quotas), From::Last(*depth))?;
            let mut decoder = Decoder::new(Arc::clone(ids));
            let mut read = 0;
            while let Some(record) = tail.next_before_end(super::super::BROKER_PATIENCE)? {
                read += 1;
                match decoder.decode::<QuotaCommand>(record.value.as_deref().unwrap_or_default()) {
                    Ok(command) => moments.note(&command),
                    Err(e) if e.is_retryable() => return Err(e.into()),
                    // Tombstones and foreign bytes tell no time.
                    Err(_) => {}
                }
                if Instant::now() > until {
                    return Ok(moments);
                }
            }
            if read < *depth || targets.iter().all(|target| moments.of(target).is_some()) {
                break;
            }
        }
        Ok(moments)
    }

    fn note(&mut self, command: &QuotaCommand) {
        let at = command.timestamp;
        self.any = self.any.max(Some(at));
        for (times, name) in [(&mut self.nodes, &command.node_id), (&mut self.pools, &command.pool)] {
            match times.get_mut(name) {
                Some(newest) => *newest = at.max(*newest),
                None => drop(times.insert(name.clone(), at)),
            }
        }
    }

    /// Newest event time of a target's commands.
    pub(super) fn of(&self, target: &str) -> Option<i64> {
        match Target::of(target)? {
            Target::Node(id) => self.nodes.get(id).copied(),
            Target::Pool(name) => self.pools.get(name).copied(),
        }
    }

    /// The fleet's present for a target: its own newest event time, that of any node, or, for a list, the wall clock.
    pub(super) fn now(&self, target: &str) -> i64 {
        self.of(target).or(self.any).unwrap_or_else(event_time::wall_clock)
    }

    /// When a control of this target begins: right after what is decided already, so that the log still explains that.
    pub(super) fn next(&self, target: &str) -> i64 {
        self.now(target).saturating_add(1)
    }

    /// Says so where nobody knows the target; `true` where somebody does. `stamped`: its time was taken from here.
    pub(super) fn tell_unknown(&self, target: &str, stamped: bool) -> bool {
        let known = self.of(target).is_some();
        if !known {
            let time = if stamped { "; its time is taken from any node's newest event time" } else { "" };
            let whom = super::named(target);
            super::super::tell(format!(
                "no quota command of {whom} is found: its name may be wrong, or it has not reported yet{time}"
            ));
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidegate_schemas::records::Cause;

    fn command(node: &str, pool: &str, timestamp: i64) -> QuotaCommand {
        let json = serde_json::json!({
            "node_id": node, "pool": pool, "timestamp": timestamp, "sequence": timestamp, "base_quota": 1000.0,
            "quota": 1000.0, "scale_factor": 1.0, "reason": "", "limits_hit": [], "predicted_load": 0.0,
            "forecast_p90": 0.0, "current_load": 0.0, "margin": 0.0, "hold_until": null, "model": "", "policy": "",
            "mode": "ENFORCE", "steering": "", "valid_until": 0, "cause": Cause::default(),
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_target_lives_by_its_own_time_and_a_stranger_by_the_fleets() {
        let mut moments = Moments::default();
        let clock = event_time::wall_clock();
        assert!((clock..clock + 60_000).contains(&moments.next("a")), "nobody: the wall clock");
        for (node, pool, at) in [("a", "x", 50), ("a", "x", 40), ("b", "x", 70), ("c", "", 90)] {
            moments.note(&command(node, pool, at));
        }
        let times = ["a", "b", "pool:x", "stranger", "pool:none"].map(|target| moments.next(target));
        assert_eq!(times, [51, 71, 71, 91, 91]);
        assert!(moments.tell_unknown("a", true) && !moments.tell_unknown("stranger", true));
    }
}
