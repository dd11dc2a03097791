//! A server by gRPC whose answers nobody can read.

use std::net::TcpListener;

use tokio::runtime::Runtime;

/// Serves as long as the runtime lives; gives its address, too.
pub(crate) fn serve() -> (Runtime, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let runtime = Runtime::new().unwrap();
    let answer = || async {
        [("content-type", "application/grpc"), ("grpc-status", "14"), ("grpc-status-details-bin", "no base64: %%%")]
    };
    runtime.spawn(async move {
        let router = axum::Router::new().fallback(answer);
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tonic::transport::Server::builder()
            .add_routes(tonic::service::Routes::from(router))
            .serve_with_incoming(tonic::transport::server::TcpIncoming::from(listener))
            .await
            .unwrap();
    });
    (runtime, at)
}
