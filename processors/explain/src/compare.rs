//! What came out, held against what stands on the topics: byte for byte, and where it differs, field by field.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_schemas::records::Record;
use tidegate_schemas::{CatalogueIds, Encoder, SchemaError, Topic};

use crate::error::ExplainError;
use crate::explanation::Difference;
use crate::held::Held;

/// Bytes before the datum: they name the schema's id, which a registry may have given.
const FRAMING: usize = 5;

/// Whether a record came out as it stands on its topic; names the fields that did not.
pub(crate) fn compare<T: Record + Serialize>(
    name: &str,
    recorded: Option<&Held<T>>,
    recomputed: &T,
    topic: Topic,
    differences: &mut Vec<Difference>,
) -> Result<Option<bool>, ExplainError> {
    let Some(held) = recorded else { return Ok(None) };
    let failed = |e: SchemaError| ExplainError::Schema(e.to_string());
    let encoder = Encoder::new(topic, T::KIND, &CatalogueIds).map_err(failed)?;
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    encoder.encode(&held.record, &mut theirs).map_err(failed)?;
    encoder.encode(recomputed, &mut ours).map_err(failed)?;
    // One that was written with an older schema is compared as the newest one reads it.
    let on_topic = held.raw.value.as_deref().unwrap_or_default().get(FRAMING..);
    let same = on_topic == ours.get(FRAMING..) || theirs == ours;
    if !same {
        let (theirs, ours) = (fields(&held.record)?, fields(recomputed)?);
        for (field, recomputed) in ours {
            let recorded = theirs.get(&field).cloned().unwrap_or_default();
            if recorded != recomputed {
                differences.push(Difference { field: format!("{name}.{field}"), recorded, recomputed });
            }
        }
    }
    Ok(Some(same))
}

fn fields(record: &impl Serialize) -> Result<BTreeMap<String, serde_json::Value>, ExplainError> {
    let value = serde_json::to_value(record).map_err(|e| ExplainError::Schema(e.to_string()))?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}
