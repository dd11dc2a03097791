//! The tightest control group limits that this process lives under, and what its group uses of them.
//!
//! A limit may stand at any group from our own up to the root; the tightest one counts, with the use of the group it
//! is set on, because that is what runs into it.

use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use super::cgroup;

/// Limits of this process.
#[derive(Debug, Default)]
pub(super) struct Limits {
    pub(super) cpu: Option<CpuLimit>,
    pub(super) memory: Option<MemoryLimit>,
}

/// A limit of CPU time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct CpuLimit {
    /// Cores.
    pub(super) cores: f64,
    usage: CpuUsage,
}

#[derive(Debug, Clone, PartialEq)]
enum CpuUsage {
    /// v2: `cpu.stat`, microseconds.
    Stat(PathBuf),
    /// v1: `cpuacct.usage`, nanoseconds.
    Nanoseconds(PathBuf),
}

/// A limit of memory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MemoryLimit {
    /// Bytes.
    pub(super) bytes: u64,
    usage: PathBuf,
    stat: PathBuf,
    /// Page cache that can be dropped at once is not counted as used, as the kubelet does.
    droppable: &'static str,
}

impl CpuLimit {
    /// CPU time that the limited group has used, in seconds of one core.
    pub(super) fn used_seconds(&self) -> Option<f64> {
        match &self.usage {
            CpuUsage::Stat(path) => Some(cgroup::keyed(&read_to_string(path).ok()?, "usage_usec")? as f64 / 1e6),
            CpuUsage::Nanoseconds(path) => Some(cgroup::number(&read_to_string(path).ok()?)? as f64 / 1e9),
        }
    }
}

impl MemoryLimit {
    /// Bytes that the limited group uses.
    pub(super) fn used_bytes(&self) -> Option<u64> {
        let all = cgroup::number(&read_to_string(&self.usage).ok()?)?;
        let stat = read_to_string(&self.stat).unwrap_or_default();
        Some(all.saturating_sub(cgroup::keyed(&stat, self.droppable).unwrap_or(0)))
    }
}

impl Limits {
    /// Looks below `root` (`/` but in tests); limits that the host itself cannot reach (of so many cores and bytes) are none.
    pub(super) fn find(root: &Path, host_cores: f64, host_memory: u64) -> Self {
        let own = read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let mount = root.join("sys/fs/cgroup");
        let found = if mount.join("cgroup.controllers").exists() {
            v2(&mount, &own)
        } else {
            Self { cpu: v1_cpu(&mount, &own), memory: v1_memory(&mount, &own) }
        };
        Self {
            cpu: found.cpu.filter(|limit| limit.cores < host_cores),
            memory: found.memory.filter(|limit| limit.bytes < host_memory),
        }
    }
}

/// The group's folder and all above it, up to the mount. Without a view of the host's hierarchy (a container), the group's
/// path leads nowhere and the mount itself is our group.
fn up_from(mount: &Path, group: &str) -> Vec<PathBuf> {
    let own = mount.join(group.trim_start_matches('/'));
    let own = if own.is_dir() { own } else { mount.to_owned() };
    own.ancestors().take_while(|folder| folder.starts_with(mount)).map(Path::to_owned).collect()
}

fn tightest<T>(limits: impl Iterator<Item = T>, size: impl Fn(&T) -> f64) -> Option<T> {
    limits.min_by(|a, b| size(a).total_cmp(&size(b)))
}

fn v2(mount: &Path, own: &str) -> Limits {
    let folders = up_from(mount, cgroup::own_group(own, None).unwrap_or("/"));
    let text = |folder: &Path, name: &str| read_to_string(folder.join(name)).unwrap_or_default();
    let cpu = folders.iter().flat_map(|folder| {
        let by_time = cgroup::cpu_max(&text(folder, "cpu.max"));
        let by_set = cgroup::cpu_count(&text(folder, "cpuset.cpus.effective")).map(f64::from);
        let usage = CpuUsage::Stat(folder.join("cpu.stat"));
        [by_time, by_set].into_iter().flatten().map(move |cores| CpuLimit { cores, usage: usage.clone() })
    });
    let memory = folders.iter().filter_map(|folder| {
        let bytes = cgroup::memory_limit(&text(folder, "memory.max"))?;
        let (usage, stat) = (folder.join("memory.current"), folder.join("memory.stat"));
        Some(MemoryLimit { bytes, usage, stat, droppable: "inactive_file" })
    });
    Limits { cpu: tightest(cpu, |l| l.cores), memory: tightest(memory, |l| l.bytes as f64) }
}

fn v1_cpu(mount: &Path, own: &str) -> Option<CpuLimit> {
    let folder_of = |names: [&str; 2]| names.into_iter().map(|n| mount.join(n)).find(|f| f.is_dir());
    let cpu = folder_of(["cpu", "cpu,cpuacct"])?;
    let accounts = folder_of(["cpuacct", "cpu,cpuacct"])?;
    let limits = up_from(&cpu, cgroup::own_group(own, Some("cpu"))?).into_iter().filter_map(|folder| {
        let quota = read_to_string(folder.join("cpu.cfs_quota_us")).ok()?;
        let period = read_to_string(folder.join("cpu.cfs_period_us")).ok()?;
        let cores = cgroup::cores(&quota, &period)?;
        let account = accounts.join(folder.strip_prefix(&cpu).ok()?).join("cpuacct.usage");
        Some(CpuLimit { cores, usage: CpuUsage::Nanoseconds(account) })
    });
    tightest(limits, |l| l.cores)
}

fn v1_memory(mount: &Path, own: &str) -> Option<MemoryLimit> {
    let limits =
        up_from(&mount.join("memory"), cgroup::own_group(own, Some("memory"))?).into_iter().filter_map(|folder| {
            let bytes = cgroup::memory_limit(&read_to_string(folder.join("memory.limit_in_bytes")).ok()?)?;
            let (usage, stat) = (folder.join("memory.usage_in_bytes"), folder.join("memory.stat"));
            Some(MemoryLimit { bytes, usage, stat, droppable: "total_inactive_file" })
        });
    tightest(limits, |l| l.bytes as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn v2_takes_the_tightest_limit_on_the_way_up_with_the_use_of_its_group() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/pod/box\n"),
            ("sys/fs/cgroup/cgroup.controllers", "cpu memory"),
            ("sys/fs/cgroup/cpuset.cpus.effective", "0-7\n"),
            ("sys/fs/cgroup/pod/cpu.max", "50000 100000\n"),
            ("sys/fs/cgroup/pod/cpu.stat", "usage_usec 3500000\n"),
            ("sys/fs/cgroup/pod/box/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/pod/box/memory.max", "1000\n"),
            ("sys/fs/cgroup/pod/box/memory.current", "700\n"),
            ("sys/fs/cgroup/pod/box/memory.stat", "anon 500\ninactive_file 200\n"),
            ("sys/fs/cgroup/pod/memory.max", "2000\n"),
        ]);
        let limits = Limits::find(root.path(), 8.0, 1 << 30);
        let cpu = limits.cpu.unwrap();
        assert_eq!((cpu.cores, cpu.used_seconds()), (0.5, Some(3.5)));
        let memory = limits.memory.unwrap();
        assert_eq!((memory.bytes, memory.used_bytes()), (1000, Some(500)));
    }

    #[test]
    fn a_cpu_set_is_a_limit_too() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/cgroup.controllers", "cpu"),
            ("sys/fs/cgroup/cpuset.cpus.effective", "2-3\n"),
            ("sys/fs/cgroup/cpu.stat", "usage_usec 1\n"),
        ]);
        assert_eq!(Limits::find(root.path(), 8.0, 1).cpu.map(|l| l.cores), Some(2.0));
        assert_eq!(Limits::find(root.path(), 2.0, 1).cpu, None);
    }

    #[test]
    fn v1_reads_its_own_files_and_a_container_without_the_hosts_view_reads_the_mount() {
        let root = tree(&[
            ("proc/self/cgroup", "4:memory:/docker/abc\n2:cpuacct,cpu:/docker/abc\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "150000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpuacct.usage", "2500000000\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "4096\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "4000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 1000\n"),
        ]);
        let limits = Limits::find(root.path(), 4.0, 1 << 30);
        let cpu = limits.cpu.unwrap();
        assert_eq!((cpu.cores, cpu.used_seconds()), (1.5, Some(2.5)));
        let memory = limits.memory.unwrap();
        assert_eq!((memory.bytes, memory.used_bytes()), (4096, Some(3000)));
    }

    #[test]
    fn a_host_without_control_groups_has_no_limits() {
        let root = tree(&[]);
        let limits = Limits::find(root.path(), 4.0, 1 << 30);
        assert!(limits.cpu.is_none() && limits.memory.is_none());
    }
}
