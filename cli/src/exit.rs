//! Errors to one sentence on stderr and an exit code of sysexits.

use std::process::ExitCode;

use tidegate_broker::BrokerError;
use tidegate_forecast::ForecastError;
use tidegate_gateway::GatewayError;
use tidegate_producers::ProducerError;
use tidegate_schemas::SchemaError;
use tidegate_sinks::SinkError;

/// The command line is wrong (EX_USAGE).
pub(crate) const USAGE: u8 = 64;
/// Input data is wrong (EX_DATAERR).
pub(crate) const DATA: u8 = 65;
/// An input file is missing (EX_NOINPUT).
pub(crate) const NO_INPUT: u8 = 66;
/// Something we need does not answer, or a port is taken (EX_UNAVAILABLE).
pub(crate) const UNAVAILABLE: u8 = 69;
/// A fault of ours (EX_SOFTWARE).
const SOFTWARE: u8 = 70;
/// An output file cannot be created (EX_CANTCREAT).
pub(crate) const CANNOT_CREATE: u8 = 73;
/// We are not allowed to (EX_NOPERM).
const NOT_ALLOWED: u8 = 77;
/// A setting is wrong (EX_CONFIG).
pub(crate) const CONFIG: u8 = 78;

/// An error that knows its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// An error with this code and sentence.
pub(crate) fn failure(code: u8, message: impl Into<String>) -> anyhow::Error {
    Failure { code, message: message.into() }.into()
}

/// Prints an error as one line and gives the exit code.
#[expect(clippy::print_stderr, reason = "the one place that tells the user what failed")]
pub(crate) fn report(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", sentence(&error));
            ExitCode::from(code(&error))
        }
    }
}

/// The chain of causes as one sentence; a cause that its error's text holds already is not said again.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = String::new();
    for cause in error.chain().map(|cause| cause.to_string().replace('\n', " ")) {
        if said.is_empty() {
            said = cause;
        } else if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}

/// The exit code of the first error of the chain that has one.
fn code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(own_code).unwrap_or(SOFTWARE)
}

fn own_code(error: &(dyn std::error::Error + 'static)) -> Option<u8> {
    if let Some(failure) = error.downcast_ref::<Failure>() {
        return Some(failure.code);
    }
    if let Some(e) = error.downcast_ref::<BrokerError>() {
        return Some(match e {
            BrokerError::Settings(_)
            | BrokerError::PartitionMismatch { .. }
            | BrokerError::Embedded(_)
            | BrokerError::Authorities { .. } => CONFIG,
            BrokerError::Refused { .. } => NOT_ALLOWED,
            BrokerError::TooLarge { .. } => DATA,
            BrokerError::Schema(e) => schema_code(e),
            BrokerError::Thread(_) => SOFTWARE,
            _ => UNAVAILABLE,
        });
    }
    if let Some(e) = error.downcast_ref::<SchemaError>() {
        return Some(schema_code(e));
    }
    if let Some(e) = error.downcast_ref::<ProducerError>() {
        return match e {
            ProducerError::Options(_) => Some(USAGE),
            ProducerError::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Some(NO_INPUT),
            ProducerError::File { .. } | ProducerError::Header { .. } => Some(DATA),
            ProducerError::Schema { source, .. } => Some(schema_code(source)),
            ProducerError::Publish(source) => own_code(source),
            ProducerError::Host(_) => Some(UNAVAILABLE),
            _ => None,
        };
    }
    if let Some(e) = error.downcast_ref::<SinkError>() {
        return Some(match e {
            SinkError::File { .. } => CANNOT_CREATE,
            SinkError::Target(_) => CONFIG,
            SinkError::Broker(e) => own_code(e).unwrap_or(UNAVAILABLE),
            SinkError::Schema(e) => schema_code(e),
            _ => SOFTWARE,
        });
    }
    if let Some(e) = error.downcast_ref::<GatewayError>() {
        return Some(match e {
            GatewayError::Broker(e) => own_code(e).unwrap_or(UNAVAILABLE),
            GatewayError::Schema(e) => schema_code(e),
            GatewayError::Spans(e) => own_code(e).unwrap_or(UNAVAILABLE),
            GatewayError::Setting(_) => CONFIG,
            GatewayError::Start { .. } => UNAVAILABLE,
            _ => SOFTWARE,
        });
    }
    if matches!(error.downcast_ref(), Some(ForecastError::Option { .. })) {
        return Some(USAGE);
    }
    if error.is::<tidegate_explain::ExplainError>() || error.is::<ForecastError>() {
        return Some(DATA);
    }
    error.is::<tidegate_quota::QuotaError>().then_some(CONFIG)
}

fn schema_code(error: &SchemaError) -> u8 {
    if error.is_retryable() { UNAVAILABLE } else { DATA }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let source = std::io::Error::other("disk full");
        let error = anyhow::Error::from(SinkError::File { path: "a.avro".into(), source });
        assert_eq!(sentence(&error), "a.avro cannot be written: disk full");
        assert_eq!(sentence(&error.context("recording")), "recording: a.avro cannot be written: disk full");
    }
}
