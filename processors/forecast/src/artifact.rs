//! A trained model as bytes: a safetensors file that says what it is and where it comes from.
//!
//! ```text
//! header: tensors "cpu.lstm_input" …, "checksum" (32 bytes) · metadata: {"tidegate": the Card as JSON}
//! ```
//!
//! The checksum is the SHA-256 of every tensor (name, shape, bytes, in order of their names) and of the card's text. The
//! card is one entry because safetensors does not keep the order of several, and the same training gives the same bytes. No wall-clock
//! is in it. Format: <https://github.com/huggingface/safetensors>.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView, serialize};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::card::Card;
use crate::error::ForecastError;
use crate::tensors::Tensors;

/// The version of the format that this crate writes and reads.
pub(crate) const FORMAT: &str = "tidegate.model.v1";
const CARD: &str = "tidegate";
const CHECKSUM: &str = "checksum";

/// A trained model: its card and its weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    card: Card,
    /// The card as it stands in the file, which the checksum covers.
    text: String,
    tensors: Tensors,
}

impl Artifact {
    pub(crate) fn new(card: Card, tensors: Tensors) -> Result<Self, ForecastError> {
        let text = serde_json::to_string(&card)
            .map_err(|error| ForecastError::damaged(format!("its card cannot be written, {error}")))?;
        Ok(Self { card, text, tensors })
    }

    /// What the model is and where it comes from.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.card
    }

    pub(crate) fn tensors(&self) -> &Tensors {
        &self.tensors
    }

    /// SHA-256 over weights and card, in hexadecimal.
    #[must_use]
    pub fn checksum(&self) -> String {
        const_hex::encode(checksum(&self.tensors, &self.text))
    }

    /// The file's bytes; the same model gives the same bytes.
    ///
    /// # Errors
    /// [`ForecastError::Damaged`] if a tensor's shape does not fit its values.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ForecastError> {
        let damaged = |error: safetensors::SafeTensorError| ForecastError::damaged(error.to_string());
        let sum = checksum(&self.tensors, &self.text);
        let bytes: Vec<(&str, [usize; 2], Vec<u8>)> = self.tensors.iter_bytes().collect();
        let mut views = Vec::with_capacity(bytes.len() + 1);
        for (name, shape, bytes) in &bytes {
            views.push((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytes).map_err(damaged)?));
        }
        views.push((CHECKSUM, TensorView::new(Dtype::U8, vec![sum.len()], &sum).map_err(damaged)?));
        let metadata = HashMap::from([(CARD.to_owned(), self.text.clone())]);
        serialize(views, Some(metadata)).map_err(damaged)
    }

    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`ForecastError::NotAModel`] for anything that is not such a file of this version,
    /// [`ForecastError::Damaged`] for one that was changed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ForecastError> {
        let foreign = |error: safetensors::SafeTensorError| ForecastError::not_a_model(error.to_string());
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(foreign)?;
        let text = metadata.metadata().as_ref().and_then(|entries| entries.get(CARD));
        let text = text.ok_or_else(|| ForecastError::not_a_model("its header has no entry named tidegate"))?;
        let card = read_card(text)?;
        let file = SafeTensors::deserialize(bytes).map_err(foreign)?;
        let (tensors, stored) = read_tensors(&file)?;
        let sum = checksum(&tensors, text);
        if stored != sum {
            let reason =
                format!("checksum {} does not fit its content, {}", const_hex::encode(stored), const_hex::encode(sum));
            return Err(ForecastError::damaged(reason));
        }
        let text = text.clone();
        Ok(Self { card, text, tensors })
    }
}

fn read_card(text: &str) -> Result<Card, ForecastError> {
    #[derive(Deserialize)]
    struct Version {
        format: String,
    }
    let damaged = |error: serde_json::Error| ForecastError::damaged(format!("its card cannot be read, {error}"));
    let version: Version = serde_json::from_str(text).map_err(damaged)?;
    if version.format != FORMAT {
        let reason = format!("its format is {:?}, this program reads {FORMAT:?}", version.format);
        return Err(ForecastError::not_a_model(reason));
    }
    serde_json::from_str(text).map_err(damaged)
}

fn read_tensors(file: &SafeTensors<'_>) -> Result<(Tensors, Vec<u8>), ForecastError> {
    let mut tensors = Tensors::default();
    let mut stored = Vec::new();
    for (name, view) in file.iter() {
        match (name, view.dtype(), view.shape()) {
            (CHECKSUM, Dtype::U8, _) => stored = view.data().to_vec(),
            (_, Dtype::F32, [rows, columns]) => {
                let (chunks, _) = view.data().as_chunks::<4>();
                let values = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
                tensors.insert(name, [*rows, *columns], values);
            }
            (_, dtype, shape) => {
                return Err(ForecastError::damaged(format!("tensor {name} is {dtype:?} of shape {shape:?}")));
            }
        }
    }
    Ok((tensors, stored))
}

fn checksum(tensors: &Tensors, card: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (name, shape, bytes) in tensors.iter_bytes() {
        hash.update(name.as_bytes());
        for size in shape {
            hash.update((size as u64).to_le_bytes());
        }
        hash.update(bytes);
    }
    hash.update(card.as_bytes());
    hash.finalize().into()
}
