//! Which control is in force at an event time: the one rule that the quota stage, the page and `tidegate control` share.
//!
//! ```text
//! controls topic, in its order ─> Controls::take ─> by target: what was said, ascending beginnings
//!                                                    └─> of_node, of_pool (event time) ─> the control in force
//! ```
//!
//! A control replaces, from its beginning on, all that was said of its target before it, what was planned for later
//! included; before its beginning the earlier word holds. So the last record of a target alone decides for every event
//! time from its beginning on, and a compacted topic gives the same answer as a whole one. When a control ends, nothing
//! takes its place. A control that says nothing clears.

use std::collections::BTreeMap;
use std::collections::HashMap;

use crate::records::{Control, Target};

/// Controls of one target that are remembered: the latest ones.
const KEPT: usize = 32;

/// What was said, by target.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Controls {
    nodes: HashMap<Box<str>, Vec<Control>>,
    pools: HashMap<Box<str>, Vec<Control>>,
}

impl Controls {
    /// Takes the next control of the topic, a valid one ([`Control::validate`]); one without a target is passed over.
    pub fn take(&mut self, control: Control) {
        let (targets, name) = match Target::of(&control.target) {
            Some(Target::Node(id)) => (&mut self.nodes, Box::from(id)),
            Some(Target::Pool(name)) => (&mut self.pools, Box::from(name)),
            None => return,
        };
        let said: &mut Vec<Control> = targets.entry(name).or_default();
        while said.last().is_some_and(|last| last.timestamp >= control.timestamp) {
            said.pop();
        }
        if said.len() == KEPT {
            said.remove(0);
        }
        said.push(control);
    }

    /// Forgets all that was said of a target: a tombstone.
    pub fn forget(&mut self, target: &str) {
        match Target::of(target) {
            Some(Target::Node(id)) => drop(self.nodes.remove(id)),
            Some(Target::Pool(name)) => drop(self.pools.remove(name)),
            None => {}
        }
    }

    /// Number of targets of which something was said.
    #[must_use]
    pub fn targets(&self) -> usize {
        self.nodes.len() + self.pools.len()
    }

    /// Whether nothing was ever said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.pools.is_empty()
    }

    /// The node's own control in force at an event time.
    #[must_use]
    pub fn of_node(&self, node_id: &str, event_time: i64) -> Option<&Control> {
        if self.nodes.is_empty() { None } else { in_force(self.nodes.get(node_id)?, event_time) }
    }

    /// The pool's control in force at an event time.
    #[must_use]
    pub fn of_pool(&self, pool: &str, event_time: i64) -> Option<&Control> {
        if self.pools.is_empty() { None } else { in_force(self.pools.get(pool)?, event_time) }
    }

    /// Number of targets with a control in force at an event time.
    #[must_use]
    pub fn in_force_at(&self, event_time: i64) -> usize {
        self.all().filter(|said| in_force(said, event_time).is_some()).count()
    }

    /// The last word on a target, in force or not; it may be a clear.
    #[must_use]
    pub fn last(&self, target: &str) -> Option<&Control> {
        let said = match Target::of(target)? {
            Target::Node(id) => self.nodes.get(id),
            Target::Pool(name) => self.pools.get(name),
        };
        said?.last()
    }

    /// What was said of each target, oldest first; targets in the order of their texts.
    #[must_use]
    pub fn by_target(&self) -> BTreeMap<&str, &[Control]> {
        self.all().filter_map(|said| Some((said.first()?.target.as_str(), said.as_slice()))).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Vec<Control>> {
        self.nodes.values().chain(self.pools.values())
    }
}

/// The last that has begun, if it has not ended and says anything.
fn in_force(said: &[Control], event_time: i64) -> Option<&Control> {
    let begun = said.partition_point(|control| control.timestamp <= event_time);
    said[..begun].last().filter(|control| control.spans(event_time) && !control.is_clear())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn control(target: &str, timestamp: i64, until: Option<i64>, quota: Option<f64>) -> Control {
        Control {
            target: target.into(),
            timestamp,
            until,
            override_quota: quota,
            by: "alice".into(),
            why: "test".into(),
            ..Control::default()
        }
    }

    fn of(said: &[Control]) -> Controls {
        let mut controls = Controls::default();
        said.iter().cloned().for_each(|c| controls.take(c));
        controls
    }

    #[test]
    fn a_control_holds_from_its_beginning_to_before_its_end_and_nothing_takes_its_place() {
        let controls = of(&[control("a", 10, None, Some(1.0)), control("a", 20, Some(30), Some(2.0))]);
        let quota = |t| controls.of_node("a", t).and_then(|c| c.override_quota);
        assert_eq!([9, 10, 19].map(quota), [None, Some(1.0), Some(1.0)]);
        assert_eq!([20, 29, 30, 99].map(quota), [Some(2.0), Some(2.0), None, None]);
        assert_eq!(controls.of_node("b", 10), None);
        assert_eq!(controls.of_pool("a", 10), None);
    }

    #[test]
    fn a_clear_ends_what_was_said_and_what_was_planned() {
        let said = [control("pool:x", 10, None, Some(1.0)), control("pool:x", 50, None, Some(2.0))];
        let mut controls = of(&said);
        assert_eq!([controls.in_force_at(9), controls.in_force_at(60)], [0, 1]);
        controls.take(control("pool:x", 20, None, None));
        let quota = |t| controls.of_pool("x", t).and_then(|c| c.override_quota);
        assert_eq!([15, 20, 60].map(quota), [Some(1.0), None, None]);
        assert!(controls.last("pool:x").unwrap().is_clear());
        controls.forget("pool:x");
        assert_eq!(controls.of_pool("x", 15), None);
    }

    fn any_control() -> impl Strategy<Value = Control> {
        let quota = proptest::option::weighted(0.8, 1.0..9.0f64);
        let length = proptest::option::weighted(0.5, 1i64..15);
        (prop_oneof!["a", "b", "pool:a"], 0i64..30, length, quota)
            .prop_map(|(target, from, length, quota)| control(&target, from, length.map(|length| from + length), quota))
    }

    proptest! {
        #[test]
        fn the_last_word_that_has_begun_decides(said in proptest::collection::vec(any_control(), 0..25), t in 0i64..40) {
            let controls = of(&said);
            for target in ["a", "b", "pool:a"] {
                let begun = said.iter().rfind(|c| c.target == target && c.timestamp <= t);
                let wanted = begun.filter(|c| c.until.is_none_or(|u| t < u) && c.override_quota.is_some());
                let got = match Target::of(target).unwrap() {
                    Target::Node(id) => controls.of_node(id, t),
                    Target::Pool(name) => controls.of_pool(name, t),
                };
                prop_assert_eq!(got, wanted, "{}", target);
            }
        }

        #[test]
        fn a_compacted_topic_decides_the_same_from_the_last_beginning_on(
            said in proptest::collection::vec(any_control(), 1..25), later in 0i64..20,
        ) {
            let last = |target: &str| said.iter().rfind(|c| c.target == target);
            let compacted: Vec<Control> = ["a", "b"].iter().filter_map(|t| last(t)).cloned().collect();
            let (whole, compacted) = (of(&said), of(&compacted));
            for node in ["a", "b"] {
                let Some(t) = last(node).map(|c| c.timestamp + later) else { continue };
                prop_assert_eq!(whole.of_node(node, t), compacted.of_node(node, t));
            }
        }

        #[test]
        fn reading_the_topic_again_changes_nothing(said in proptest::collection::vec(any_control(), 0..25)) {
            let mut again = of(&said);
            said.iter().cloned().for_each(|c| again.take(c));
            prop_assert_eq!(again, of(&said));
        }

        #[test]
        fn what_is_remembered_of_a_target_is_bounded(times in proptest::collection::vec(0i64..1000, 0..200)) {
            let controls = of(&times.iter().map(|t| control("a", *t, None, Some(1.0))).collect::<Vec<_>>());
            prop_assert!(controls.by_target().values().all(|said| said.len() <= KEPT));
        }
    }

    #[test]
    fn what_is_wrong_with_a_control_is_named() {
        let good = control("a", 10, None, Some(1.0));
        let wrong = |change: fn(&mut Control)| {
            let mut control = good.clone();
            change(&mut control);
            control.validate().unwrap_err().to_string()
        };
        assert_eq!(good.validate_in_log("a"), Ok(()));
        assert_eq!(good.validate_in_log("b").unwrap_err().class(), "key-mismatch");
        assert_eq!(
            wrong(|c| c.override_quota = Some(-5.0)),
            "override is -5; it must be a finite number of at least 0"
        );
        assert_eq!(wrong(|c| c.min_quota = Some(f64::NAN)), "min is NaN; it must be a finite number of at least 0");
        assert_eq!(
            wrong(|c| (c.min_quota, c.max_quota) = (Some(2.0), Some(1.0))),
            "min is 2 and max is 1; min must not be above max"
        );
        assert_eq!(wrong(|c| c.target = "pool:".into()), "the target is \"pool:\"; it must be a node id or pool:NAME");
        assert!(wrong(|c| c.until = Some(10)).starts_with("it ends at 10 ms and begins at 10 ms"));
        assert_eq!(wrong(|c| c.by = " ".into()), "by is empty; a control says who set it and why");
        assert_eq!(wrong(|c| c.why = "x".repeat(501)), "why has 501 bytes; at most 500 are allowed");
    }
}
