//! Valid records of every kind, as the corpora want them.

use serde_json::{Value, json};
use tidegate_schemas::records::{Alert, Checkpoint, Control, Forecast, LoadReport, QuotaCommand, Record, Span};
use tidegate_schemas::{CatalogueIds, Encoder, RecordKind, Topic};

/// A load report with every field.
pub(super) fn report() -> LoadReport {
    LoadReport {
        pool: "web".into(),
        cpu: Some(0.5),
        memory: Some(0.25),
        net_in: Some(1e6),
        net_out: Some(0.0),
        disk_io: None,
        requests_total: Some(12_345),
        requests_failed_total: Some(1),
        quota_in_force: Some(900.0),
        quota_sequence: Some(7),
        ..LoadReport::new("node-0001", 1_767_571_200_000, 10_000, 1000.0)
    }
}

fn cause() -> Value {
    json!({ "topic": "tidegate.load", "partition": 3, "offset": 42 })
}

/// A forecast with every field.
pub(super) fn forecast() -> Forecast {
    let peak = json!({ "p50": 0.5, "p90": 0.7 });
    of_json(json!({
        "node_id": "node-0001", "pool": "web", "timestamp": 1_767_571_200_000_i64, "sequence": 9, "base_quota": 1000.0,
        "quota_in_force": 900.0, "quota_sequence": 7, "requests_total": 12, "requests_failed_total": null, "current": { "cpu": 0.5, "memory": 0.25 },
        "measured_at": { "cpu": 1_767_571_200_000_i64, "memory": 0 }, "path_cpu": [0.1, 0.2, 0.3, 0.4, 0.5],
        "path_memory": [0.1, 0.2, 0.3, 0.4, 0.5], "peak_cpu": peak, "peak_memory": peak, "state": "READY",
        "model": "tide-2 01234567", "cause": cause(),
    }))
}

/// A command with a steering of its own.
pub(super) fn command() -> QuotaCommand {
    of_json(json!({
        "node_id": "node-0001", "pool": "web", "timestamp": 1_767_571_200_000_i64, "sequence": 9, "base_quota": 1000.0,
        "quota": 900.0, "scale_factor": 0.9, "reason": "peak 0.5", "limits_hit": ["max_scale", "hold_down"],
        "predicted_load": 0.5, "forecast_p90": 0.7, "current_load": 0.5, "margin": 0.1,
        "hold_until": 1_767_571_300_000_i64, "model": "tide-2 01234567", "policy": "headroom", "mode": "ENFORCE",
        "steering": "0100e0da4500000000", "valid_until": 1_767_571_500_000_i64, "cause": cause(),
    }))
}

fn control() -> Control {
    Control {
        target: "pool:web".into(),
        timestamp: 1_767_571_200_000,
        override_quota: Some(1500.0),
        min_quota: Some(10.0),
        policy: Some("headroom".into()),
        until: Some(1_767_578_400_000),
        by: "alice".into(),
        why: "release".into(),
        ..Control::default()
    }
}

fn checkpoint() -> Checkpoint {
    Checkpoint {
        node_id: "node-0001".into(),
        offset: 42,
        by: 43,
        sequence: 9,
        heard: 1_767_571_200_000,
        marks: vec![981_984, 7, 1, 30],
        model: "tide-2 01234567".into(),
        state: vec![1, 2, 3],
    }
}

fn alert() -> Alert {
    of_json(json!({
        "fingerprint": "0a1b", "rule": "hot", "status": "FIRING", "node_id": "node-0001", "labels": { "pool": "web", "a": "b" },
        "annotations": { "summary": "hot" }, "value": 0.9, "starts_at": 1, "fired_at": 2, "reported_at": 3, "ends_at": null, "cause": cause(),
    }))
}

fn span() -> Span {
    let attributes = json!([
        { "key": "a", "value": true, "json": false }, { "key": "b", "value": 7, "json": false },
        { "key": "c", "value": "text", "json": false }, { "key": "d", "value": "null", "json": true },
    ]);
    of_json(json!({
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "trace_state": "",
        "parent_span_id": "", "flags": 1, "name": "forecast", "kind": "INTERNAL", "start_time_unix_nano": 1,
        "end_time_unix_nano": 2, "attributes": attributes, "dropped_attributes_count": 0,
        "events": [{ "time_unix_nano": 1, "name": "e", "attributes": attributes, "dropped_attributes_count": 0 }],
        "dropped_events_count": 0,
        "links": [{ "trace_id": "", "span_id": "", "trace_state": "", "attributes": attributes,
            "dropped_attributes_count": 0, "flags": 0 }],
        "dropped_links_count": 0, "status": { "message": "", "code": "OK" }, "resource_attributes": attributes,
        "resource_schema_url": "", "scope_name": "", "scope_version": "", "scope_attributes": [], "schema_url": "",
    }))
}

fn of_json<T: Record>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// One framed value of each kind, in the newest schema.
pub(super) fn framed() -> Vec<Vec<u8>> {
    vec![
        encoded(Topic::Load, &report()),
        encoded(Topic::Forecasts, &forecast()),
        encoded(Topic::Quotas, &command()),
        encoded(Topic::Controls, &control()),
        encoded(Topic::Alerts, &alert()),
        encoded(Topic::Spans, &span()),
        encoded(Topic::Checkpoints, &checkpoint()),
    ]
}

fn encoded<T: Record>(topic: Topic, record: &T) -> Vec<u8> {
    let mut out = Vec::new();
    Encoder::new(topic, T::KIND, &CatalogueIds).unwrap().encode(record, &mut out).unwrap();
    out
}

/// A value of an older version, by its id: the record's JSON without what that version did not know.
pub(super) fn framed_older(id: u32) -> Vec<u8> {
    use apache_avro::writer::datum::GenericDatumWriter;
    let version = tidegate_schemas::catalogue::VERSIONS.into_iter().find(|v| v.id == id).unwrap();
    let whole = match version.kind {
        RecordKind::Forecast => serde_json::to_value(forecast()),
        _ => serde_json::to_value(command()),
    };
    let schema = tidegate_schemas::catalogue::parsed(id).unwrap();
    let value = avro(&whole.unwrap(), schema);
    let datum = GenericDatumWriter::builder(schema).build().unwrap().write_value_to_vec(value).unwrap();
    let mut out = Vec::new();
    tidegate_schemas::framing::begin(&mut out, id);
    out.extend(datum);
    out
}

/// The fields that a record's schema knows, as Avro.
fn avro(json: &Value, schema: &apache_avro::Schema) -> apache_avro::types::Value {
    use apache_avro::types::Value as Avro;
    let apache_avro::Schema::Record(record) = schema else {
        return Avro::try_from(json.clone()).unwrap().resolve(schema).unwrap();
    };
    let fields = record.fields.iter().filter_map(|field| Some((field.name.clone(), json.get(&field.name)?)));
    Avro::Record(fields.map(|(name, value)| (name, Avro::try_from(value.clone()).unwrap())).collect())
        .resolve(schema)
        .unwrap()
}
