//! The registry's answers, as stock clients ask for them.

use serde_json::{Value, json};
use tidegate_schemas::catalogue::RecordKind;
use tidegate_schemas::registry_api::{Answer, Request, answer};

fn ask(method: &str, path: &str, body: &Value) -> Answer {
    let segments: Vec<&str> = path.split('/').collect();
    answer("t.", Request { method, path: &segments, body: body.to_string().as_bytes() })
}

fn get(path: &str) -> Answer {
    ask("GET", path, &Value::Null)
}

#[test]
fn subjects_versions_and_ids_agree() {
    let subjects = get("subjects").body;
    assert_eq!(subjects.as_array().unwrap().len(), RecordKind::ALL.len());
    for subject in subjects.as_array().unwrap() {
        let subject = subject.as_str().unwrap();
        let versions = get(&format!("subjects/{subject}/versions")).body;
        let latest = get(&format!("subjects/{subject}/versions/latest")).body;
        let by_id = get(&format!("schemas/ids/{}", latest["id"])).body;
        assert_eq!(by_id["schema"], latest["schema"]);
        let uses = get(&format!("schemas/ids/{}/versions", latest["id"])).body;
        assert_eq!(uses, json!([{ "subject": subject, "version": latest["version"] }]));
        assert_eq!(latest["version"].as_u64().unwrap() as usize, versions.as_array().unwrap().len());
    }
}

#[test]
fn a_known_schema_is_found_and_a_new_one_refused() {
    let schema = RecordKind::QuotaCommand.current().text;
    let known = json!({ "schema": schema });
    assert_eq!(ask("POST", "subjects/t.quotas-value/versions", &known).body, json!({ "id": 8 }));
    assert_eq!(ask("POST", "subjects/t.quotas-value", &known).body["version"], 2);
    let new = json!({ "schema": "\"string\"" });
    assert_eq!(ask("POST", "subjects/t.quotas-value/versions", &new).status, 422);
    assert_eq!(ask("POST", "subjects/t.quotas-value", &new).body["error_code"], 40403);
    assert_eq!(ask("POST", "subjects/t.quotas-value", &json!({ "schema": "{" })).body["error_code"], 42201);
}

#[test]
fn compatibility_is_checked_backward() {
    let mut schema: Value = serde_json::from_str(RecordKind::LoadReport.current().text).unwrap();
    let fields = schema["fields"].as_array_mut().unwrap();
    fields.push(json!({ "name": "gpu", "type": "double", "default": 0.0 }));
    let check = |schema: &Value| {
        ask("POST", "compatibility/subjects/t.load-value/versions/latest", &json!({ "schema": schema.to_string() }))
            .body
    };
    assert_eq!(check(&schema)["is_compatible"], true);
    schema["fields"].as_array_mut().unwrap().push(json!({ "name": "must", "type": "double" }));
    assert_eq!(check(&schema)["is_compatible"], false, "a new field without a default cannot read old data");
}

#[test]
fn what_is_not_there_is_said_in_the_registrys_words() {
    for (path, status, code) in [
        ("schemas/ids/99", 404, 40403),
        ("schemas/ids/x", 404, 40403),
        ("subjects/none/versions", 404, 40401),
        ("subjects/t.load-value/versions/9", 404, 40402),
        ("subjects/t.load-value/versions/x", 422, 42202),
        ("nowhere", 404, 404),
    ] {
        let got = get(path);
        assert_eq!((got.status, &got.body["error_code"]), (status, &json!(code)), "{path}");
    }
}
