//! The snappy block that every body is.

use crate::error::SamplesError;

/// Uncompresses a body. What it claims is looked at before anything is allocated for it.
///
/// # Errors
/// Where it claims more than is allowed, or is no snappy block.
pub fn uncompress(body: &[u8], allowed: usize) -> Result<Vec<u8>, SamplesError> {
    let damaged = |e: snap::Error| SamplesError::Damaged { what: "snappy block", message: e.to_string() };
    let claimed = snap::raw::decompress_len(body).map_err(damaged)?;
    if claimed > allowed {
        return Err(SamplesError::TooLarge { claimed: claimed as u64, allowed });
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_refused_by_what_it_claims() {
        // Seven bytes that claim 4 GiB.
        let claimed = u64::from(u32::MAX);
        let bomb = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
        assert_eq!(uncompress(&bomb, 1000), Err(SamplesError::TooLarge { claimed, allowed: 1000 }));
        let packed = snap::raw::Encoder::new().compress_vec(&[7; 1000]).unwrap();
        assert_eq!(uncompress(&packed, 1000), Ok(vec![7; 1000]));
        assert!(uncompress(&packed, 999).unwrap_err().is_size());
        assert!(matches!(uncompress(&packed[..packed.len() - 1], 1000), Err(SamplesError::Damaged { .. })));
        assert!(matches!(uncompress(b"", 1000), Err(SamplesError::Damaged { .. })));
    }
}
