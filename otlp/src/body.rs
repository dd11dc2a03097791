//! Bodies of OTLP/HTTP: binary protobuf or JSON, as the content type says.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::OtlpError;
use crate::outline::{self, Root};

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

    /// Reads a request of spans.
    ///
    /// # Errors
    /// [`OtlpError::Malformed`]: HTTP status 400; [`OtlpError::TooManyParts`], [`OtlpError::TooLargeAsRecords`]: 413.
    pub fn request(self, body: &[u8]) -> Result<ExportTraceServiceRequest, OtlpError> {
        let request = self.decode("ExportTraceServiceRequest", Root::Traces, body)?;
        outline::check_records(&request, body.len())?;
        Ok(request)
    }

    /// Reads a request of metrics.
    ///
    /// # Errors
    /// As [`Encoding::request`].
    pub fn metrics(self, body: &[u8]) -> Result<ExportMetricsServiceRequest, OtlpError> {
        self.decode("ExportMetricsServiceRequest", Root::Metrics, body)
    }

    fn decode<M: Message + Default + DeserializeOwned>(
        self,
        what: &'static str,
        root: Root,
        body: &[u8],
    ) -> Result<M, OtlpError> {
        let malformed = |encoding, message| OtlpError::Malformed { what, encoding, message };
        match self {
            Self::Protobuf => {
                outline::check_protobuf(what, root, body)?;
                M::decode(body).map_err(|e| malformed("protobuf", e.to_string()))
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
    pub fn response<M: Message + Serialize>(self, response: &M) -> Vec<u8> {
        match self {
            Self::Protobuf => response.encode_to_vec(),
            // Its fields are a number and a text: neither can fail.
            Self::Json => serde_json::to_vec(response).unwrap_or_default(),
        }
    }
}

/// A body without its compression, by its `Content-Encoding`; never more than `most` bytes.
///
/// # Errors
/// Another compression than gzip, none where it should be one, or more bytes.
pub fn plain<'b>(compression: &str, body: &'b [u8], most: usize) -> Result<Cow<'b, [u8]>, OtlpError> {
    let plain = match compression {
        "" | "identity" => Cow::Borrowed(body),
        "gzip" => {
            let mut plain = Vec::new();
            let one_more = (most as u64).saturating_add(1);
            let read = GzDecoder::new(body).take(one_more).read_to_end(&mut plain);
            read.map_err(|e| OtlpError::Compression(e.to_string()))?;
            Cow::Owned(plain)
        }
        other => return Err(OtlpError::ContentEncoding(other.to_owned())),
    };
    if plain.len() > most { Err(OtlpError::TooLarge { most }) } else { Ok(plain) }
}
