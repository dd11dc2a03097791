//! What a reader of committed records finds, as it stands: nothing is dropped, nothing is sorted away.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_schemas::records::{Forecast, LoadReport, QuotaCommand, Record};
use tidegate_schemas::{CatalogueIds, Decoder, Topic};
use tidegate_tests::client::Raw;
use tidegate_tests::pipeline::{Pipeline, names};

/// The values of each node on both topics, in their order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answers {
    forecasts: BTreeMap<String, Vec<Vec<u8>>>,
    quotas: BTreeMap<String, Vec<Vec<u8>>>,
}

impl Answers {
    /// Checks that each report has one answer on each topic, in the order of its node.
    pub(crate) fn each_once(pipeline: &Pipeline, load: &[LoadReport]) -> Self {
        assert_eq!(pipeline.read(Topic::DeadLetters), [], "nothing of this load is to be set aside");
        let (forecasts, quotas) = (pipeline.read(Topic::Forecasts), pipeline.read(Topic::Quotas));
        once::<Forecast>(&forecasts, load, |f| (f.node_id.clone(), f.sequence));
        once::<QuotaCommand>(&quotas, load, |q| (q.node_id.clone(), q.sequence));
        let prefix = pipeline.prefix();
        Self { forecasts: by_node(&forecasts, prefix), quotas: by_node(&quotas, prefix) }
    }
}

fn once<T: Record>(records: &[Raw], load: &[LoadReport], name: impl Fn(&T) -> (String, i64)) {
    let mut decoder = Decoder::new(Arc::new(CatalogueIds));
    let mut last: BTreeMap<String, i64> = BTreeMap::new();
    let mut found = Vec::new();
    for raw in records {
        let (node, sequence) = name(&decoder.decode(raw.value.as_deref().unwrap()).unwrap());
        if let Some(before) = last.insert(node.clone(), sequence) {
            assert!(before < sequence, "{node} went from {before} to {sequence} at {}/{}", raw.partition, raw.offset);
        }
        found.push((node, sequence));
    }
    found.sort();
    assert_eq!(found, names(load), "one answer for each report, with no dedupe");
}

/// The values without the prefix, which names the topic of the cause; prefixes are equally long.
fn by_node(records: &[Raw], prefix: &str) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut nodes: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for raw in records {
        let mut value = raw.value.clone().unwrap();
        let at = value.windows(prefix.len()).position(|window| window == prefix.as_bytes()).unwrap();
        value.splice(at..at + prefix.len(), std::iter::repeat_n(b'-', prefix.len()));
        nodes.entry(String::from_utf8(raw.key.clone().unwrap()).unwrap()).or_default().push(value);
    }
    nodes
}
