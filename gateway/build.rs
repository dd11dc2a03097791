//! Generates the messages, the service and the client from `schemas/proto`, and the services of OTLP; no `protoc` is needed.

use std::path::PathBuf;

use prost::Message;
use tonic_prost_build::manual;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../schemas/proto");
    let descriptors = protox::compile(["tidegate/edge/v1/edge.proto"], ["../schemas/proto"])?;
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("edge.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    let services = [otlp("trace", "TraceService"), otlp("metrics", "MetricsService")];
    manual::Builder::new().build_client(false).compile(&services);
    Ok(())
}

/// A service of OTLP that takes each message as its bytes, and as a stream: on the wire that is the same call, and who asks is known
/// before anything of it is read.
fn otlp(signal: &str, name: &str) -> manual::Service {
    let export = manual::Method::builder()
        .name("export")
        .route_name("Export")
        .input_type("bytes::Bytes")
        .output_type("bytes::Bytes")
        .codec_path("crate::otlp::codec::Raw")
        .client_streaming()
        .build();
    let package = format!("opentelemetry.proto.collector.{signal}.v1");
    manual::Service::builder().name(name).package(package).method(export).build()
}
