//! Model files: whole ones, and cards and tensors under a checksum that fits them. They are those of a small model, trained here within a second: the
//! shipped one is read by the same code, and takes a hundred times as long.

use std::collections::HashMap;
use std::sync::OnceLock;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use sha2::{Digest, Sha256};
use tidegate_forecast::{Artifact, Model, Sample, Series, TrainOptions, train};

use crate::Target;

/// A model file.
fn small() -> &'static [u8] {
    static SMALL: OnceLock<Vec<u8>> = OnceLock::new();
    SMALL.get_or_init(|| {
        let fleet: Vec<Series> = (0..2).map(series).collect();
        let options = TrainOptions { steps: 2, batch: 4, hidden: 8, simulated_nodes: 0, ..TrainOptions::default() };
        let (artifact, _) = train(&fleet, &options, &mut |_| true).unwrap_or_else(|e| unreachable!("{e}"));
        artifact.to_bytes().unwrap_or_else(|e| unreachable!("{e}"))
    })
}

/// A day and a half of a node's load, one report a minute.
fn series(node: u8) -> Series {
    let sample = |minute: i16| Sample {
        timestamp_ms: 1_700_000_000_000 + i64::from(minute) * 60_000,
        interval_ms: 60_000,
        cpu: Some(0.3 + 0.2 * (f32::from(minute) / 9.0 + f32::from(node)).sin()),
        memory: None,
    };
    Series { node_id: format!("node-{node}"), source: "a.csv".to_owned(), samples: (0..2_000).map(sample).collect() }
}

/// Reads a model as `tidegate run` does.
fn read(bytes: &[u8]) -> bool {
    Artifact::from_bytes(bytes).and_then(|artifact| Model::from_artifact(&artifact)).is_ok()
}

pub(super) const ARTIFACTS: Target =
    Target { name: "artifacts", usual: 1_000, corpus: || vec![small().to_vec()], decoder: || Box::new(read) };

pub(super) const CARDS: Target = Target {
    name: "cards",
    usual: 500,
    corpus: || vec![card().into_bytes()],
    decoder: || Box::new(|text| std::str::from_utf8(text).is_ok_and(|card| read(&with_card(card)))),
};

/// The file's card.
fn card() -> String {
    let (_, metadata) = SafeTensors::read_metadata(small()).unwrap();
    metadata.metadata().as_ref().unwrap()["tidegate"].clone()
}

/// The file's weights under another card, with the checksum that fits.
fn with_card(card: &str) -> Vec<u8> {
    static WEIGHTS: OnceLock<SafeTensors<'static>> = OnceLock::new();
    let weights = WEIGHTS.get_or_init(|| SafeTensors::deserialize(small()).unwrap());
    let mut views: Vec<(&str, TensorView<'_>)> = weights.iter().filter(|(name, _)| *name != "checksum").collect();
    views.sort_by_key(|(name, _)| *name);
    let mut hash = Sha256::new();
    for (name, view) in &views {
        hash.update(name.as_bytes());
        view.shape().iter().for_each(|size| hash.update((*size as u64).to_le_bytes()));
        hash.update(view.data());
    }
    hash.update(card.as_bytes());
    let sum = hash.finalize();
    views.push(("checksum", TensorView::new(Dtype::U8, vec![32], &sum).unwrap()));
    serialize(views, Some(HashMap::from([("tidegate".to_owned(), card.to_owned())]))).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_artifacts() {
        ARTIFACTS.run();
    }

    #[test]
    fn fuzz_cards() {
        CARDS.run();
    }

    #[test]
    fn a_header_that_claims_gigabytes_is_refused() {
        for claim in [u64::MAX, 1 << 40, 100_000_001] {
            let mut bytes = claim.to_le_bytes().to_vec();
            bytes.extend_from_slice(b"{}");
            let said = Artifact::from_bytes(&bytes).unwrap_err().to_string();
            assert!(said.starts_with("is not a tidegate model: "), "{said}");
        }
    }
}
