//! This machine: what loads of an agent would be shares of, and whether the control group that it is to limit can be limited.

use std::fs::OpenOptions;
use std::path::Path;

use anyhow::Context;
use tidegate_producers::edge::Sampler;

use super::finding::Finding;
use crate::config::Settings;

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut found = vec![Finding::of("host", Sampler::new().map_err(Into::into), |sampler| {
        let capacity = sampler.capacity();
        let by_group = |limited: bool| if limited { " (a control group's limit)" } else { "" };
        format!(
            "{} cores{}, {:.1} GiB of memory{}",
            capacity.cores,
            by_group(capacity.cpu_limited),
            capacity.memory_bytes as f64 / f64::from(1 << 30),
            by_group(capacity.memory_limited),
        )
    })];
    let edge = &settings.edge;
    if let Some(group) = &edge.cgroup {
        let wanted = [("cpu.max", edge.cgroup_cpu.is_some()), ("memory.high", edge.cgroup_memory.is_some())];
        let limits: Vec<&str> = wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect();
        let checked = limits.iter().try_for_each(|name| writable(&group.join(name)));
        let finding =
            Finding::of("cgroup", checked, |()| format!("{} can be limited by {}", group.display(), limits.join(", ")));
        found.push(finding);
    }
    found
}

/// Whether a limit is there and this user may write it; nothing is written.
fn writable(limit: &Path) -> anyhow::Result<()> {
    let opened = OpenOptions::new().write(true).open(limit);
    opened.map(drop).with_context(|| {
        format!(
            "{} cannot be written; its controller must be in cgroup.subtree_control of the group above",
            limit.display()
        )
    })
}
