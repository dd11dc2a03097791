//! What the quota in force limits: requests, a control group, and whatever the command on change does.
//!
//! ```text
//! in force ─ changed ─┬─> Gate (requests/s)
//!                     ├─> control group (cpu.max, memory.high)
//!                     └─> command on change
//! ```

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_producers::admission::Gate;
use tidegate_producers::edge::{GroupLimit, GroupUnits, InForce};

use super::on_change::OnChange;
use crate::config::Edge;
use crate::exit::{self, failure};

/// Cores of one resource unit where the quota counts millicores.
const MILLICORE: f64 = 0.001;

/// All that is to follow the quota; each is optional.
pub(super) struct Enforcement {
    pub(super) gate: Option<Arc<Gate>>,
    pub(super) group: Option<Group>,
    pub(super) on_change: Option<OnChange>,
}

impl Enforcement {
    /// Something else is in force.
    pub(super) fn changed(&self, in_force: InForce) {
        if let Some(gate) = &self.gate {
            gate.set_quota(in_force.quota);
        }
        if let Some(group) = &self.group {
            group.set(in_force.quota);
        }
        if let Some(on_change) = &self.on_change {
            on_change.changed(in_force);
        }
    }

    /// Tries again what could not be done.
    pub(super) fn again(&self) {
        if let Some(group) = &self.group {
            group.again();
        }
    }

    /// The agent ends: what was limited is put back, and the command that is running is waited for, a little.
    pub(super) fn finish(&self) {
        if let Some(group) = &self.group
            && let Err(e) = group.limit.put_back()
        {
            tracing::warn!("the control group stays limited until the next start: {e}");
        }
        if let Some(on_change) = &self.on_change {
            on_change.finish();
        }
    }
}

/// A control group under the quota.
pub(super) struct Group {
    limit: GroupLimit,
    /// The quota that the kernel did not take.
    owing: Mutex<Option<f64>>,
}

/// What the settings want limited. Nothing was touched for it.
#[derive(Debug)]
pub(in crate::commands) struct Wanted {
    /// The group's folder.
    pub(in crate::commands) folder: PathBuf,
    pub(in crate::commands) units: GroupUnits,
    /// Where what it was limited to before is kept.
    kept: PathBuf,
}

impl Wanted {
    /// The group that the settings name, if any, checked.
    pub(in crate::commands) fn of(edge: &Edge, base_quota: f64) -> anyhow::Result<Option<Self>> {
        let Some(folder) = &edge.cgroup else {
            if edge.cgroup_cpu.is_some() || edge.cgroup_memory.is_some() {
                return Err(failure(exit::CONFIG, "--cgroup-cpu and --cgroup-memory want --cgroup DIR"));
            }
            return Ok(None);
        };
        let Some(cache) = &edge.cache else {
            let said = "--cgroup wants --cache FILE: what the group was limited to before is kept beside it";
            return Err(failure(exit::CONFIG, said));
        };
        Ok(Some(Self { folder: folder.clone(), units: units(edge, base_quota)?, kept: beside(cache) }))
    }
}

impl Group {
    /// The group that the settings name, if any.
    pub(super) fn of(edge: &Edge, base_quota: f64) -> anyhow::Result<Option<Self>> {
        let Some(wanted) = Wanted::of(edge, base_quota)? else { return Ok(None) };
        let limit = GroupLimit::take(&wanted.folder, wanted.units, &wanted.kept)?;
        Ok(Some(Self { limit, owing: Mutex::new(None) }))
    }

    fn set(&self, quota: f64) {
        let set = self.limit.set(quota);
        *self.owing.lock().unwrap_or_else(PoisonError::into_inner) = set.is_err().then_some(quota);
        if let Err(e) = set {
            tracing::warn!("{e}");
        }
    }

    fn again(&self) {
        let owing = *self.owing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(quota) = owing {
            self.set(quota);
        }
    }
}

/// What one unit stands for: by default a millicore, and no memory.
fn units(edge: &Edge, base_quota: f64) -> anyhow::Result<GroupUnits> {
    let cores = match (edge.cgroup_cpu, edge.cgroup_memory) {
        (Some(cores), _) if cores.is_finite() && cores > 0.0 => Some(cores / base_quota),
        (Some(cores), _) => {
            return Err(failure(exit::CONFIG, format!("--cgroup-cpu must be a finite number above 0, not {cores}")));
        }
        (None, Some(_)) => None,
        (None, None) => Some(MILLICORE),
    };
    Ok(GroupUnits { cores, bytes: edge.cgroup_memory.map(|bytes| bytes as f64 / base_quota) })
}

fn beside(cache: &Path) -> PathBuf {
    let mut name = cache.as_os_str().to_owned();
    name.push(".cgroup");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(text: &str) -> Edge {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_does_not_fit_together_is_said() {
        let refused = |text: &str| Group::of(&edge(text), 1000.0).err().unwrap().to_string();
        assert!(refused("cgroup_cpu = 1.0").contains("want --cgroup DIR"));
        assert!(refused("cgroup = '/c'").starts_with("--cgroup wants --cache FILE"));
        assert!(refused("cgroup = '/c'\ncache = '/x'\ncgroup_cpu = 0.0").contains("above 0, not 0"));
        assert!(Group::of(&edge(""), 1000.0).unwrap().is_none());
    }

    #[test]
    fn a_unit_is_a_millicore_unless_something_else_is_said() {
        let of = |text: &str| units(&edge(text), 2_000.0).unwrap();
        assert_eq!(of(""), GroupUnits { cores: Some(0.001), bytes: None });
        assert_eq!(of("cgroup_cpu = 4.0"), GroupUnits { cores: Some(0.002), bytes: None });
        assert_eq!(of("cgroup_memory = 1000000"), GroupUnits { cores: None, bytes: Some(500.0) });
        let both = of("cgroup_memory = 1000000\ncgroup_cpu = 2.0");
        assert_eq!(both, GroupUnits { cores: Some(0.001), bytes: Some(500.0) });
    }

    #[test]
    fn what_the_group_did_not_take_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let max = folder.path().join("cpu.max");
        std::fs::write(&max, "max 100000\n").unwrap();
        let text = format!("cgroup = '{0}'\ncache = '{0}/cache.json'", folder.path().display());
        let group = Group::of(&edge(&text), 1000.0).unwrap().unwrap();
        std::fs::remove_file(&max).unwrap();
        group.set(1_500.0);
        std::fs::write(&max, "").unwrap();
        group.again();
        assert_eq!(std::fs::read_to_string(&max).unwrap(), "150000 100000\n");
        std::fs::remove_file(&max).unwrap();
        group.again();
        assert!(!max.exists(), "nothing is owed any more");
    }
}
