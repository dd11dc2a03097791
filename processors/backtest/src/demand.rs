//! Which load counts: of CPU, of memory, or the larger of the two.

use tidegate_quota::Counted;
use tidegate_schemas::records::LoadReport;

/// The load of a report that counts, as a fraction of the base quota; `None`: not measured.
pub(crate) fn load(counted: Counted, report: &LoadReport) -> Option<f64> {
    match counted {
        Counted::Max => match (report.cpu, report.memory) {
            (Some(cpu), Some(memory)) => Some(cpu.max(memory)),
            (one, other) => one.or(other),
        },
        Counted::Cpu => report.cpu,
        Counted::Memory => report.memory,
    }
}
