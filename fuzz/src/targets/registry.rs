//! What is asked of the registry: the path and the body of a request.

use serde_json::json;
use tidegate_schemas::catalogue::VERSIONS;
use tidegate_schemas::registry_api::{Request, answer};

use crate::Target;

pub(super) const REGISTRY_REQUESTS: Target = Target {
    name: "registry_requests",
    usual: 5_000,
    corpus: || {
        let mut corpus: Vec<Vec<u8>> = Vec::new();
        for version in VERSIONS {
            let body = json!({ "schema": version.text, "schemaType": "AVRO" });
            corpus.push(format!("POST subjects/tidegate.load-value/versions\n{body}").into_bytes());
            corpus
                .push(format!("POST compatibility/subjects/tidegate.load-value/versions/latest\n{body}").into_bytes());
        }
        corpus.push(b"GET schemas/ids/3/schema\n".to_vec());
        corpus.push(b"GET subjects/tidegate.quotas-value/versions/2\n".to_vec());
        corpus
    },
    decoder: || Box::new(asked),
};

/// A line with method and path, then the body.
fn asked(bytes: &[u8]) -> bool {
    let at = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (line, body) = (String::from_utf8_lossy(&bytes[..at]), bytes.get(at + 1..).unwrap_or_default());
    let (method, path) = line.split_once(' ').unwrap_or((&line, ""));
    let path: Vec<&str> = path.split('/').collect();
    let said = answer("tidegate.", Request { method, path: &path, body });
    assert!((200..500).contains(&said.status), "{said:?}");
    true
}

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_registry_requests() {
        super::REGISTRY_REQUESTS.run();
    }
}
