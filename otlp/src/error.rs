//! What can be wrong with what others send.

/// Errors of this crate. None of them is mended by trying again: the bytes stay what they are.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OtlpError {
    /// A request whose records would be too large together: each has a resource and a scope of its own.
    #[error(
        "the request would be more than {most} bytes of records, each with its resource and scope; send it in smaller ones"
    )]
    TooLargeAsRecords {
        /// Bytes at most.
        most: usize,
    },
    /// A body that is neither protobuf nor JSON.
    #[error("the content type {0:?} is not supported; send application/x-protobuf or application/json")]
    ContentType(String),
    /// A compression that nobody here reads.
    #[error("the content encoding {0:?} is not supported; send gzip or none")]
    ContentEncoding(String),
    /// Bytes that are no gzip.
    #[error("the body is no gzip: {0}")]
    Compression(String),
    /// A body that is larger than is taken.
    #[error("the body is larger than {most} bytes")]
    TooLarge {
        /// Bytes at most.
        most: usize,
    },
    /// A request of more parts than is reasonable.
    #[error("the request has more than {most} spans, points, attributes and other parts; send it in smaller ones")]
    TooManyParts {
        /// Parts at most.
        most: usize,
    },
    /// Bytes that are no request.
    #[error("the body is no {what} as {encoding}: {message}")]
    Malformed {
        /// What it should be.
        what: &'static str,
        /// What the body was said to be.
        encoding: &'static str,
        /// Why.
        message: String,
    },
}
