//! The wire: the same reports by HTTP/1.1 and JSON and by our gateway, over the same slow link, until Kafka has them.
//!
//! ```text
//! ureq, a connection a request ─┐                          ┌─ Service (axum, TLS 1.3, JSON) ─┐
//! ureq, kept alive             ─┼─ SlowLink: 20 ms, bytes ─┤                                 ├─> Kafka, acknowledged
//! tidegate's Link (gRPC)       ─┘                          └─ tidegate gateway              ─┘
//! ```
//!
//! Everybody speaks TLS with the same certificate and shows a bearer token. A request is answered, and a batch acknowledged, once
//! Kafka has all of it.

mod json;
mod link;
mod ours;
mod report;
mod service;
mod site;

use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use tidegate_schemas::records::LoadReport;

use super::fleet::Fleet;
use crate::kafka::{Kafka, KafkaOptions};
use json::Json;
use link::SlowLink;
use ours::Ours;
use service::Service;
use site::Site;

pub use report::{Way, WireReport};

const INTERVAL_MS: u64 = 10_000;

/// What to measure.
#[derive(Debug, Clone, Args)]
pub struct WireOptions {
    /// Times that each edge reports, the first one, which opens the connection, not counted.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(10..))]
    pub rounds: u64,
    /// Nodes of an edge.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 50])]
    pub nodes: Vec<u64>,
    /// Milliseconds that the link takes each way.
    #[arg(long, default_value_t = 20)]
    pub delay: u64,
    /// Prints one object instead of tables.
    #[arg(long)]
    pub json: bool,
}

/// A client: sends reports of one moment, and returns once all are acknowledged.
trait Client {
    fn report(&mut self, reports: &[LoadReport]) -> anyhow::Result<()>;
}

/// Runs it on a Kafka of its own; `say` is told what is going on.
///
/// # Errors
/// Where a part is missing or an answer is not the expected one.
pub fn run(options: &WireOptions, say: &dyn Fn(&str)) -> anyhow::Result<WireReport> {
    let kafka = Kafka::start(&KafkaOptions::default()).context("starting Kafka")?;
    let site = Site::new(kafka.bootstrap())?;
    let service = Service::start(kafka.bootstrap(), &site)?;
    let gateway = site.gateway()?;
    let mut ways = Vec::new();
    for nodes in &options.nodes {
        let mut measure = |name: &'static str, port: u16, connect: &dyn Fn(u16) -> anyhow::Result<Box<dyn Client>>| {
            say(&format!("{name}, an edge of {nodes}: {} times", options.rounds));
            let link = SlowLink::before(port, Duration::from_millis(options.delay))?;
            let client = connect(link.port())?;
            let way = measured(name, *nodes, options.rounds, &link, client)?;
            ways.push(way);
            anyhow::Ok(())
        };
        measure(report::REFERENCE, service.port(), &|port| Ok(Box::new(Json::new(&site, port, false)?)))?;
        measure(report::KEPT_ALIVE, service.port(), &|port| Ok(Box::new(Json::new(&site, port, true)?)))?;
        measure(report::OURS, gateway.port, &|port| Ok(Box::new(Ours::new(&site, port, *nodes)?)))?;
    }
    Ok(WireReport::new(options, ways))
}

fn measured(
    name: &'static str,
    nodes: u64,
    rounds: u64,
    link: &SlowLink,
    mut client: Box<dyn Client>,
) -> anyhow::Result<Way> {
    let mut fleet = Fleet::new(nodes, rounds + 1, INTERVAL_MS);
    let mut next = || (0..nodes).map(|_| fleet.next_report()).collect::<Vec<_>>();
    client.report(&next())?;
    let opening = link.bytes();
    let mut latencies_ms = Vec::new();
    for _ in 0..rounds {
        let reports = next();
        let began = Instant::now();
        client.report(&reports)?;
        latencies_ms.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Way::new(name, nodes, opening, link.bytes() - opening, latencies_ms))
}
