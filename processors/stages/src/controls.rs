//! The controls of the quota stage: records of the side input resolved to what is in force for one decision.
//!
//! ```text
//! controls topic ─> ControlTable::take ─> Controls (which one is in force when, of a node and of a pool)
//! forecast (node, pool, event time) ─> in_force: the node's own control over its pool's, field by field ─> InForce
//! ```

use tidegate_broker::Rejection;
use tidegate_quota::{InForce, Mode, PolicyName, UnknownName};
use tidegate_schemas::controls::Controls;
use tidegate_schemas::records::{Control, ControlMode};

/// All controls that may still matter.
#[derive(Debug, Clone, Default)]
pub struct ControlTable {
    controls: Controls,
}

impl ControlTable {
    /// Checks a control against the key of its record.
    ///
    /// # Errors
    /// Why it counts for nothing.
    pub fn check(key: &str, control: &Control) -> Result<(), Rejection> {
        let reject = |class, message| Rejection { class, message };
        control.validate_in_log(key).map_err(|e| reject(e.class(), e.to_string()))?;
        policy(control).map(drop).map_err(|e| reject("unknown-policy", e.to_string()))
    }

    /// Takes the next record of the topic; `None`: a tombstone, which forgets the target. One that [`ControlTable::check`]
    /// refuses is passed over.
    pub fn take(&mut self, key: &str, control: Option<Control>) {
        match control {
            Some(control) if Self::check(key, &control).is_ok() => self.controls.take(control),
            Some(_) => {}
            None => self.controls.forget(key),
        }
    }

    /// What is in force for a node at an event time (ms since the Unix epoch): its own control over its pool's, field by
    /// field. A pool's freeze freezes all of its nodes. `pool` is empty where the node stands alone.
    #[must_use]
    pub fn in_force(&self, node_id: &str, pool: &str, event_time: i64) -> InForce {
        // Nearly always nobody has said anything: that must cost nothing.
        if self.controls.is_empty() {
            return InForce::default();
        }
        let own = self.controls.of_node(node_id, event_time);
        let shared = self.controls.of_pool(pool, event_time);
        let mut merged = own.map_or_else(InForce::default, resolve);
        if let Some(shared) = shared {
            add(&mut merged, resolve(shared));
        }
        merged
    }

    /// Whether a node is to be traced whole at an event time: by its own control, or its pool's.
    #[must_use]
    pub fn traces(&self, node_id: &str, pool: &str, event_time: i64) -> bool {
        let (own, shared) = (self.controls.of_node(node_id, event_time), self.controls.of_pool(pool, event_time));
        [own, shared].into_iter().flatten().any(|control| control.trace)
    }

    /// Number of targets with a control in force at an event time.
    #[must_use]
    pub fn in_force_at(&self, event_time: i64) -> usize {
        self.controls.in_force_at(event_time)
    }
}

fn policy(control: &Control) -> Result<Option<PolicyName>, UnknownName> {
    control.policy.as_ref().map(|name| name.parse()).transpose()
}

/// One control as it stands.
fn resolve(control: &Control) -> InForce {
    let mut resolved = InForce {
        override_quota: control.override_quota,
        freeze: control.freeze,
        min_quota: control.min_quota,
        max_quota: control.max_quota,
        policy: policy(control).unwrap_or_default(),
        mode: match control.mode {
            ControlMode::Unchanged => None,
            ControlMode::Recommend => Some(Mode::Recommend),
            ControlMode::Enforce => Some(Mode::Enforce),
        },
        said: Vec::new(),
    };
    // A word that is only for the traces is none for the quota.
    if resolved != InForce::default() {
        resolved.said.push(format!("{} on {}: {}", control.by, control.target, control.why));
    }
    resolved
}

/// Lays a node's own control over its pool's. The pool's word is named where it counts for something.
fn add(own: &mut InForce, pool: InForce) {
    let before = InForce { said: Vec::new(), ..own.clone() };
    own.override_quota = own.override_quota.or(pool.override_quota);
    own.freeze |= pool.freeze;
    own.min_quota = own.min_quota.or(pool.min_quota);
    own.max_quota = own.max_quota.or(pool.max_quota);
    own.policy = own.policy.or(pool.policy);
    own.mode = own.mode.or(pool.mode);
    let after = InForce { said: Vec::new(), ..own.clone() };
    if after != before {
        own.said.extend(pool.said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn control(target: &str, timestamp: i64) -> Control {
        Control {
            target: target.into(),
            timestamp,
            by: "alice".into(),
            why: "maintenance".into(),
            ..Control::default()
        }
    }

    fn table(controls: &[Control]) -> ControlTable {
        let mut table = ControlTable::default();
        controls.iter().for_each(|c| table.take(&c.target, Some(c.clone())));
        table
    }

    #[test]
    fn a_nodes_own_control_goes_over_its_pools_field_by_field() {
        let pool = Control {
            override_quota: Some(900.0),
            max_quota: Some(2000.0),
            mode: ControlMode::Recommend,
            ..control("pool:web", 10)
        };
        let own = Control { override_quota: Some(1500.0), policy: Some("headroom".into()), ..control("node-1", 20) };
        let table = table(&[pool, own]);
        assert_eq!(table.in_force("node-1", "web", 9), InForce::default());
        assert_eq!(table.in_force("node-1", "web", 15).override_quota, Some(900.0));
        assert_eq!(table.in_force("node-1", "", 15), InForce::default(), "a node without a pool");
        let wanted = InForce {
            override_quota: Some(1500.0),
            freeze: false,
            min_quota: None,
            max_quota: Some(2000.0),
            policy: Some(PolicyName::Headroom),
            mode: Some(Mode::Recommend),
            said: vec!["alice on node-1: maintenance".into(), "alice on pool:web: maintenance".into()],
        };
        assert_eq!(table.in_force("node-1", "web", 20), wanted);
        assert_eq!(table.in_force("node-2", "web", 20).said, ["alice on pool:web: maintenance"]);
        assert_eq!(table.in_force_at(20), 2);
    }

    #[test]
    fn a_word_for_the_traces_is_none_for_the_quota() {
        let table = table(&[
            Control { trace: true, until: Some(20), ..control("pool:web", 10) },
            Control { freeze: true, ..control("node-1", 10) },
        ]);
        assert_eq!(table.in_force("node-1", "web", 15).said, ["alice on node-1: maintenance"]);
        assert_eq!(table.in_force("node-2", "web", 15), InForce::default());
        let traced = |node, pool, at| table.traces(node, pool, at);
        assert!(traced("node-1", "web", 10) && traced("node-2", "web", 19));
        assert!(!traced("node-1", "", 15) && !traced("node-2", "web", 20) && !traced("node-2", "web", 9));
    }

    #[test]
    fn a_pools_word_that_counts_for_nothing_is_not_named() {
        let pool = Control { override_quota: Some(900.0), ..control("pool:web", 10) };
        let own = Control { override_quota: Some(1500.0), ..control("node-1", 20) };
        assert_eq!(table(&[pool, own]).in_force("node-1", "web", 30).said, ["alice on node-1: maintenance"]);
    }

    #[test]
    fn what_is_wrong_counts_for_nothing_and_a_tombstone_forgets() {
        let good = Control { freeze: true, ..control("a", 10) };
        let mut table = table(&[good]);
        let wrong = Control { policy: Some("best".into()), ..control("a", 20) };
        assert_eq!(ControlTable::check("a", &wrong).unwrap_err().class, "unknown-policy");
        let nan = Control { override_quota: Some(f64::NAN), ..control("a", 20) };
        assert_eq!(ControlTable::check("a", &nan).unwrap_err().class, "bad-number");
        table.take("a", Some(wrong));
        table.take("b", Some(control("a", 20)));
        assert!(table.in_force("a", "", 30).freeze);
        table.take("a", None);
        assert_eq!(table.in_force("a", "", 30), InForce::default());
    }

    fn any_control() -> impl Strategy<Value = Control> {
        let quota = || proptest::option::of(0.0..9.0f64);
        let mode = prop_oneof![Just(ControlMode::Unchanged), Just(ControlMode::Recommend), Just(ControlMode::Enforce)];
        let target = prop_oneof!["a", "b", "pool:a", "pool:b"];
        (target, 0i64..30, proptest::option::of(1i64..15), quota(), any::<bool>(), quota(), mode).prop_map(
            |(target, from, length, override_quota, freeze, max_quota, mode)| Control {
                until: length.map(|length| from + length),
                override_quota,
                freeze,
                max_quota,
                mode,
                ..control(&target, from)
            },
        )
    }

    proptest! {
        #[test]
        fn each_field_is_the_nodes_where_it_says_one_else_the_pools(
            said in proptest::collection::vec(any_control(), 0..20), t in 0i64..50,
        ) {
            let table = table(&said);
            for (node, pool) in [("a", "a"), ("a", "b"), ("b", ""), ("c", "a")] {
                let both = table.in_force(node, pool, t);
                let own = table.in_force(node, "", t);
                let shared = table.in_force("nobody", pool, t);
                prop_assert_eq!(both.override_quota, own.override_quota.or(shared.override_quota));
                prop_assert_eq!(both.max_quota, own.max_quota.or(shared.max_quota));
                prop_assert_eq!(both.freeze, own.freeze || shared.freeze);
                prop_assert_eq!(both.mode, own.mode.or(shared.mode));
                prop_assert_eq!(both == InForce::default(), own == InForce::default() && shared == InForce::default());
            }
        }
    }

    /// A measurement, not a check: `cargo test --release -p tidegate-stages -- --ignored --nocapture look_up`.
    #[test]
    #[ignore = "measures"]
    fn look_up_of_a_million_forecasts() {
        let names: Vec<String> = (0..1000).map(|n| format!("node-{n:04}")).collect();
        for (what, controls) in [("no controls", 0), ("100 nodes of 1000 under a control", 100)] {
            let said: Vec<Control> =
                names.iter().take(controls).map(|n| Control { freeze: true, ..control(n, 0) }).collect();
            let table = table(&said);
            let began = std::time::Instant::now();
            let found = (0..1000).flat_map(|_| &names).filter(|name| table.in_force(name, "web", 1).freeze).count();
            println!("{what}: {:.1} ns a forecast, {found} found", began.elapsed().as_secs_f64() * 1e3);
        }
    }
}
