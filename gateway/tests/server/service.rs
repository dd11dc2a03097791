//! What the service takes, refuses and sets aside.

use std::time::Duration;

use tidegate_broker::RawRecord;
use tidegate_gateway::batch::pack;
use tidegate_gateway::proto::{Record, ReportBatch, WatchRequest};
use tidegate_gateway::{Limits, Security};
use tidegate_schemas::Topic;
use tonic::Code;
use tonic::transport::Channel;

use crate::site::{LIMITS, PATIENCE, Site, connect, record, report};

#[tokio::test]
async fn batches_are_acknowledged_when_they_stand_on_the_topic() {
    let site = Site::start();
    let batch = |id: u64| pack(id, (0..10).map(|n| record("a", id as i64 * 10 + n)).collect()).unwrap();
    let acks = report(&mut site.client().await, (1..=5).map(batch).collect()).await.unwrap();
    assert_eq!(
        acks.iter().map(|ack| (ack.id, ack.accepted, ack.set_aside)).collect::<Vec<_>>(),
        [(1, 10, 0), (2, 10, 0), (3, 10, 0), (4, 10, 0), (5, 10, 0)]
    );
    let values: Vec<_> = site.read(Topic::Load).into_iter().map(|r| r.value.unwrap()).collect();
    let sent: Vec<_> = (10..60).map(|sequence| record("a", sequence).value.to_vec()).collect();
    assert_eq!(values, sent, "in order, byte for byte");
}

#[tokio::test]
async fn what_cannot_be_read_is_a_dead_letter_with_its_bytes_and_the_rest_of_its_batch_goes_on() {
    let site = Site::start();
    let text = Record { key: "a".into(), value: "no Avro".into(), traceparent: String::new() };
    let other = Record { key: "b".into(), ..record("a", 2) };
    let batch = pack(7, vec![record("a", 1), text, other.clone(), record("a", 3)]).unwrap();
    let acks = report(&mut site.client().await, vec![batch]).await.unwrap();
    assert_eq!((acks[0].accepted, acks[0].set_aside), (2, 2));
    assert!(acks[0].first_reason.contains("Confluent wire format"), "{}", acks[0].first_reason);
    assert_eq!(site.read(Topic::Load).len(), 2);
    let letters = site.read(Topic::DeadLetters);
    let said = |letter: &RawRecord, name: &str| {
        let value = letter.headers.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.clone());
        String::from_utf8(value.unwrap()).unwrap()
    };
    let mut told: Vec<_> = letters
        .iter()
        .map(|letter| (said(letter, "error.class"), said(letter, "error.stage"), letter.value.clone().unwrap()))
        .collect();
    told.sort();
    assert_eq!(
        told,
        [
            ("framing".into(), "gateway".into(), b"no Avro".to_vec()),
            ("key-mismatch".into(), "gateway".into(), other.value.to_vec()),
        ]
    );
    assert!(letters.iter().all(|letter| said(letter, "source.topic") == "t.load"));
}

#[tokio::test]
async fn a_batch_that_is_too_large_or_damaged_is_refused_and_nothing_of_it_is_published() {
    let site = Site::start();
    let good = pack(1, vec![record("a", 1)]).unwrap();
    let bomb = ReportBatch { payload: vec![0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0].into(), ..good.clone() };
    let cases = [
        (Code::OutOfRange, pack(1, vec![record("a", 1); 101]).unwrap()),
        (Code::OutOfRange, ReportBatch { uncompressed_bytes: 1 << 40, ..good.clone() }),
        (Code::OutOfRange, bomb),
        (Code::OutOfRange, ReportBatch { payload: vec![0; 100_001].into(), ..good.clone() }),
        (Code::InvalidArgument, ReportBatch { compression: 9, ..good.clone() }),
        (Code::InvalidArgument, ReportBatch { payload: good.payload.slice(1..), ..good.clone() }),
    ];
    let mut client = site.client().await;
    for (code, batch) in cases {
        let refused = report(&mut client, vec![batch]).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
    }
    assert!(site.read(Topic::Load).is_empty() && site.read(Topic::DeadLetters).is_empty());
    assert_eq!(report(&mut client, vec![good]).await.unwrap().len(), 1, "the connection goes on");
}

#[tokio::test]
async fn an_edge_hears_of_its_nodes_the_last_command_first_and_of_no_other() {
    let site = Site::start();
    let value = |n: u8| [0, 0, 0, 0, 8, n];
    for (node, n) in [("a", 1), ("b", 2), ("a", 3)] {
        site.publish(Topic::Quotas, node, &value(n));
    }
    let node_ids = vec!["a".into(), "c".into()];
    let mut updates = site.client().await.watch(WatchRequest { node_ids }).await.unwrap().into_inner();
    let first = updates.message().await.unwrap().unwrap();
    // The gateway may have read the topic before the last of them was there.
    let newest = if first.value[5] == 1 { updates.message().await.unwrap().unwrap() } else { first };
    assert_eq!((&newest.key[..], &newest.value[..]), (&b"a"[..], &value(3)[..]));
    for (node, n) in [("b", 4), ("c", 5)] {
        site.publish(Topic::Quotas, node, &value(n));
    }
    let next = updates.message().await.unwrap().unwrap();
    assert_eq!((&next.key[..], &next.value[..], next.kept), (&b"c"[..], &value(5)[..], false));
}

#[tokio::test]
async fn nodes_and_connections_are_bounded() {
    let site = Site::limited(Security::default(), Limits { connections: 2, ..LIMITS });
    let mut client = site.client().await;
    for node_ids in [vec![], vec!["a".to_owned(); 4]] {
        let refused = client.watch(WatchRequest { node_ids }).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    let mut second = site.client().await;
    assert_eq!(report(&mut second, vec![pack(1, vec![record("a", 1)]).unwrap()]).await.unwrap().len(), 1);
    // A third connection is closed at once: either it is not made, or nothing can be asked over it.
    if let Ok(mut third) = connect(&site.address).await {
        assert!(report(&mut third, Vec::new()).await.is_err());
    }
    drop((client, second));
    let again = async {
        loop {
            if let Ok(mut third) = connect(&site.address).await
                && report(&mut third, vec![pack(1, vec![record("a", 2)]).unwrap()]).await.is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, again).await.expect("a place that is free again is given away");
}

#[tokio::test]
async fn health_says_whether_edges_are_served() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_check_response::ServingStatus;
    use tonic_health::pb::health_client::HealthClient;
    let site = Site::start();
    let channel = Channel::from_shared(site.address.clone()).unwrap().connect().await.unwrap();
    let asked = HealthCheckRequest { service: "tidegate.edge.v1.EdgeService".into() };
    let answer = HealthClient::new(channel).check(asked).await.unwrap();
    assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
}

#[tokio::test]
async fn reflection_names_the_services() {
    use tonic_reflection::pb::v1::ServerReflectionRequest;
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    let site = Site::start();
    let channel = Channel::from_shared(site.address.clone()).unwrap().connect().await.unwrap();
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let asked = tokio_stream::iter([ServerReflectionRequest { host: String::new(), message_request }]);
    let mut answers = ServerReflectionClient::new(channel).server_reflection_info(asked).await.unwrap().into_inner();
    let Some(MessageResponse::ListServicesResponse(list)) = answers.message().await.unwrap().unwrap().message_response
    else {
        panic!("it lists no services")
    };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for wanted in ["tidegate.edge.v1.EdgeService", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} is not in {names:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_stops_acknowledges_what_it_took_and_sends_its_edges_on() {
    let site = Site::start();
    let mut client = site.client().await;
    let (batches, stream) = tokio::sync::mpsc::channel(4);
    let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
    let mut acks = client.report(stream).await.unwrap().into_inner();
    batches.send(pack(1, vec![record("a", 1)]).unwrap()).await.unwrap();
    assert_eq!(acks.message().await.unwrap().unwrap().id, 1);
    let mut updates = client.watch(WatchRequest { node_ids: vec!["a".into()] }).await.unwrap().into_inner();
    site.stop.stop();
    for ended in [acks.message().await.map(drop), updates.message().await.map(drop)] {
        let status = ended.unwrap_err();
        assert_eq!((status.code(), status.metadata().contains_key("tidegate-move")), (Code::Unavailable, true));
    }
}
