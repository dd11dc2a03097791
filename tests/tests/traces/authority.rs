//! To a backend whose certificate comes from an authority of one's own: the OpenTelemetry Collector over https, by HTTP and gRPC.

use std::path::Path;

use tidegate_schemas::Topic;
use tidegate_tests::brokers::TestBroker;
use tidegate_tests::certificates::{Authority, Validity};
use tidegate_tests::collector::{Collector, program};
use tidegate_tests::pipeline::{PATIENCE, Pipeline};
use tidegate_tests::ports;
use tidegate_tests::process::wait_until;

use crate::grpc::{collector, received};
use crate::site::{agent_by_grpc, python, send};

/// Takes spans by TLS alone.
fn believed_by_few(program: &Path, proof: &Path, [grpc, http]: [u16; 2]) -> Collector {
    let proof = proof.display();
    let tls = format!("tls: {{cert_file: '{proof}/cert.pem', key_file: '{proof}/key.pem'}}");
    let at = |port: u16| format!("{{endpoint: '127.0.0.1:{port}', {tls}}}");
    collector(program, &format!("{{grpc: {}, http: {}}}", at(grpc), at(http)))
}

#[test]
fn a_backend_of_ones_own_authority_is_believed_where_that_is_given() {
    let (Some(python), Some(program)) = (python(), program()) else { return };
    let (authority, proof) = (Authority::new().unwrap(), tempfile::tempdir().unwrap());
    let (cert, key) = authority.issue("127.0.0.1", Validity::Good).unwrap();
    let ca = proof.path().join("ca.pem");
    for (name, pem) in [("ca.pem", authority.pem()), ("cert.pem", cert), ("key.pem", key)] {
        std::fs::write(proof.path().join(name), pem).unwrap();
    }
    let broker = TestBroker::embedded();
    for (at, protocol) in ["grpc", "http/protobuf"].into_iter().enumerate() {
        let ports: [u16; 2] = ports::free().unwrap();
        let collector = believed_by_few(&program, proof.path(), ports);
        let site = Pipeline::new(&broker, &format!("traces-authority-{at}"));
        let (agent, otlp) = agent_by_grpc(&site, &[]);
        let sent = send(&python, "grpc", &otlp);
        site.wait_for(Topic::Spans, sent.len(), &agent);
        let url = format!("https://127.0.0.1:{}", ports[at]);
        let export = ["run", "export", "--otlp", &url, "--otlp-protocol", protocol];

        let mut doubting = site.start(&export);
        doubting.wait_for("give its file: --https-ca FILE; trying again", PATIENCE).unwrap();
        assert_eq!(doubting.terminate().unwrap().code, Some(0));
        assert!(received(&collector).is_empty(), "{protocol}: nothing goes to whom nobody vouches for");

        let believing = site.start(&[&export[..], &["--https-ca", ca.to_str().unwrap()]].concat());
        let all = wait_until(PATIENCE, || received(&collector).len() >= sent.len());
        assert!(all.is_ok(), "{protocol}\n{}\n{}", collector.log(), believing.stderr());
        assert_eq!(believing.terminate().unwrap().code, Some(0));
        assert_eq!(agent.terminate().unwrap().code, Some(0));
    }
}
