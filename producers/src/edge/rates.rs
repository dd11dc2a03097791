//! From two readings of counters to rates. Time is an argument.

use std::time::Duration;

/// CPU use, as the source gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cpu {
    /// CPU time used so far, in seconds of one core.
    Used(f64),
    /// Cores in use on average since the reading before.
    Cores(f64),
}

/// One reading of a host's counters; `None`: not to be had.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// When, since any fixed moment.
    pub at: Duration,
    /// CPU.
    pub cpu: Option<Cpu>,
    /// Bytes of memory in use.
    pub memory: Option<u64>,
    /// Bytes received so far.
    pub net_in: Option<u64>,
    /// Bytes sent so far.
    pub net_out: Option<u64>,
    /// Bytes read from and written to disks so far.
    pub disk_io: Option<u64>,
}

/// What is used now; `None`: not measured.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Share of the CPU capacity; may pass 1.0 for a moment, as limits are enforced over periods.
    pub cpu: Option<f64>,
    /// Share of the memory capacity.
    pub memory: Option<f64>,
    /// Bytes received a second.
    pub net_in: Option<f64>,
    /// Bytes sent a second.
    pub net_out: Option<f64>,
    /// Bytes read and written a second.
    pub disk_io: Option<f64>,
}

impl Usage {
    /// Use between two readings, as shares of a capacity of so many cores and bytes of memory. A counter that went back
    /// (it began anew) gives nothing this time; so does every rate where no time has passed.
    #[must_use]
    pub fn between(before: &Reading, now: &Reading, cores: f64, memory_bytes: u64) -> Self {
        let seconds = now.at.saturating_sub(before.at).as_secs_f64();
        let rate = |from: Option<u64>, to: Option<u64>| {
            let moved = to?.checked_sub(from?)?;
            (seconds > 0.0).then(|| moved as f64 / seconds)
        };
        let cores_used = match (before.cpu, now.cpu) {
            (_, Some(Cpu::Cores(cores))) => Some(cores),
            (Some(Cpu::Used(from)), Some(Cpu::Used(to))) => (seconds > 0.0).then(|| (to - from) / seconds),
            _ => None,
        };
        Self {
            cpu: share(cores_used, cores),
            memory: share(now.memory.map(|m| m as f64), memory_bytes as f64),
            net_in: rate(before.net_in, now.net_in),
            net_out: rate(before.net_out, now.net_out),
            disk_io: rate(before.disk_io, now.disk_io),
        }
    }
}

/// A part of the whole; nothing where that is no finite number of at least 0.
fn share(part: Option<f64>, whole: f64) -> Option<f64> {
    part.map(|p| p / whole).filter(|s| s.is_finite() && *s >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reading(at_s: u64, cpu: Cpu, memory: u64, counter: u64) -> Reading {
        Reading {
            at: Duration::from_secs(at_s),
            cpu: Some(cpu),
            memory: Some(memory),
            net_in: Some(counter),
            net_out: Some(2 * counter),
            disk_io: Some(3 * counter),
        }
    }

    #[test]
    fn rates_are_differences_over_time() {
        let (a, b) = (reading(5, Cpu::Used(100.0), 1, 1000), reading(15, Cpu::Used(105.0), 512, 2000));
        let want = Usage {
            cpu: Some(0.25),
            memory: Some(0.5),
            net_in: Some(100.0),
            net_out: Some(200.0),
            disk_io: Some(300.0),
        };
        assert_eq!(Usage::between(&a, &b, 2.0, 1024), want);
        let host = Usage::between(&a, &reading(15, Cpu::Cores(1.0), 512, 2000), 2.0, 1024);
        assert_eq!(host.cpu, Some(0.5));
    }

    #[test]
    fn a_counter_that_began_anew_and_a_clock_that_stands_give_nothing() {
        let (a, b) = (reading(5, Cpu::Used(100.0), 1, 1000), reading(15, Cpu::Used(1.0), 1, 10));
        let usage = Usage::between(&a, &b, 1.0, 10);
        assert_eq!((usage.cpu, usage.net_in, usage.disk_io, usage.memory), (None, None, None, Some(0.1)));
        let still = Usage::between(&a, &Reading { at: a.at, ..b }, 1.0, 10);
        assert_eq!((still.cpu, still.net_out), (None, None));
    }

    proptest! {
        #[test]
        fn whatever_is_read_gives_finite_numbers_of_at_least_0_or_nothing(
            at: (u32, u32), used: (f64, f64), counters: (u64, u64), cores: f64, memory: u64,
        ) {
            let from = reading(at.0.into(), Cpu::Used(used.0), counters.0 / 3, counters.0 / 3);
            let to = reading(at.1.into(), Cpu::Used(used.1), counters.1 / 3, counters.1 / 3);
            let u = Usage::between(&from, &to, cores, memory);
            for value in [u.cpu, u.memory, u.net_in, u.net_out, u.disk_io].into_iter().flatten() {
                prop_assert!(value.is_finite() && value >= 0.0);
            }
        }
    }
}
