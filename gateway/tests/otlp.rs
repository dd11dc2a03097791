//! OTLP over gRPC beside an agent: what our own export's client sends is taken, and a refusal is understood by it.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

mod unreadable;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate_broker::Stop;
use tidegate_broker::https::Authorities;
use tidegate_gateway::otlp::{GrpcBackend, serve};
use tidegate_otlp::{Answer, Encoding, ExportTraceServiceRequest, ExportTraceServiceResponse, SpanBackend, records_of};
use tidegate_producers::ProducerError;
use tidegate_producers::spans::SpanIntake;

/// Keeps what it takes, or is behind.
#[derive(Default)]
struct Intake {
    taken: Mutex<Vec<ExportTraceServiceRequest>>,
    is_behind: bool,
}

impl SpanIntake for Intake {
    fn take(&self, request: ExportTraceServiceRequest) -> Result<ExportTraceServiceResponse, ProducerError> {
        if self.is_behind {
            return Err(ProducerError::Behind { waiting: 50_000 });
        }
        self.taken.lock().unwrap().push(request.clone());
        Ok(records_of(request).response())
    }
}

/// An agent's receiver before this intake, and a backend that is it.
fn served(intake: &Arc<Intake>, stop: &Stop, gzip: bool) -> GrpcBackend {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    serve(listener, Arc::clone(intake) as Arc<dyn SpanIntake>, stop).unwrap();
    GrpcBackend::new(&at, &BTreeMap::new(), gzip, &Authorities::default()).unwrap()
}

fn request(name: &str) -> ExportTraceServiceRequest {
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[
        {{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"{name}"}}]}}]}}]}}"#
    );
    Encoding::Json.request(body.as_bytes()).unwrap()
}

#[test]
fn what_the_client_sends_the_server_takes() {
    let (intake, stop) = (Arc::new(Intake::default()), Stop::default());
    for gzip in [false, true] {
        let mut backend = served(&intake, &stop, gzip);
        // Twice over one connection.
        assert_eq!(backend.send(&request("a")), Answer::Taken);
        assert_eq!(backend.send(&request(&"b".repeat(1 << 20))), Answer::Taken);
    }
    let taken = intake.taken.lock().unwrap();
    assert_eq!(taken.len(), 4);
    assert_eq!(taken[0], request("a"));
    assert_eq!(taken[3], request(&"b".repeat(1 << 20)));
    stop.stop();
}

#[test]
fn while_kafka_is_behind_it_is_unavailable_and_says_when_to_come_again() {
    let (intake, stop) = (Arc::new(Intake { is_behind: true, ..Intake::default() }), Stop::default());
    let answer = served(&intake, &stop, true).send(&request("a"));
    let wanted = "status UNAVAILABLE Kafka is behind: 50000 records wait for it";
    assert_eq!(answer, Answer::Later(Some(Duration::from_secs(2)), wanted.into()));
    stop.stop();
}

#[test]
fn what_is_too_large_is_refused_for_good() {
    let (intake, stop) = (Arc::new(Intake::default()), Stop::default());
    for gzip in [false, true] {
        let answer = served(&intake, &stop, gzip).send(&request(&"b".repeat(17 << 20)));
        let wanted = "status RESOURCE_EXHAUSTED a message of more than 16777216 bytes is not taken";
        assert_eq!(answer, Answer::Never(wanted.into()), "gzip: {gzip}");
    }
    assert!(intake.taken.lock().unwrap().is_empty());
    stop.stop();
}

#[test]
fn an_answer_that_cannot_be_read_is_no_panic() {
    let (_server, at) = unreadable::serve();
    let mut backend = GrpcBackend::new(&at, &BTreeMap::new(), false, &Authorities::default()).unwrap();
    let answer = backend.send(&request("a"));
    assert_eq!(answer, Answer::Later(None, "its answer cannot be read".into()));
    // It goes on with the next.
    assert_eq!(backend.send(&request("b")), answer);
}
