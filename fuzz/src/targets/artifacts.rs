//! Model files: whole ones, and cards and tensors under a checksum that fits them.

use std::collections::HashMap;
use std::sync::OnceLock;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use sha2::{Digest, Sha256};
use tidegate_forecast::{Artifact, Model};

use crate::Target;

const SHIPPED: &[u8] = include_bytes!("../../../processors/forecast/models/tide.tidemodel");

/// Reads a model as `tidegate run` does.
fn read(bytes: &[u8]) -> bool {
    Artifact::from_bytes(bytes).and_then(|artifact| Model::from_artifact(&artifact)).is_ok()
}

pub(super) const ARTIFACTS: Target =
    Target { name: "artifacts", usual: 1_000, corpus: || vec![SHIPPED.to_vec()], decoder: || Box::new(read) };

pub(super) const CARDS: Target = Target {
    name: "cards",
    usual: 500,
    corpus: || vec![card().into_bytes()],
    decoder: || Box::new(|text| std::str::from_utf8(text).is_ok_and(|card| read(&with_card(card)))),
};

/// The shipped file's card.
fn card() -> String {
    let (_, metadata) = SafeTensors::read_metadata(SHIPPED).unwrap();
    metadata.metadata().as_ref().unwrap()["tidegate"].clone()
}

/// The shipped file's weights under another card, with the checksum that fits.
fn with_card(card: &str) -> Vec<u8> {
    static WEIGHTS: OnceLock<SafeTensors<'static>> = OnceLock::new();
    let weights = WEIGHTS.get_or_init(|| SafeTensors::deserialize(SHIPPED).unwrap());
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
