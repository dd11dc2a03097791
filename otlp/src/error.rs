//! What can be wrong with what others send.

/// Errors of this crate. None of them is mended by trying again: the bytes stay what they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// A body that is neither protobuf nor JSON.
    #[error("the content type {0:?} is not supported; send application/x-protobuf or application/json")]
    ContentType(String),
    /// A request of more parts than is reasonable.
    #[error("the request has more than {most} spans, attributes and other parts; send it in smaller ones")]
    TooManyParts {
        /// Parts at most.
        most: usize,
    },
    /// Bytes that are no request.
    #[error("the body is no ExportTraceServiceRequest as {encoding}: {message}")]
    Malformed {
        /// What the body was said to be.
        encoding: &'static str,
        /// Why.
        message: String,
    },
}
