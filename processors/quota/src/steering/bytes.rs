//! The steering's state as bytes, as it stands in a command.
//!
//! ```text
//! 1 │ prior weight f32 │ excess f32 │ last i64 │ bins u8 │ (bin u8, weight f32)… │ pending u8 │ (age, p90, margin)…
//! ```
//!
//! Fixed numbers are little-endian. Of a decision that waits, age (ms before `last`), p90 and margin (1e-4 of the base quota) are
//! zigzag varints of the difference from the one before. Weights go as their bits: what is read is exactly what was kept.

use integer_encoding::VarInt;

use super::{Pending, State};
use crate::steering::bins::BINS;

/// The form above.
const FORM: u8 = 1;

impl State {
    /// The state as bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let kept = || self.own.iter().enumerate().filter(|(_, weight)| **weight > 0.0);
        let mut bytes = Vec::with_capacity(19 + 5 * kept().count() + 6 * self.pending.len());
        bytes.push(FORM);
        bytes.extend(self.prior_weight.to_le_bytes());
        bytes.extend(self.excess.to_le_bytes());
        bytes.extend(self.last.to_le_bytes());
        bytes.push(kept().count() as u8);
        for (bin, weight) in kept() {
            bytes.push(bin as u8);
            bytes.extend(weight.to_le_bytes());
        }
        bytes.push(self.pending.len() as u8);
        let mut before = Pending { at: self.last, p90: 0, margin: 0 };
        for pending in &self.pending {
            push_varint(&mut bytes, before.at.wrapping_sub(pending.at));
            push_varint(&mut bytes, pending.p90.wrapping_sub(before.p90));
            push_varint(&mut bytes, pending.margin.wrapping_sub(before.margin));
            before = *pending;
        }
        bytes
    }

    /// The state behind bytes; `None` where they are not of this form.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let [FORM] = take::<1>(&mut rest)? else { return None };
        let prior_weight = weight(take(&mut rest)?)?;
        let excess = weight(take(&mut rest)?)?;
        let last = i64::from_le_bytes(take(&mut rest)?);
        let mut own = [0.0; BINS];
        let [bins] = take(&mut rest)?;
        for _ in 0..bins {
            let [bin] = take(&mut rest)?;
            *own.get_mut(usize::from(bin))? = weight(take(&mut rest)?)?;
        }
        let [count] = take(&mut rest)?;
        let mut pending = Vec::with_capacity(usize::from(count) + 1);
        let mut before = Pending { at: last, p90: 0, margin: 0 };
        for _ in 0..count {
            let at = before.at.wrapping_sub(take_varint(&mut rest)?);
            let p90 = before.p90.wrapping_add(take_varint(&mut rest)?);
            before = Pending { at, p90, margin: before.margin.wrapping_add(take_varint(&mut rest)?) };
            pending.push(before);
        }
        rest.is_empty().then_some(Self { prior_weight, excess, last, own, pending })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// A weight is finite and not negative.
fn weight(bits: [u8; 4]) -> Option<f32> {
    Some(f32::from_le_bytes(bits)).filter(|weight| weight.is_finite() && *weight >= 0.0)
}

fn push_varint(bytes: &mut Vec<u8>, number: i64) {
    let mut written = [0; 10];
    let length = number.encode_var(&mut written);
    bytes.extend_from_slice(&written[..length]);
}

fn take_varint(rest: &mut &[u8]) -> Option<i64> {
    let (number, length) = i64::decode_var(rest)?;
    *rest = &rest[length..];
    Some(number)
}
