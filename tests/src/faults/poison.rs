//! Records that no stage can process, one of each kind that a topic may see.

use crate::client::Raw;
use crate::pipeline;
use tidegate_schemas::records::LoadReport;

/// An id that no registry gives.
const UNKNOWN_ID: u32 = 4_242;

/// A batch of them, keyed by nodes that report, so that they stand between good records.
#[must_use]
pub fn records(salt: u64, nodes: usize, now_ms: i64) -> Vec<Raw> {
    let node = |nth: u64| format!("node-{:04}", salt.wrapping_add(nth * 37) % nodes as u64);
    let changed = |nth: u64, change: &dyn Fn(&mut LoadReport)| {
        let mut report = LoadReport::new(node(nth), now_ms - 60_000, 60_000, 1000.0);
        report.cpu = Some(0.5);
        change(&mut report);
        Raw { key: Some(node(nth).into_bytes()), ..pipeline::record(&report) }
    };
    let good = changed(0, &|_| {}).value.unwrap_or_default();
    let with = |nth: u64, value: Option<Vec<u8>>| Raw { value, ..Raw::new(node(nth), Vec::new()) };
    vec![
        with(0, Some(format!("not avro, {salt:016x}").into_bytes())),
        with(1, Some(Vec::new())),
        with(2, None),
        with(3, Some([&[0], &UNKNOWN_ID.to_be_bytes()[..], &good[5..]].concat())),
        with(4, Some(good[..good.len() / 2].to_vec())),
        changed(5, &|report| report.cpu = Some(f64::NAN)),
        changed(6, &|report| report.memory = Some(-0.5)),
        changed(7, &|report| report.timestamp = now_ms + 3_600_000),
        changed(8, &|report| report.node_id = "somebody-else".into()),
    ]
}
