//! A control group under the quota: a folder that stands for one, and a real one where this machine's kernel allows it.

use std::path::{Path, PathBuf};

use tidegate_tests::brokers::TestBroker;
use tidegate_tests::parts;
use tidegate_tests::pipeline::PATIENCE;
use tidegate_tests::process::wait_until;

use crate::site::{Agent, BASE, Site};

fn agent(site: &Site, group: &Path) -> Agent {
    let group = group.to_str().unwrap();
    // The base quota stands for two cores and 64 MiB.
    site.agent(&["--cgroup", group, "--cgroup-cpu", "2", "--cgroup-memory", "67108864"])
}

fn wait_for(group: &Path, cpu: &str, memory: &str, agent: &Agent) {
    let read = |name: &str| std::fs::read_to_string(group.join(name)).unwrap().trim().to_owned();
    let there = || (read("cpu.max").as_str(), read("memory.high").as_str()) == (cpu, memory);
    let said = || format!("{} {}\n{}", read("cpu.max"), read("memory.high"), agent.running.stderr());
    wait_until(PATIENCE, there).unwrap_or_else(|e| panic!("{e}: {}", said()));
}

/// The whole life of a group under the quota; it is not limited before.
fn follows_the_quota_and_is_put_back(group: &Path, name: &str) {
    let broker = TestBroker::embedded();
    let site = Site::new(&broker, name);
    let first = agent(&site, group);
    wait_for(group, "200000 100000", "67108864", &first);
    site.send(BASE / 2.0);
    wait_for(group, "100000 100000", "33554432", &first);
    assert!(site.path("cache.json.cgroup").exists());
    first.kill();

    let second = agent(&site, group);
    site.send(BASE * 1.5);
    wait_for(group, "300000 100000", "100663296", &second);
    second.stop();
    let read = |name: &str| std::fs::read_to_string(group.join(name)).unwrap().trim().to_owned();
    assert_eq!((read("cpu.max").as_str(), read("memory.high").as_str()), ("max 100000", "max"));
    assert!(!site.path("cache.json.cgroup").exists());
}

#[test]
fn a_folder_that_stands_for_a_group_follows_the_quota_and_is_put_back_after_a_kill_too() {
    let group = tempfile::tempdir().unwrap();
    std::fs::write(group.path().join("cpu.max"), "max 100000\n").unwrap();
    std::fs::write(group.path().join("memory.high"), "max\n").unwrap();
    follows_the_quota_and_is_put_back(group.path(), "group-folder");
}

#[test]
fn a_real_group_follows_the_quota_and_is_put_back() {
    match RealGroup::make() {
        Ok(group) => follows_the_quota_and_is_put_back(&group.0, "group-real"),
        Err(why) => parts::not_here(&format!("no control group (v2) can be limited: {why}")),
    }
}

/// A group of our own, gone when this is dropped.
struct RealGroup(PathBuf);

impl RealGroup {
    fn make() -> Result<Self, String> {
        let mounts = std::fs::read_to_string("/proc/self/mounts").map_err(|e| e.to_string())?;
        let of_v2 = |line: &str| {
            let mut words = line.split(' ').skip(1);
            let (at, kind) = (words.next()?, words.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(at))
        };
        let root = mounts.lines().find_map(of_v2).ok_or("cgroup2 is not mounted")?;
        let group = Self(root.join(format!("tidegate-test-{}", std::process::id())));
        std::fs::create_dir(&group.0).map_err(|e| format!("{}: {e}", group.0.display()))?;
        match ["cpu.max", "memory.high"].into_iter().find(|name| !group.0.join(name).exists()) {
            None => Ok(group),
            Some(name) => Err(format!("its groups have no {name}")),
        }
    }
}

impl Drop for RealGroup {
    fn drop(&mut self) {
        // It is empty: no process was ever put into it.
        std::fs::remove_dir(&self.0).ok();
    }
}
