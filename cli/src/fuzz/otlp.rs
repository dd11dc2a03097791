//! What a backend of spans refuses by gRPC.

use tidegate_fuzz::Target;
use tidegate_gateway::otlp::meaning;
use tidegate_otlp::Answer;

/// A byte for the code, then the bytes of `grpc-status-details-bin`; accepted where they say when to come again.
pub(super) const STATUSES: Target = Target {
    name: "otlp_statuses",
    usual: 50_000,
    corpus: || {
        // code 14, a message, an Any of a RetryInfo of 2 s and some nanoseconds
        let retry = b"\x0a\x06\x08\x02\x10\x80\x94\x23";
        let any = [b"\x0a\x28type.googleapis.com/google.rpc.RetryInfo\x12\x08".as_slice(), retry].concat();
        let length = u8::try_from(any.len()).unwrap_or_default();
        let status = [b"\x08\x0e\x12\x04busy\x1a".as_slice(), &[length], &any].concat();
        [8, 14].map(|code| [&[code], status.as_slice()].concat()).into()
    },
    decoder: || {
        Box::new(|bytes| {
            let [code, details @ ..] = bytes else { return false };
            matches!(meaning((*code).into(), details), Answer::Later(Some(_), _))
        })
    },
};

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_otlp_statuses() {
        super::STATUSES.run();
    }
}
