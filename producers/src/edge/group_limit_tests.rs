//! On a folder that stands for a control group: its files are plain ones.

use super::*;

const MILLICORES: GroupUnits = GroupUnits { cores: Some(0.001), bytes: None };
const BOTH: GroupUnits = GroupUnits { cores: Some(0.001), bytes: Some(1_048_576.0) };

struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        for group in ["a", "b"] {
            std::fs::create_dir(site.path(group)).unwrap();
            std::fs::write(site.path(&format!("{group}/cpu.max")), "max 50000\n").unwrap();
            std::fs::write(site.path(&format!("{group}/memory.high")), "max\n").unwrap();
        }
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn take(&self, group: &str, units: GroupUnits) -> Result<GroupLimit, ProducerError> {
        GroupLimit::take(&self.path(group), units, &self.path("kept"))
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

#[test]
fn the_group_follows_the_quota_and_is_put_back() {
    let site = Site::new();
    let limit = site.take("a", BOTH).unwrap();
    assert_eq!((site.text("a/cpu.max").as_str(), site.text("a/memory.high").as_str()), ("max 50000\n", "max\n"));
    limit.set(1_500.0).unwrap();
    assert_eq!(site.text("a/cpu.max"), "75000 50000\n", "1.5 cores, by the group's own period");
    assert_eq!(site.text("a/memory.high"), "1572864000\n");
    limit.set(700.0).unwrap();
    assert_eq!(site.text("a/cpu.max"), "35000 50000\n");
    limit.put_back().unwrap();
    assert_eq!((site.text("a/cpu.max").as_str(), site.text("a/memory.high").as_str()), ("max 50000\n", "max\n"));
    assert!(!site.path("kept").exists());
}

#[test]
fn after_a_kill_the_next_process_knows_what_was_there() {
    let site = Site::new();
    site.take("a", MILLICORES).unwrap().set(250.0).unwrap();
    let next = site.take("a", BOTH).unwrap();
    next.set(300.0).unwrap();
    next.put_back().unwrap();
    assert_eq!((site.text("a/cpu.max").as_str(), site.text("a/memory.high").as_str()), ("max 50000\n", "max\n"));
}

#[test]
fn a_group_that_was_left_limited_is_put_back_where_another_is_taken() {
    let site = Site::new();
    site.take("a", BOTH).unwrap().set(250.0).unwrap();
    let next = site.take("b", MILLICORES).unwrap();
    assert_eq!((site.text("a/cpu.max").as_str(), site.text("a/memory.high").as_str()), ("max 50000\n", "max\n"));
    next.set(250.0).unwrap();
    next.put_back().unwrap();
    site.take("a", BOTH).unwrap().set(250.0).unwrap();
    std::fs::remove_dir_all(site.path("a")).unwrap();
    assert!(site.take("b", MILLICORES).is_ok(), "one that is gone needs nothing");
}

#[test]
fn what_is_missing_or_damaged_is_named_and_the_group_is_left_alone() {
    let site = Site::new();
    std::fs::remove_file(site.path("a/memory.high")).unwrap();
    let said = site.take("a", BOTH).unwrap_err().to_string();
    assert!(said.contains("a/memory.high: the limit of a control group"), "{said}");
    assert!(!site.path("kept").exists(), "nothing was touched, nothing is kept");
    for (kept, why) in
        [("{", "EOF"), ("{\"version\":2,\"group\":\"a\",\"cpu_max\":null,\"memory_high\":null}", "version 2")]
    {
        std::fs::write(site.path("kept"), kept).unwrap();
        let said = site.take("a", MILLICORES).unwrap_err().to_string();
        assert!(said.contains("damaged: ") && said.contains(why), "{said}");
    }
    assert_eq!(site.text("a/cpu.max"), "max 50000\n");
    std::fs::remove_file(site.path("kept")).unwrap();
    let limit = site.take("a", MILLICORES).unwrap();
    std::fs::remove_dir_all(site.path("a")).unwrap();
    assert!(limit.set(100.0).is_err() && limit.put_back().is_err());
    assert!(site.path("kept").exists(), "the next process tries again");
}

#[test]
fn the_least_is_what_the_kernel_takes() {
    assert_eq!(cpu_max(0.0, 100_000), "1000 100000");
    assert_eq!(cpu_max(f64::NAN, 100_000), "1000 100000");
    assert_eq!(cpu_max(2.5, 100_000), "250000 100000");
    assert_eq!(
        (period("max 50000"), period("max"), period("max x"), period("1 0")),
        (50_000, 100_000, 100_000, 100_000)
    );
}
