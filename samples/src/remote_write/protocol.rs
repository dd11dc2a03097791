//! Which protocol a request speaks, by its headers.

use crate::error::SamplesError;

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Remote-Write 1.0, `prometheus.WriteRequest`.
    V1,
    /// Remote-Write 2.0, `io.prometheus.write.v2.Request`.
    V2,
}

impl Protocol {
    /// By `Content-Type`, `Content-Encoding` and `X-Prometheus-Remote-Write-Version`. The type says which message it is; a
    /// version is only refused where its major number is unknown.
    ///
    /// # Errors
    /// [`SamplesError::Unsupported`], with what would be taken.
    pub fn of(content_type: &str, encoding: &str, version: &str) -> Result<Self, SamplesError> {
        let unsupported = |what: String| Err(SamplesError::Unsupported(what));
        let mut parts = content_type.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default();
        if !media.eq_ignore_ascii_case("application/x-protobuf") {
            return unsupported(format!("the content type {media:?} is not supported; send application/x-protobuf"));
        }
        let message = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("proto").then(|| value.trim().trim_matches('"'))
        });
        let protocol = match message {
            None | Some("prometheus.WriteRequest") => Self::V1,
            Some("io.prometheus.write.v2.Request") => Self::V2,
            Some(other) => {
                return unsupported(format!(
                    "the message {other:?} is not supported; send prometheus.WriteRequest or io.prometheus.write.v2.Request"
                ));
            }
        };
        if !encoding.eq_ignore_ascii_case("snappy") {
            return unsupported(format!("the content encoding {encoding:?} is not supported; send snappy"));
        }
        match version.split('.').next().unwrap_or_default() {
            "" | "0" | "1" | "2" => Ok(protocol),
            _ => unsupported(format!("Remote-Write {version} is not supported; send 1.0 or 2.0")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_says_which_it_is() {
        let of = |content_type, version| Protocol::of(content_type, "snappy", version);
        assert_eq!(of("application/x-protobuf", "0.1.0"), Ok(Protocol::V1));
        assert_eq!(of("application/x-protobuf;proto=prometheus.WriteRequest", ""), Ok(Protocol::V1));
        let second = "application/x-protobuf; Proto=\"io.prometheus.write.v2.Request\"";
        assert_eq!(of(second, "2.0.0"), Ok(Protocol::V2));
        assert_eq!(of("Application/X-Protobuf", "2.0.0"), Ok(Protocol::V1), "the type goes over the version");
    }

    #[test]
    fn what_nobody_reads_is_refused_with_what_would_be_taken() {
        for (content_type, encoding, version, why) in [
            ("", "snappy", "", "application/x-protobuf"),
            ("application/json", "snappy", "", "application/x-protobuf"),
            ("application/x-protobuf;proto=io.prometheus.write.v3.Request", "snappy", "", "write.v2.Request"),
            ("application/x-protobuf", "", "", "send snappy"),
            ("application/x-protobuf", "zstd", "", "send snappy"),
            ("application/x-protobuf", "snappy", "3.0.0", "1.0 or 2.0"),
        ] {
            let said = Protocol::of(content_type, encoding, version).unwrap_err();
            assert!(matches!(said, SamplesError::Unsupported(_)) && said.to_string().contains(why), "{said}");
        }
    }
}
