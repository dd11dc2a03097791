//! Bodies of OTLP/HTTP: binary protobuf or JSON, as the content type says.

use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message;

use crate::error::OtlpError;
use crate::outline;

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// The JSON mapping of protobuf, with ids in hex.
    Json,
}

impl Encoding {
    /// By a `Content-Type`, parameters left aside.
    ///
    /// # Errors
    /// [`OtlpError::ContentType`] where it is another: HTTP status 415.
    pub fn of(content_type: &str) -> Result<Self, OtlpError> {
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "application/x-protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => Err(OtlpError::ContentType(content_type.to_owned())),
        }
    }

    /// Its `Content-Type`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`OtlpError::Malformed`]: HTTP status 400; [`OtlpError::TooManyParts`]: 413.
    pub fn request(self, body: &[u8]) -> Result<ExportTraceServiceRequest, OtlpError> {
        let malformed = |encoding, message| OtlpError::Malformed { encoding, message };
        match self {
            Self::Protobuf => {
                outline::check_protobuf(body)?;
                ExportTraceServiceRequest::decode(body).map_err(|e| malformed("protobuf", e.to_string()))
            }
            Self::Json => {
                outline::check_json(body)?;
                serde_json::from_slice(body).map_err(|e| malformed("JSON", e.to_string()))
            }
        }
    }

    /// Writes a request.
    #[must_use]
    pub fn body(self, request: &ExportTraceServiceRequest) -> Vec<u8> {
        match self {
            Self::Protobuf => request.encode_to_vec(),
            // Maps have text keys only, and numbers that JSON has none for are written as null.
            Self::Json => serde_json::to_vec(request).unwrap_or_default(),
        }
    }

    /// Writes an answer.
    #[must_use]
    pub fn response(self, response: &ExportTraceServiceResponse) -> Vec<u8> {
        match self {
            Self::Protobuf => response.encode_to_vec(),
            // Its fields are a number and a text: neither can fail.
            Self::Json => serde_json::to_vec(response).unwrap_or_default(),
        }
    }
}
