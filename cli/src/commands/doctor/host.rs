//! This machine: what loads of an agent would be shares of, and whether the control group that it is to limit can be limited.

use std::fs::OpenOptions;
use std::path::Path;

use anyhow::Context;
use tidegate_producers::edge::Sampler;

use super::finding::Finding;
use crate::commands::edge::enforcement::Wanted;
use crate::config::Edge;

pub(super) fn check(edge: &Edge) -> Vec<Finding> {
    let host = Finding::of("host", Sampler::new().map_err(Into::into), |sampler| {
        let capacity = sampler.capacity();
        let by_group = |limited: bool| if limited { " (a control group's limit)" } else { "" };
        format!(
            "{} cores{}, {:.1} GiB of memory{}",
            capacity.cores,
            by_group(capacity.cpu_limited),
            capacity.memory_bytes as f64 / f64::from(1 << 30),
            by_group(capacity.memory_limited),
        )
    });
    // Limits are in proportion to the base quota: any will do.
    let group = match Wanted::of(edge, 1000.0) {
        Ok(None) => None,
        Ok(Some(wanted)) => Some(limits(&wanted)),
        Err(e) => Some(Finding::wrong("cgroup", e.to_string())),
    };
    std::iter::once(host).chain(group).collect()
}

fn limits(wanted: &Wanted) -> Finding {
    let files = [("cpu.max", wanted.units.cores.is_some()), ("memory.high", wanted.units.bytes.is_some())];
    let files: Vec<&str> = files.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(name, _)| name).collect();
    let checked = files.iter().try_for_each(|name| writable(&wanted.folder.join(name)));
    Finding::of("cgroup", checked, |()| format!("{} can be limited by {}", wanted.folder.display(), files.join(", ")))
}

/// Whether a limit is there and this user may write it; nothing is written.
fn writable(limit: &Path) -> anyhow::Result<()> {
    OpenOptions::new().write(true).open(limit).map(drop).with_context(|| {
        format!(
            "{} cannot be written; its controller must be in cgroup.subtree_control of the group above",
            limit.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let edge: Edge = toml::from_str(text).unwrap();
        check(&edge).iter().skip(1).map(ToString::to_string).collect()
    }

    #[test]
    fn the_limits_that_an_agent_would_set_must_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let group = folder.path().display().to_string();
        let settings = format!("cgroup = \"{group}\"\ncache = \"/tmp/edge.json\"\n");
        assert_eq!(said(""), "");
        assert!(said(&settings).contains("/cpu.max cannot be written"), "{}", said(&settings));
        std::fs::write(folder.path().join("cpu.max"), "max 100000").unwrap();
        assert!(said(&settings).ends_with("can be limited by cpu.max"), "{}", said(&settings));
        let with_memory = format!("{settings}cgroup_memory = 1000000\n");
        assert!(said(&with_memory).contains("/memory.high cannot be written"), "{}", said(&with_memory));
        assert!(said("cgroup_cpu = 2.0").contains("want --cgroup DIR"));
        assert_eq!(std::fs::read_to_string(folder.path().join("cpu.max")).unwrap(), "max 100000");
    }
}
