//! `schemas serve`: the registry's REST API, as clients ask it.

use serde_json::Value;
use tidegate_schemas::{RecordKind, Topic};
use tidegate_tests::binary;
use tidegate_tests::ports::free_port;

use crate::fixture::PATIENCE;

fn get(url: &str) -> Value {
    ureq::get(url).call().unwrap_or_else(|e| panic!("{url}: {e}")).body_mut().read_json().unwrap()
}

#[test]
fn every_subject_leads_to_its_schema() {
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let mut registry = binary::spawn(&["schemas", "serve", "--listen", &address]);
    registry.wait_for(&address, PATIENCE).unwrap();
    let url = |path: &str| format!("http://{address}{path}");

    let subjects = get(&url("/subjects"));
    let subjects: Vec<&str> = subjects.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for topic in Topic::ALL {
        let Some(kind) = topic.record() else { continue };
        let subject = topic.subject("tidegate.");
        assert!(subjects.contains(&subject.as_str()), "{subject} is not in {subjects:?}");
        let latest = get(&url(&format!("/subjects/{subject}/versions/latest")));
        assert_eq!(latest["id"], kind.current().id);
        let by_id = get(&url(&format!("/schemas/ids/{}", kind.current().id)));
        let schema: Value = serde_json::from_str(by_id["schema"].as_str().unwrap()).unwrap();
        assert_eq!(schema["name"], kind.name());
    }
    let missing = ureq::get(&url("/schemas/ids/4242")).call();
    assert!(matches!(missing, Err(ureq::Error::StatusCode(404))), "{missing:?}");
    assert_eq!(RecordKind::ALL.len(), 7, "every record has a subject here");
    assert_eq!(registry.terminate().unwrap().code, Some(0));
}
