//! Where reports and recorded records go: traits, so that what makes them knows no Kafka.

use tidegate_schemas::recording::Recording;
use tidegate_schemas::records::LoadReport;

use crate::error::ProducerError;

/// Takes load reports, in order.
pub trait ReportSink {
    /// Hands one report over; may wait while a queue is full.
    ///
    /// # Errors
    /// What the sink met; [`ProducerError::is_retryable`] says whether waiting can help.
    fn send(&mut self, report: &LoadReport) -> Result<(), ProducerError>;
}

/// Takes recorded records as they are, in order.
pub trait RecordSink {
    /// Hands one record over; may wait while a queue is full.
    ///
    /// # Errors
    /// What the sink met; [`ProducerError::is_retryable`] says whether waiting can help.
    fn send_record(&mut self, record: &Recording) -> Result<(), ProducerError>;
}

impl ReportSink for Vec<LoadReport> {
    fn send(&mut self, report: &LoadReport) -> Result<(), ProducerError> {
        self.push(report.clone());
        Ok(())
    }
}

impl RecordSink for Vec<Recording> {
    fn send_record(&mut self, record: &Recording) -> Result<(), ProducerError> {
        self.push(record.clone());
        Ok(())
    }
}
