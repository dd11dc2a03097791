//! The loop that moves a fleet: wait until a report is due, take quotas over, send it.

use std::sync::atomic::AtomicBool;

use crate::error::ProducerError;
use crate::pacing::{Clock, Pacer, Speed, wait_until_due};
use crate::sink::ReportSink;

use super::Fleet;

/// What a drive came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Driven {
    /// Reports sent.
    pub sent: u64,
    /// Whether `stop` ended it, not `until_ms`.
    pub stopped: bool,
}

/// Sends the fleet's reports with event times before `until_ms` (`None`: without end) at this speed, until `stop` is set.
///
/// `quotas` is called before each report, when it is due: there commands that have come are applied. Time that the sink
/// takes is caught up with: a late report is sent at once.
///
/// # Errors
/// The sink's, as they come; the fleet stands behind the report that failed.
pub fn drive(
    fleet: &mut Fleet,
    speed: Speed,
    until_ms: Option<i64>,
    sink: &mut dyn ReportSink,
    clock: &dyn Clock,
    stop: &AtomicBool,
    mut quotas: impl FnMut(&mut Fleet),
) -> Result<Driven, ProducerError> {
    let mut pacer = Pacer::new(speed);
    let mut sent = 0;
    while until_ms.is_none_or(|end| fleet.next_event_ms() < end) {
        if !wait_until_due(&mut pacer, fleet.next_event_ms(), clock, stop) {
            return Ok(Driven { sent, stopped: true });
        }
        quotas(fleet);
        sink.send(&fleet.next_report())?;
        sent += 1;
    }
    Ok(Driven { sent, stopped: false })
}
