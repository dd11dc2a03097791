//! Which load counts: of CPU, of memory, or the larger of the two.

use std::fmt;
use std::str::FromStr;

use tidegate_schemas::records::LoadReport;

/// The resource whose load a quota is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counted {
    /// The larger of CPU and memory.
    #[default]
    Max,
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
}

impl Counted {
    /// The load of a report that counts, as a fraction of the base quota; `None`: not measured.
    #[must_use]
    pub fn of(self, report: &LoadReport) -> Option<f64> {
        match self {
            Self::Max => match (report.cpu, report.memory) {
                (Some(cpu), Some(memory)) => Some(cpu.max(memory)),
                (one, other) => one.or(other),
            },
            Self::Cpu => report.cpu,
            Self::Memory => report.memory,
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Max => "max",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        })
    }
}

impl FromStr for Counted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => Ok(Self::Max),
            "cpu" => Ok(Self::Cpu),
            "memory" => Ok(Self::Memory),
            other => Err(format!("{other:?} is none of max, cpu and memory")),
        }
    }
}
