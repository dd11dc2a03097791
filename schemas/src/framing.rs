//! The Confluent wire format: `0x00`, the schema id as 4 bytes big-endian, the Avro datum.
//!
//! Source: Confluent Schema Registry documentation, "Wire format".

use crate::error::SchemaError;

/// First byte of every framed value.
pub const MAGIC: u8 = 0;
/// Bytes before the datum.
pub const HEADER_LEN: usize = 5;

/// Begins a framed value in `out`, which is cleared first; the datum is appended by the caller.
pub fn begin(out: &mut Vec<u8>, id: u32) {
    out.clear();
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}

/// Splits a framed value into schema id and datum.
///
/// # Errors
/// [`SchemaError::Framing`] where the magic byte or the id is missing.
pub fn split(value: &[u8]) -> Result<(u32, &[u8]), SchemaError> {
    let [magic, a, b, c, d, datum @ ..] = value else {
        return Err(SchemaError::Framing(format!("{} bytes are too few for a schema id", value.len())));
    };
    if *magic != MAGIC {
        return Err(SchemaError::Framing(format!("the first byte is 0x{magic:02x}, not 0x00")));
    }
    Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_was_framed_is_split_again(id: u32, datum: Vec<u8>) {
            let mut out = vec![9, 9];
            begin(&mut out, id);
            out.extend_from_slice(&datum);
            let (got_id, got) = split(&out).unwrap();
            prop_assert_eq!(got_id, id);
            prop_assert_eq!(got, &datum[..]);
        }

        #[test]
        fn any_bytes_are_split_or_refused(bytes: Vec<u8>) {
            prop_assert_eq!(split(&bytes).is_ok(), bytes.len() >= 5 && bytes[0] == 0);
        }
    }
}
