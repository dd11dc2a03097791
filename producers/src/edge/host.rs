//! Measures this host, or the control group that limits this process: the shell round `rates`.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use sysinfo::{DiskRefreshKind, Disks, MemoryRefreshKind, Networks, System};

use super::limits::Limits;
use super::rates::{Cpu, Reading, Usage};
use crate::error::ProducerError;

/// What the loads of this host are shares of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Cores: those of the host, or the tightest limit below that.
    pub cores: f64,
    /// Bytes of memory: the host's, or the tightest limit below that.
    pub memory_bytes: u64,
    /// Whether a control group limits the CPU.
    pub cpu_limited: bool,
    /// Whether a control group limits the memory.
    pub memory_limited: bool,
}

impl Capacity {
    /// The CPU capacity in millicores: the base quota where none is given.
    #[must_use]
    pub fn millicores(&self) -> f64 {
        (self.cores * 1000.0).round()
    }
}

/// Reads the host's counters again and again.
#[derive(Debug)]
pub struct Sampler {
    system: System,
    networks: Networks,
    disks: Disks,
    limits: Limits,
    capacity: Capacity,
    last: Option<Reading>,
}

impl Sampler {
    /// Looks at the host once: its size and the limits of this process.
    ///
    /// # Errors
    /// [`ProducerError::Host`] where the number of cores or the size of the memory is not to be had.
    pub fn new() -> Result<Self, ProducerError> {
        let mut system = System::new();
        system.refresh_cpu_usage();
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        let (cores, memory_bytes) = (system.cpus().len() as f64, system.total_memory());
        if cores < 1.0 || memory_bytes == 0 {
            return Err(ProducerError::Host(
                "neither the number of cores nor the size of the memory can be read".into(),
            ));
        }
        let limits = Limits::find(Path::new("/"), cores, memory_bytes);
        let capacity = Capacity {
            cores: limits.cpu.as_ref().map_or(cores, |l| l.cores),
            memory_bytes: limits.memory.as_ref().map_or(memory_bytes, |l| l.bytes),
            cpu_limited: limits.cpu.is_some(),
            memory_limited: limits.memory.is_some(),
        };
        let (networks, disks) = (Networks::new_with_refreshed_list(), Disks::new());
        Ok(Self { system, networks, disks, limits, capacity, last: None })
    }

    /// What loads are shares of.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// What is used, on average since the call before; the first call gives only what needs no time (memory). `now` is
    /// time since any fixed moment; leave 200 ms or more between two calls, as CPU use cannot be read more often.
    pub fn sample(&mut self, now: Duration) -> Usage {
        let reading = self.read(now);
        let before = self.last.unwrap_or(Reading { at: now, ..Reading::default() });
        let first = self.last.replace(reading).is_none();
        let mut usage = Usage::between(&before, &reading, self.capacity.cores, self.capacity.memory_bytes);
        if first {
            usage.cpu = None;
        }
        usage
    }

    fn read(&mut self, at: Duration) -> Reading {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        self.networks.refresh(true);
        self.disks.refresh_specifics(true, DiskRefreshKind::nothing().with_io_usage());
        let host_cores = self.system.cpus().len() as f64 * f64::from(self.system.global_cpu_usage()) / 100.0;
        let (net_in, net_out) = self.network_totals().unzip();
        Reading {
            at,
            cpu: match &self.limits.cpu {
                Some(limit) => limit.used_seconds().map(Cpu::Used),
                None => Some(Cpu::Cores(host_cores)),
            },
            memory: match &self.limits.memory {
                Some(limit) => limit.used_bytes(),
                None => Some(self.system.used_memory()),
            },
            net_in,
            net_out,
            disk_io: self.disk_total(),
        }
    }

    fn network_totals(&self) -> Option<(u64, u64)> {
        let ours = self.networks.iter().filter(|(name, _)| is_outward(name));
        ours.map(|(_, data)| (data.total_received(), data.total_transmitted()))
            .reduce(|a, b| (a.0.saturating_add(b.0), a.1.saturating_add(b.1)))
    }

    /// A device that is mounted twice counts once.
    fn disk_total(&self) -> Option<u64> {
        let mut seen = HashSet::new();
        let ours = self.disks.iter().filter(|disk| seen.insert(disk.name()));
        ours.map(|disk| disk.usage().total_read_bytes.saturating_add(disk.usage().total_written_bytes))
            .reduce(u64::saturating_add)
    }
}

/// Whether traffic of a network interface leaves the host: not the loopback, nor the inner ends of bridges and containers,
/// whose bytes pass an outer interface as well.
fn is_outward(interface: &str) -> bool {
    const INWARD: [&str; 8] = ["veth", "docker", "br-", "virbr", "cni", "flannel", "cali", "ifb"];
    interface != "lo" && !INWARD.iter().any(|prefix| interface.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_is_measured() {
        let mut sampler = Sampler::new().unwrap();
        let capacity = sampler.capacity();
        assert!(capacity.cores > 0.0 && capacity.memory_bytes > 1 << 20, "{capacity:?}");
        assert_eq!(sampler.sample(Duration::ZERO).cpu, None);
        let began = std::time::Instant::now();
        let mut spin = 0u64;
        while began.elapsed() < Duration::from_millis(400) {
            spin = std::hint::black_box(spin.wrapping_mul(31).wrapping_add(1));
        }
        let usage = sampler.sample(began.elapsed());
        // One thread spun for the whole time: of one core, or of the limit below that, a third at least was in use.
        let busy = usage.cpu.map(|cpu| cpu * capacity.cores / capacity.cores.min(1.0));
        assert!(busy.is_some_and(|busy| busy > 0.33), "{usage:?} of {capacity:?}");
        println!("{usage:?} of {capacity:?}");
        assert!(usage.memory.is_some_and(|m| m > 0.0 && m <= 1.0), "{usage:?}");
    }

    #[test]
    fn only_outward_interfaces_count() {
        for (name, outward) in [("eth0", true), ("enp3s0", true), ("wg0", true), ("lo", false), ("veth1a", false)] {
            assert_eq!(is_outward(name), outward, "{name}");
        }
    }
}
