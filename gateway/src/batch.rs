//! Batches of reports to bytes and back. Pure.
//!
//! ```text
//! records ─ pack ─> Records ─ snappy ─> ReportBatch ─ unpack ─> claimed size within the limit? ─> bytes ─> records
//! ```
//!
//! Whatever a batch claims, unpacking holds no more than the limits allow.

use bytes::{Buf, Bytes};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, skip_field};

use crate::proto::{Compression, Record, Records, ReportBatch};

/// What one batch may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Bytes of the payload once it is uncompressed.
    pub bytes: usize,
    /// Records.
    pub records: usize,
}

/// Why a batch is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadBatch {
    /// Larger than is taken, by its own word or by that of its compression.
    #[error("the batch claims {claimed} bytes uncompressed; at most {allowed} are taken")]
    TooLarge {
        /// What it says.
        claimed: u64,
        /// The limit.
        allowed: usize,
    },
    /// More records than are taken.
    #[error("the batch holds more than {0} records")]
    TooMany(usize),
    /// A compression that nobody knows.
    #[error("the compression {0} is unknown; say none or snappy")]
    Compression(i32),
    /// The payload does not uncompress to what was said, or is no `Records`.
    #[error("the batch's payload is damaged: {0}")]
    Damaged(String),
}

impl BadBatch {
    /// Whether a smaller batch would be taken.
    #[must_use]
    pub fn is_size(&self) -> bool {
        matches!(self, Self::TooLarge { .. } | Self::TooMany(_))
    }
}

/// Makes a batch, compressed.
///
/// # Errors
/// [`BadBatch::Damaged`] where the records are more than a snappy block can hold (4 GiB).
pub fn pack(id: u64, records: Vec<Record>) -> Result<ReportBatch, BadBatch> {
    let plain = Records { records }.encode_to_vec();
    let payload = snap::raw::Encoder::new().compress_vec(&plain).map_err(|e| BadBatch::Damaged(e.to_string()))?;
    Ok(ReportBatch {
        id,
        compression: Compression::Snappy.into(),
        uncompressed_bytes: plain.len() as u64,
        payload: payload.into(),
    })
}

/// Reads a batch within the limits.
///
/// # Errors
/// Why it is refused.
pub fn unpack(batch: &ReportBatch, limits: BatchLimits) -> Result<Vec<Record>, BadBatch> {
    within(batch.uncompressed_bytes, limits.bytes)?;
    let plain = match Compression::try_from(batch.compression) {
        Ok(Compression::None) => batch.payload.clone(),
        Ok(Compression::Snappy) => uncompress(batch, limits.bytes)?,
        _ => return Err(BadBatch::Compression(batch.compression)),
    };
    if plain.len() as u64 != batch.uncompressed_bytes {
        let (real, said) = (plain.len(), batch.uncompressed_bytes);
        return Err(BadBatch::Damaged(format!("it has {real} bytes uncompressed and says {said}")));
    }
    read(plain, limits.records)
}

fn uncompress(batch: &ReportBatch, allowed: usize) -> Result<Bytes, BadBatch> {
    let damaged = |e: snap::Error| BadBatch::Damaged(e.to_string());
    // The block has its own word on its size, and the decoder allocates by that one.
    let claimed = snap::raw::decompress_len(&batch.payload).map_err(damaged)?;
    within(claimed as u64, allowed)?;
    Ok(snap::raw::Decoder::new().decompress_vec(&batch.payload).map_err(damaged)?.into())
}

fn within(claimed: u64, allowed: usize) -> Result<(), BadBatch> {
    if claimed > allowed as u64 { Err(BadBatch::TooLarge { claimed, allowed }) } else { Ok(()) }
}

/// Reads a `Records` one record at a time: two bytes make an empty record, so their number is looked at before they are.
fn read(mut plain: Bytes, most: usize) -> Result<Vec<Record>, BadBatch> {
    let damaged = |e: prost::DecodeError| BadBatch::Damaged(e.to_string());
    let mut records = Vec::new();
    while plain.has_remaining() {
        match decode_key(&mut plain).map_err(damaged)? {
            (1, WireType::LengthDelimited) if records.len() == most => return Err(BadBatch::TooMany(most)),
            (1, WireType::LengthDelimited) => {
                records.push(Record::decode_length_delimited(&mut plain).map_err(damaged)?);
            }
            (tag, wire) => skip_field(wire, tag, &mut plain, DecodeContext::default()).map_err(damaged)?,
        }
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: BatchLimits = BatchLimits { bytes: 10_000, records: 100 };

    fn record(key: &str, value: &[u8]) -> Record {
        Record { key: key.to_owned().into(), value: value.to_vec().into(), traceparent: String::new() }
    }

    #[test]
    fn a_bomb_is_refused_by_what_it_claims() {
        // A snappy block of a few bytes that claims 4 GiB, under an honest and under a small claim of the batch.
        let payload = Bytes::from_static(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
        for claim in [u64::from(u32::MAX), 100] {
            let batch = ReportBatch { id: 1, compression: 2, uncompressed_bytes: claim, payload: payload.clone() };
            let claimed = u64::from(u32::MAX);
            assert_eq!(unpack(&batch, LIMITS), Err(BadBatch::TooLarge { claimed, allowed: 10_000 }));
        }
    }

    #[test]
    fn too_many_records_are_refused_however_small_they_are() {
        let most = pack(1, vec![Record::default(); 100]).unwrap();
        assert_eq!(unpack(&most, LIMITS).map(|records| records.len()), Ok(100));
        let more = pack(1, vec![Record::default(); 101]).unwrap();
        assert_eq!(unpack(&more, LIMITS), Err(BadBatch::TooMany(100)));
    }

    #[test]
    fn a_batch_that_says_another_size_or_compression_is_refused() {
        let batch = pack(1, vec![record("a", b"x")]).unwrap();
        let said = unpack(&ReportBatch { uncompressed_bytes: 3, ..batch.clone() }, LIMITS).unwrap_err().to_string();
        assert!(said.contains("uncompressed and says 3"), "{said}");
        for unknown in [0, 3] {
            let batch = ReportBatch { compression: unknown, ..batch.clone() };
            assert_eq!(unpack(&batch, LIMITS), Err(BadBatch::Compression(unknown)));
        }
        let cut = ReportBatch { payload: batch.payload.slice(..batch.payload.len() - 1), ..batch };
        assert!(matches!(unpack(&cut, LIMITS), Err(BadBatch::Damaged(_))));
    }

    #[test]
    fn fields_of_a_newer_edge_are_passed_over() {
        let mut plain = Records { records: vec![record("a", b"x")] }.encode_to_vec();
        // Field 9, a varint; field 10, three bytes.
        plain.extend([0x48, 0x05, 0x52, 0x03, 1, 2, 3]);
        let (uncompressed_bytes, payload) = (plain.len() as u64, plain.into());
        let batch = ReportBatch { id: 1, compression: 1, uncompressed_bytes, payload };
        assert_eq!(unpack(&batch, LIMITS), Ok(vec![record("a", b"x")]));
    }

    proptest! {
        #[test]
        fn what_was_packed_is_unpacked(all in proptest::collection::vec((".{0,9}", any::<Vec<u8>>()), 0..50)) {
            let records: Vec<Record> = all.iter().map(|(key, value)| record(key, value)).collect();
            let batch = pack(7, records.clone()).unwrap();
            let limits = BatchLimits { bytes: 1 << 20, records: 50 };
            prop_assert_eq!(unpack(&batch, limits), Ok(records));
        }

        #[test]
        fn any_bytes_are_read_or_refused(payload: Vec<u8>, compression in 0..4, uncompressed_bytes in 0_u64..64) {
            let batch = ReportBatch { id: 1, compression, uncompressed_bytes, payload: payload.into() };
            if let Ok(records) = unpack(&batch, LIMITS) {
                prop_assert!(records.len() <= LIMITS.records);
            }
        }
    }
}
