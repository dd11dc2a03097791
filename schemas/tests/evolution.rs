//! Records written with an older and a newer schema are read; every schema says what its fields mean.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use tidegate_schemas::catalogue::{RecordKind, Topic, VERSIONS};
use tidegate_schemas::codec::{CatalogueIds, Decoder, Encoder, SchemaIds, WriterSchema, recognise};
use tidegate_schemas::error::SchemaError;
use tidegate_schemas::records::*;

/// A registry that knows one foreign schema, id 100.
#[derive(Debug)]
struct OneForeign(Schema);

impl SchemaIds for OneForeign {
    fn id_for(&self, _: Topic, _: RecordKind) -> Result<u32, SchemaError> {
        Ok(100)
    }
    fn writer_schema(&self, id: u32) -> Result<WriterSchema, SchemaError> {
        assert_eq!(id, 100);
        Ok(recognise(self.0.clone()))
    }
}

fn report() -> LoadReport {
    LoadReport { cpu: Some(0.25), memory: None, requests_total: Some(7), ..LoadReport::new("n1", 1_000, 10_000, 500.0) }
}

/// The load report's schema with its field list changed.
fn changed(change: impl Fn(&mut Vec<serde_json::Value>)) -> Schema {
    let mut json: serde_json::Value = serde_json::from_str(RecordKind::LoadReport.current().text).unwrap();
    change(json["fields"].as_array_mut().unwrap());
    Schema::parse(&json).unwrap()
}

fn framed(schema: &Schema, value: Value) -> Vec<u8> {
    let mut bytes = vec![0, 0, 0, 0, 100];
    bytes.extend(GenericDatumWriter::builder(schema).build().unwrap().write_value_to_vec(value).unwrap());
    bytes
}

/// The report as a record of another schema: fields that ours lacks get `extra`.
fn as_value(schema: &Schema, extra: &Value) -> Value {
    let Schema::Record(record) = schema else { panic!("a record") };
    let ours = apache_avro::to_value(report()).unwrap().resolve(RecordKind::LoadReport.schema()).unwrap();
    let Value::Record(ours) = ours else { panic!("a record") };
    let field = |name: &str| ours.iter().find(|(n, _)| n == name).map_or(extra.clone(), |(_, v)| v.clone());
    Value::Record(record.fields.iter().map(|f| (f.name.clone(), field(&f.name))).collect())
}

#[test]
fn an_older_writer_without_newer_fields_is_read_with_defaults() {
    let old = changed(|fields| fields.retain(|f| f["name"] != "disk_io" && f["name"] != "base_quota"));
    let bytes = framed(&old, as_value(&old, &Value::Null));
    let got: LoadReport = Decoder::new(Arc::new(OneForeign(old))).decode(&bytes).unwrap();
    assert_eq!(got, LoadReport { base_quota: 1000.0, ..report() });
}

#[test]
fn a_newer_writer_with_fields_unknown_to_us_is_read() {
    let new = changed(|fields| {
        fields.insert(3, serde_json::json!({"name": "gpu", "type": ["null", "double"], "default": null}));
    });
    let bytes = framed(&new, as_value(&new, &Value::Union(1, Box::new(Value::Double(0.5)))));
    let got: LoadReport = Decoder::new(Arc::new(OneForeign(new))).decode(&bytes).unwrap();
    assert_eq!(got, report());
}

#[test]
fn a_schema_that_cannot_be_ours_is_refused_by_name() {
    let other = changed(|fields| fields[0] = serde_json::json!({"name": "node_id", "type": "long"}));
    let mut decoder = Decoder::new(Arc::new(OneForeign(other)));
    let error = decoder.decode::<LoadReport>(&[0, 0, 0, 0, 100, 2, 2]).unwrap_err();
    assert_eq!(error.class(), "incompatible-schema", "{error}");
}

#[test]
fn our_own_schema_behind_a_foreign_id_takes_the_fast_path() {
    let own = recognise(RecordKind::LoadReport.schema().clone());
    assert!(matches!(own, WriterSchema::Own(RecordKind::LoadReport)));
}

#[test]
fn bad_values_are_refused_with_their_class() {
    let encoder = Encoder::new(Topic::Load, RecordKind::LoadReport, &CatalogueIds).unwrap();
    let mut bytes = Vec::new();
    encoder.encode(&report(), &mut bytes).unwrap();
    let mut decoder = Decoder::new(Arc::new(CatalogueIds));
    assert_eq!(decoder.decode::<LoadReport>(&bytes).unwrap(), report());
    let cases: [(&[u8], &str); 5] = [
        (b"", "framing"),
        (b"{\"cpu\":1}", "framing"),
        (b"\0\0\0\0\x63", "unknown-schema-id"),
        (b"\0\0\0\0\x03", "incompatible-schema"),
        (&bytes[..bytes.len() - 1], "undecodable"),
    ];
    for (value, class) in cases {
        assert_eq!(decoder.decode::<LoadReport>(value).unwrap_err().class(), class, "{value:?}");
    }
    bytes.push(0);
    assert_eq!(decoder.decode::<LoadReport>(&bytes).unwrap_err().class(), "undecodable");
    // A string that claims to be four gigabytes long.
    let bomb = [0, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x1f];
    assert_eq!(decoder.decode::<LoadReport>(&bomb).unwrap_err().class(), "undecodable");
}

#[test]
fn every_field_has_a_doc_a_unit_and_a_default() {
    fn check(schema: &serde_json::Value, path: &str) {
        let Some(object) = schema.as_object() else {
            if let Some(union) = schema.as_array() {
                union.iter().for_each(|s| check(s, path));
            }
            return;
        };
        for key in ["items", "values"] {
            object.get(key).into_iter().for_each(|s| check(s, path));
        }
        if object.get("type").is_some_and(|t| t == "record" || t == "enum") {
            assert!(!object["doc"].as_str().unwrap().is_empty(), "{path}: doc");
        }
        for field in object.get("fields").and_then(|f| f.as_array()).into_iter().flatten() {
            let path = format!("{path}.{}", field["name"].as_str().unwrap());
            assert!(field["doc"].as_str().is_some_and(|d| !d.is_empty()), "{path}: doc");
            assert!(field["unit"].as_str().is_some_and(|u| !u.is_empty()), "{path}: unit");
            assert!(field.get("default").is_some(), "{path}: default");
            check(&field["type"], &path);
        }
    }
    for version in VERSIONS {
        check(&serde_json::from_str(version.text).unwrap(), version.kind.name());
    }
}

/// Goes through the bytes of every kind once.
fn round_trip<T: Record + PartialEq + std::fmt::Debug>(topic: Topic, record: T) {
    let mut bytes = Vec::new();
    Encoder::new(topic, T::KIND, &CatalogueIds).unwrap().encode(&record, &mut bytes).unwrap();
    assert_eq!(Decoder::new(Arc::new(CatalogueIds)).decode::<T>(&bytes).unwrap(), record);
}

fn cause() -> Cause {
    Cause { topic: "tidegate.load".into(), partition: 2, offset: 9 }
}

#[test]
fn reports_and_forecasts_go_through_their_bytes() {
    round_trip(Topic::Load, report());
    round_trip(Topic::Forecasts, a_forecast());
}

fn a_forecast() -> Forecast {
    let quantiles = Quantiles { p50: 0.5, p90: 0.75 };
    Forecast {
        node_id: "n".into(),
        pool: "p".into(),
        timestamp: 1,
        sequence: 2,
        base_quota: 10.0,
        quota_in_force: Some(12.0),
        quota_sequence: Some(5),
        requests_total: Some(7),
        requests_failed_total: Some(0),
        current: Load { cpu: 0.1, memory: 0.2 },
        measured_at: MeasuredAt { cpu: 1, memory: 0 },
        path_cpu: vec![0.1; 5],
        path_memory: vec![0.2; 5],
        peak_cpu: quantiles,
        peak_memory: quantiles,
        state: ForecastState::Demoted,
        model: "m".into(),
        cause: cause(),
    }
}

#[test]
fn commands_go_through_their_bytes() {
    round_trip(Topic::Quotas, a_command());
}

fn a_command() -> QuotaCommand {
    QuotaCommand {
        node_id: "n".into(),
        pool: String::new(),
        timestamp: 1,
        sequence: 2,
        base_quota: 10.0,
        quota: 12.0,
        scale_factor: 1.2,
        reason: "because".into(),
        limits_hit: vec!["max".into()],
        predicted_load: 0.9,
        forecast_p90: 1.0,
        current_load: 0.5,
        margin: 0.0,
        hold_until: Some(5),
        model: "m".into(),
        policy: "threshold".into(),
        mode: QuotaMode::Recommend,
        steering: vec![0, 255, 7],
        valid_until: 9,
        cause: cause(),
    }
}

#[test]
fn alerts_and_controls_go_through_their_bytes() {
    let text = |s: &str| [("k".to_owned(), s.to_owned())].into();
    round_trip(
        Topic::Alerts,
        Alert {
            fingerprint: "f".into(),
            rule: "r".into(),
            status: AlertStatus::Resolved,
            node_id: "n".into(),
            labels: text("l"),
            annotations: text("a"),
            value: 1.5,
            starts_at: 1,
            fired_at: 2,
            reported_at: 3,
            ends_at: None,
            cause: cause(),
        },
    );
    round_trip(
        Topic::Controls,
        Control {
            target: "pool:x".into(),
            override_quota: Some(3.0),
            mode: ControlMode::Enforce,
            ..Control::default()
        },
    );
}

#[test]
fn a_span_keeps_the_type_of_every_attribute() {
    let attribute = |key: &str, value| Attribute { key: key.into(), value, json: false };
    let attributes = vec![
        attribute("b", AttributeValue::Bool(true)),
        attribute("i", AttributeValue::Int(3)),
        attribute("d", AttributeValue::Double(0.5)),
        attribute("t", AttributeValue::Text("x".into())),
    ];
    round_trip(
        Topic::Spans,
        Span {
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".into(),
            span_id: "00f067aa0ba902b7".into(),
            trace_state: String::new(),
            parent_span_id: String::new(),
            flags: 1,
            name: "GET /".into(),
            kind: SpanKind::Server,
            start_time_unix_nano: 1,
            end_time_unix_nano: 2,
            attributes: attributes.clone(),
            dropped_attributes_count: 0,
            events: vec![SpanEvent {
                time_unix_nano: 1,
                name: "e".into(),
                attributes: attributes.clone(),
                dropped_attributes_count: 0,
            }],
            dropped_events_count: 0,
            links: vec![SpanLink {
                trace_id: String::new(),
                span_id: String::new(),
                trace_state: String::new(),
                attributes: attributes.clone(),
                dropped_attributes_count: 1,
                flags: 0,
            }],
            dropped_links_count: 0,
            status: SpanStatus { message: "m".into(), code: StatusCode::Error },
            resource_attributes: Arc::new(attributes.clone()),
            resource_schema_url: String::new(),
            scope_name: "s".into(),
            scope_version: "1".into(),
            scope_attributes: Arc::new(attributes),
            schema_url: String::new(),
        },
    );
}

/// A record as version 1 of its schema wrote it: fields that version lacks are left out.
fn written_with<T: Record>(version: u32, record: &T) -> Vec<u8> {
    let old = VERSIONS.iter().find(|v| v.kind == T::KIND && v.version == version).unwrap();
    let schema = Schema::parse_str(old.text).unwrap();
    let Schema::Record(shape) = &schema else { panic!("a record") };
    let now = apache_avro::serde::to_value(record).unwrap();
    let Value::Record(now) = now else { panic!("a record") };
    let field = |name: &str| now.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap();
    let fields = shape.fields.iter().map(|f| (f.name.clone(), field(&f.name))).collect();
    let value = Value::Record(fields).resolve(&schema).unwrap();
    let mut bytes = vec![0];
    bytes.extend(old.id.to_be_bytes());
    bytes.extend(GenericDatumWriter::builder(&schema).build().unwrap().write_value_to_vec(value).unwrap());
    bytes
}

#[test]
fn older_forecasts_commands_and_alerts_are_read_with_defaults() {
    let mut decoder = Decoder::new(Arc::new(CatalogueIds));
    let forecast: Forecast = decoder.decode(&written_with(1, &a_forecast())).unwrap();
    let without_requests =
        Forecast { quota_sequence: None, requests_total: None, requests_failed_total: None, ..a_forecast() };
    assert_eq!(forecast, Forecast { measured_at: MeasuredAt::default(), ..without_requests.clone() });
    let forecast: Forecast = decoder.decode(&written_with(2, &a_forecast())).unwrap();
    assert_eq!(forecast, without_requests);
    let alert = Alert { fingerprint: "f".into(), starts_at: 1, fired_at: 2, reported_at: 3, ..Alert::default() };
    let old: Alert = decoder.decode(&written_with(1, &alert)).unwrap();
    assert_eq!(old, Alert { fired_at: 0, reported_at: 0, ..alert });
    let command: QuotaCommand = decoder.decode(&written_with(1, &a_command())).unwrap();
    let wanted = QuotaCommand { forecast_p90: 0.0, mode: QuotaMode::Enforce, steering: Vec::new(), ..a_command() };
    assert_eq!(command, wanted);
}

#[test]
fn in_json_the_steering_is_hexadecimal() {
    let json = serde_json::to_value(a_command()).unwrap();
    assert_eq!((&json["steering"], &json["mode"]), (&"00ff07".into(), &"RECOMMEND".into()));
    assert_eq!(serde_json::from_value::<QuotaCommand>(json.clone()).unwrap(), a_command());
    for wrong in ["0", "zz", "é0"] {
        let mut json = json.clone();
        json["steering"] = wrong.into();
        assert!(serde_json::from_value::<QuotaCommand>(json).is_err(), "{wrong}");
    }
}
