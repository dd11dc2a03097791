//! Generates the messages of Remote-Write from `schemas/proto`; no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=../schemas/proto");
    let protos = ["prometheus/write.proto", "io/prometheus/write/v2/request.proto"];
    prost_build::Config::new().compile_fds(protox::compile(protos, ["../schemas/proto"])?)?;
    Ok(())
}
