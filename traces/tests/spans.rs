//! What a process tells of a record, as it reaches whoever takes spans.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tidegate_otlp::{ExportTraceServiceRequest, records_of};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::{HeadSampler, TraceContext};
use tidegate_traces::{Batch, Hop, Operation, Origin, Step, connect, counter, layer};
use tracing_subscriber::prelude::*;

/// Runs with spans taken; gives each with the name of its service.
fn taken(run: impl FnOnce()) -> Vec<(String, Span)> {
    // There is one outlet in a process.
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap();
    let requests = Arc::new(Mutex::new(Vec::<ExportTraceServiceRequest>::new()));
    let into = Arc::clone(&requests);
    let takes = move |request| {
        into.lock().unwrap().push(request);
        Ok(())
    };
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer()), || {
        let connected = connect(Box::new(takes), counter().unwrap());
        run();
        drop(connected);
    });
    let requests = requests.lock().unwrap().clone();
    // They are whole OTLP: what takes spans of others takes ours.
    let (records, rejected): (Vec<_>, Vec<_>) =
        requests.iter().map(|r| records_of(r.clone())).map(|intake| (intake.spans.len(), intake.rejected)).unzip();
    assert_eq!(rejected.iter().sum::<u64>(), 0);
    let spans: Vec<_> = requests
        .into_iter()
        .flat_map(|request| request.resource_spans)
        .flat_map(|of| {
            let resource = of.resource.unwrap();
            let name = resource.attributes.iter().find(|a| a.key == "service.name").unwrap();
            let name = format!("{:?}", name.value.clone().unwrap().value.unwrap());
            of.scope_spans.into_iter().flat_map(|scope| scope.spans).map(move |span| (name.clone(), span))
        })
        .collect();
    assert_eq!(records.iter().sum::<usize>(), spans.len());
    spans
}

fn step<'a>(service: &'a str, key: &'a str) -> Step<'a> {
    let at = Some((3, 70));
    Step { service, operation: Operation::Process, topic: "t.load", key, at, group: Some("t.forecast") }
}

fn id(context: &TraceContext) -> Vec<u8> {
    context.span_context().span_id().to_bytes().to_vec()
}

#[test]
fn a_hop_has_the_ids_of_the_headers_its_service_and_the_words_of_the_conventions() {
    let origin = Origin::new("tidegate-edge", HeadSampler::new(1, 1.0));
    let report = LoadReport::new("a", 1_000, 10_000, 1000.0);
    let mut root = None;
    let spans = taken(|| {
        let begun = origin.begin("t.load", &report);
        let hop = Hop::begin(&step("tidegate-forecast", "a"), &begun.child("forecast"), Some(&begun));
        hop.note("READY");
        drop(hop);
        drop(origin.hears("t.quotas", "a", Some(&begun.child("forecast"))));
        root = Some(begun);
    });
    let root = root.unwrap();
    let forecast = root.child("forecast");
    let found = |name: &str| spans.iter().find(|(_, span)| span.name == name).unwrap();
    let (service, begun) = found("create t.load");
    assert!(service.contains("tidegate-edge"), "{service}");
    assert_eq!((begun.span_id.clone(), begun.parent_span_id.clone()), (id(&root), Vec::new()));
    assert_eq!(begun.trace_id, root.span_context().trace_id().to_bytes());
    assert_eq!(begun.kind(), SpanKind::Producer);
    let (service, hop) = found("process t.load");
    assert!(service.contains("tidegate-forecast"), "{service}");
    assert_eq!((hop.span_id.clone(), hop.parent_span_id.clone()), (id(&forecast), id(&root)));
    assert_eq!((hop.trace_id.clone(), hop.kind()), (begun.trace_id.clone(), SpanKind::Consumer));
    let (_, back) = found("process t.quotas");
    assert_eq!((back.parent_span_id.clone(), back.kind()), (id(&forecast), SpanKind::Consumer));
    let mut said: Vec<String> =
        hop.attributes.iter().map(|a| format!("{} {:?}", a.key, a.value.clone().unwrap().value.unwrap())).collect();
    said.sort();
    insta::assert_snapshot!(said.join("\n"), @r#"
    messaging.consumer.group.name StringValue("t.forecast")
    messaging.destination.name StringValue("t.load")
    messaging.destination.partition.id StringValue("3")
    messaging.kafka.message.key StringValue("a")
    messaging.kafka.offset IntValue(70)
    messaging.operation.name StringValue("process")
    messaging.operation.type StringValue("process")
    messaging.system StringValue("kafka")
    tidegate.outcome StringValue("READY")
    "#);
}

#[test]
fn what_is_not_sampled_and_what_nobody_takes_is_no_span() {
    let origin = Origin::new("tidegate-edge", HeadSampler::new(1, 0.0));
    let report = LoadReport::new("a", 1_000, 10_000, 1000.0);
    let asked = TraceContext::root(1, "a", 1).whole();
    let spans = taken(|| {
        assert!(!origin.begin("t.load", &report).is_sampled());
        drop(Hop::begin(&step("x", "a"), &TraceContext::root(1, "a", 1).unsampled(), None));
        let none = [TraceContext::root(1, "a", 1).unsampled()];
        drop(Batch::receive("x", "t.load", 1, none.iter()));
        // Asked to trace the node whole, it begins to.
        drop(origin.hears("t.quotas", "a", Some(&asked)));
        assert!(origin.begin("t.load", &report).is_sampled());
    });
    let names: Vec<_> = spans.iter().map(|(_, span)| span.name.as_str()).collect();
    assert_eq!(names, ["process t.quotas", "create t.load"]);
    let after = Hop::begin(&step("x", "a"), &asked, None);
    assert!(format!("{after:?}").contains("none"), "{after:?}");
}

#[test]
fn a_batch_is_linked_with_its_sampled_records_and_has_the_warnings_within_as_events() {
    let members: Vec<_> = (0..3).map(|n| TraceContext::root(1, "a", n)).collect();
    let mixed = [members[0].clone(), members[1].clone().unsampled(), members[2].clone()];
    let spans = taken(|| {
        let batch = Batch::receive("tidegate-quota", "t.forecasts", 3, mixed.iter());
        let hop = Hop::begin(&step("tidegate-quota", "a"), &mixed[0].child("quota"), Some(&mixed[0])).join(&batch);
        batch.within(|| tracing::warn!("the disk is full"));
        hop.failed("no room");
    });
    let found = |name: &str| &spans.iter().find(|(_, span)| span.name == name).unwrap().1;
    let (batch, hop) = (found("receive t.forecasts"), found("process t.load"));
    let linked: Vec<_> = batch.links.iter().map(|link| link.span_id.clone()).collect();
    assert_eq!(linked, [id(&members[0]), id(&members[2])]);
    assert_eq!((hop.links.len(), hop.links[0].span_id.clone()), (1, batch.span_id.clone()));
    assert_eq!(batch.events[0].name, "the disk is full");
    let status = hop.status.clone().unwrap();
    assert_eq!((status.message.as_str(), status.code), ("no room", 2));
    assert_ne!(batch.trace_id, hop.trace_id, "a batch has no report of its own");
}
