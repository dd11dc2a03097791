//! What Prometheus writes, through the collector to its reports: the messages of 1.0 and 2.0 (damaged under their snappy block; as a
//! block, too), and the mappings.

use std::cell::RefCell;

use prost::Message;
use tidegate_samples::collect::Request;
use tidegate_samples::remote_write::proto::{v1, v2};
use tidegate_samples::remote_write::{Protocol, read, uncompress};
use tidegate_samples::{Bounds, Collector, Mapping, STALE};

use crate::{Decode, Target};

const START: i64 = 1_767_571_200_000;

pub(super) const WRITE_REQUESTS: Target = Target {
    name: "write_requests",
    usual: 20_000,
    corpus: || {
        let label = |name: &str, value: &str| v1::Label { name: name.into(), value: value.into() };
        let series = |(name, mode, instance, value): (&str, &str, &str, f64)| v1::TimeSeries {
            labels: vec![
                label("__name__", name),
                label("mode", mode),
                label("instance", instance),
                label("__replica__", "a"),
            ],
            samples: (0..3).map(|n| v1::Sample { value: value + n as f64, timestamp: START + n * 15_000 }).collect(),
            exemplars: vec![vec![8, 1]],
            histograms: vec![Vec::new()],
        };
        vec![v1::WriteRequest { timeseries: host().map(series).into() }.encode_to_vec()]
    },
    decoder: || decoder(Protocol::V1),
};

pub(super) const WRITE_REQUESTS_2: Target = Target {
    name: "write_requests_2",
    usual: 20_000,
    corpus: || {
        let mut symbols = vec![String::new()];
        let mut place = |text: &str| {
            symbols.push(text.to_owned());
            u32::try_from(symbols.len() - 1).unwrap()
        };
        let series = host().map(|(name, mode, instance, value)| v2::TimeSeries {
            labels_refs: ["__name__", name, "mode", mode, "instance", instance].map(&mut place).into(),
            samples: (0..3).map(|n| v2::Sample { value: value + n as f64, timestamp: START + n * 15_000 }).collect(),
            histograms: vec![vec![8, 1]],
            exemplars: vec![Vec::new()],
        });
        let timeseries = series.into();
        vec![v2::Request { symbols, timeseries }.encode_to_vec()]
    },
    decoder: || decoder(Protocol::V2),
};

pub(super) const MAPPINGS: Target = Target {
    name: "mappings",
    usual: 20_000,
    corpus: || {
        let presets = ["node_exporter", "kubernetes", "opentelemetry"];
        let buckets =
            b"[[bucket]]\ndomain = 'shop'\nid = '{domain}/{name|host}'\nbase_quota = 2e2\nstrategy = 'token_bucket'\n";
        let text =
            |name| std::fs::read(format!("{}/../samples/src/mapping/presets/{name}.toml", env!("CARGO_MANIFEST_DIR")));
        presets.map(|name| text(name).unwrap()).into_iter().chain([buckets.to_vec()]).collect()
    },
    decoder: || Box::new(|text| std::str::from_utf8(text).is_ok_and(|text| Mapping::parse("fuzz", text).is_ok())),
};

/// What a host of one core says.
fn host() -> [(&'static str, &'static str, &'static str, f64); 5] {
    [
        ("node_cpu_seconds_total", "user", "a:9100", 100.0),
        ("node_cpu_seconds_total", "idle", "a:9100", 900.0),
        ("node_memory_MemAvailable_bytes", "x", "a:9100", 5e9),
        ("node_memory_MemTotal_bytes", "x", "a:9100", 8e9),
        ("node_network_receive_bytes_total", "x", "b:9100", STALE),
    ]
}

/// One collector takes all inputs, so that they meet what others left behind.
fn decoder(protocol: Protocol) -> Decode {
    let mapping = Mapping::preset("node_exporter").unwrap();
    let collector = RefCell::new(Collector::new(mapping.clone(), Bounds { nodes: 50, series: 50 }));
    Box::new(move |plain| {
        drop(uncompress(plain, 4 << 20));
        let mut request = Request::default();
        let contents = read(protocol, plain, &mut |labels, samples| {
            request.series(&mapping, labels, samples, &mut |_| true);
        });
        let Ok(contents) = contents else { return false };
        let mut collector = collector.borrow_mut();
        let taken = collector.take(request, START + 60_000);
        for report in &taken.reports {
            assert!(report.timestamp >= 0 && report.interval_ms >= 1, "{report:?}");
            assert!(report.cpu.is_some() || report.memory.is_some(), "{report:?}");
        }
        collector.settle(&taken.names, true);
        contents.invalid == 0
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn fuzz_write_requests() {
        super::WRITE_REQUESTS.run();
    }

    #[test]
    fn fuzz_write_requests_2() {
        super::WRITE_REQUESTS_2.run();
    }

    #[test]
    fn fuzz_mappings() {
        super::MAPPINGS.run();
    }
}
