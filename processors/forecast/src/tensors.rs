//! The weights of a model by name, on their way between training, file and inference.

use std::collections::BTreeMap;

use crate::error::ForecastError;

/// Named matrices in row-major order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Tensors(BTreeMap<String, ([usize; 2], Vec<f32>)>);

impl Tensors {
    pub(crate) fn insert(&mut self, name: &str, shape: [usize; 2], values: Vec<f32>) {
        self.0.insert(name.to_owned(), (shape, values));
    }

    #[cfg(test)]
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The values of a tensor that must have this shape and be finite.
    pub(crate) fn get(&self, name: &str, shape: [usize; 2]) -> Result<&[f32], ForecastError> {
        let (found, values) =
            self.0.get(name).ok_or_else(|| ForecastError::damaged(format!("tensor {name} is missing")))?;
        if *found != shape || values.len() != shape[0] * shape[1] {
            let reason = format!("tensor {name} has shape {found:?} instead of {shape:?}");
            return Err(ForecastError::damaged(reason));
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(ForecastError::damaged(format!("tensor {name} has a value that is not finite")));
        }
        Ok(values)
    }

    /// Name, shape and little-endian bytes of each, in order of the names.
    pub(crate) fn iter_bytes(&self) -> impl Iterator<Item = (&str, [usize; 2], Vec<u8>)> {
        self.0.iter().map(|(name, (shape, values))| {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (name.as_str(), *shape, bytes)
        })
    }
}
