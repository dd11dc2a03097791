//! The edge's link before what is no gateway of ours.

#![expect(clippy::unwrap_used, reason = "a panic is the report")]

mod unreadable;

use std::time::{Duration, Instant};

use prometheus::TextEncoder;
use tidegate_broker::Registry;
use tidegate_gateway::Link;
use tidegate_gateway::link::{Credentials, LinkSettings};
use tidegate_schemas::records::LoadReport;
use tidegate_schemas::trace::HeadSampler;
use tidegate_traces::Origin;

const PATIENCE: Duration = Duration::from_secs(90);

/// Attempts of that result so far.
fn attempts(registry: &Registry, result: &str) -> u64 {
    let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    let name = format!("tidegate_edge_link_attempts_total{{result=\"{result}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn answers_that_cannot_be_read_do_not_end_the_link() {
    let (_server, at) = unreadable::serve();
    let settings = LinkSettings {
        addresses: vec![at],
        credentials: Credentials::default(),
        node_ids: vec!["edge-1".into()],
        kept: 10,
        spool: None,
        has_spans: false,
        origin: Origin::new("tidegate-edge", HeadSampler::new(1, 0.0)),
    };
    let registry = Registry::new();
    let link = Link::start(settings, Box::new(|_| {}), &registry).unwrap();
    // It tries again, as after any failure, and takes reports meanwhile.
    let began = Instant::now();
    while attempts(&registry, "failed") < 2 {
        assert!(began.elapsed() < PATIENCE, "{} failures", attempts(&registry, "failed"));
        assert!(link.send(LoadReport::new("edge-1", 1, 10_000, 1000.0)), "the link has ended");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(attempts(&registry, "connected"), 0);
    link.finish();
}
