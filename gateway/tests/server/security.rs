//! Who is let in, by real certificates and tokens, and what changes when the files do.

use std::time::Duration;

use tidegate_gateway::Security;
use tidegate_gateway::batch::pack;
use tidegate_gateway::proto::edge_service_client::EdgeServiceClient;
use tidegate_gateway::proto::{QuotaUpdate, WatchRequest};
use tidegate_schemas::Topic;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Request, Status, Streaming};

use crate::office::{Office, tokens};
use crate::site::{PATIENCE, Site, connect, record, report};

type Client = EdgeServiceClient<Channel>;

/// Connects as a client that trusts the office's authority.
async fn known(
    office: &Office,
    site: &Site,
    identity: Option<(String, String)>,
) -> Result<Client, tonic::transport::Error> {
    let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(office.authority_pem()));
    if let Some((cert, key)) = identity {
        tls = tls.identity(Identity::from_pem(cert, key));
    }
    let address = site.address.replace("http:", "https:");
    Ok(Client::new(Channel::from_shared(address).unwrap().tls_config(tls)?.connect().await?))
}

async fn watch(client: &mut Client, node: &str, token: Option<&str>) -> Result<Streaming<QuotaUpdate>, Status> {
    let mut request = Request::new(WatchRequest { node_ids: vec![node.into()] });
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    client.watch(request).await.map(tonic::Response::into_inner)
}

fn code<T>(result: Result<T, Status>) -> Code {
    result.err().map_or(Code::Ok, |status| status.code())
}

#[tokio::test]
async fn an_edge_speaks_for_the_node_that_its_certificate_names_and_for_no_other() {
    let office = Office::new();
    let site = Site::secured(office.security());
    let mut client = known(&office, &site, Some(office.issue("edge-1", &[]))).await.unwrap();
    let own = pack(1, vec![record("edge-1", 1)]).unwrap();
    assert_eq!(report(&mut client, vec![own]).await.unwrap()[0].accepted, 1);
    let mixed = pack(2, vec![record("edge-1", 2), record("edge-2", 2)]).unwrap();
    let refused = report(&mut client, vec![mixed]).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
    assert!(refused.message().contains("edge-2"), "{refused}");
    assert_eq!(code(watch(&mut client, "edge-1", None).await), Code::Ok);
    assert_eq!(code(watch(&mut client, "edge-2", None).await), Code::PermissionDenied);
    assert_eq!(site.read(Topic::Load).len(), 1, "of a batch that is refused nothing is published");
    assert_eq!(site.counted("not-granted"), 2);
}

#[tokio::test]
async fn without_a_certificate_of_the_authority_nobody_is_let_in() {
    let (office, stranger) = (Office::new(), Office::new());
    let site = Site::secured(office.security());
    for identity in [None, Some(stranger.issue("edge-1", &[]))] {
        // In TLS 1.3 a client learns of the refusal with its first answer.
        if let Ok(mut client) = known(&office, &site, identity).await {
            assert!(watch(&mut client, "edge-1", None).await.is_err());
        }
    }
    if let Ok(mut client) = connect(&site.address).await {
        assert!(watch(&mut client, "edge-1", None).await.is_err(), "plain text is no way in");
    }
}

#[tokio::test]
async fn grants_are_exact_by_prefix_and_by_template_for_the_names_of_a_certificate() {
    let office = Office::new();
    let text = "[[grant]]\nedge = \"site-*\"\nnodes = [\"{name}-*\", \"shared\"]\n";
    let grants = Some(office.write("grants.toml", text));
    let site = Site::secured(Security { grants, ..office.security() });
    let mut client = known(&office, &site, Some(office.issue("box", &["site-7"]))).await.unwrap();
    for (node, wanted) in [
        ("site-7-a", Code::Ok),
        ("shared", Code::Ok),
        ("site-7", Code::PermissionDenied),
        ("site-77-a", Code::PermissionDenied),
        ("box", Code::PermissionDenied),
    ] {
        assert_eq!(code(watch(&mut client, node, None).await), wanted, "{node}");
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_ends_the_stream_that_it_opened() {
    let office = Office::new();
    let file = office.path("tokens");
    tokens(&file, &[("edge-1", "secret"), ("edge-2", "other")]);
    let security = Security { tokens: Some(file.clone()), ..office.security() };
    let site = Site::secured(security);
    let mut client = known(&office, &site, None).await.unwrap();
    assert_eq!(code(watch(&mut client, "edge-1", None).await), Code::Unauthenticated);
    assert_eq!(code(watch(&mut client, "edge-1", Some("guess")).await), Code::Unauthenticated);
    assert_eq!(code(watch(&mut client, "edge-1", Some("other")).await), Code::PermissionDenied);
    let mut stream = watch(&mut client, "edge-1", Some("secret")).await.unwrap();
    tokens(&file, &[("edge-2", "other")]);
    let ended = tokio::time::timeout(PATIENCE, stream.message()).await.expect("it went on").unwrap_err();
    assert_eq!(ended.code(), Code::Unauthenticated);
    assert_eq!(code(watch(&mut client, "edge-2", Some("other")).await), Code::Ok);
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_is_not() {
    let (old, new) = (Office::new(), Office::new());
    let site = Site::secured(old.security());
    std::fs::write(old.path("gate.pem"), "torn").unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let client = known(&old, &site, Some(old.issue("edge-1", &[]))).await;
    assert_eq!(code(watch(&mut client.unwrap(), "edge-1", None).await), Code::Ok, "the old one stays");
    new.install_server();
    std::fs::copy(new.path("gate.pem"), old.path("gate.pem")).unwrap();
    std::fs::copy(new.path("gate.key"), old.path("gate.key")).unwrap();
    let shown = async {
        while known(&new, &site, Some(old.issue("edge-1", &[]))).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.expect("the new certificate is not shown");
}
