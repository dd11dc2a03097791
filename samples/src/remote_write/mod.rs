//! Prometheus Remote-Write, 1.0 and 2.0: bodies to series. Pure.
//!
//! ```text
//! headers ─> Protocol ─┐
//! body ─ snappy block ─┴─> plain, at most so large ─> series by series, each checked ─> labels, samples
//!          │ claimed size within the limit?                  └─ what cannot be one: counted, with the first reason
//! ```
//!
//! Series are decoded one at a time, so that a small body cannot become a large message. Source: the specifications at
//! prometheus.io/docs/specs/prw.

mod block;
pub mod proto;
mod protocol;
mod v1;
mod v2;

use prost::bytes::Buf;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::error::SamplesError;
use crate::{Labels, Sample};

pub use block::uncompress;
pub use protocol::Protocol;

/// Bytes of one series at most: some thousand samples, or a hundred long labels.
const MOST_SERIES_BYTES: usize = 256 * 1024;

/// What a request held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Samples of series that were read.
    pub samples: u64,
    /// Native histograms.
    pub histograms: u64,
    /// Exemplars.
    pub exemplars: u64,
    /// Samples, histograms and exemplars of what is no series.
    pub invalid: u64,
    /// Why the first of those is none.
    pub first_invalid: Option<String>,
}

/// Reads a request; `each` is given every series that is one, in the request's order.
///
/// # Errors
/// Where the body is no request of this protocol; what was given before is then to be thrown away.
pub fn read(
    protocol: Protocol,
    plain: &[u8],
    each: &mut dyn FnMut(&Labels<'_>, &[Sample]),
) -> Result<Contents, SamplesError> {
    let mut contents = Contents::default();
    match protocol {
        Protocol::V1 => v1::read(plain, each, &mut contents),
        Protocol::V2 => v2::read(plain, each, &mut contents),
    }?;
    Ok(contents)
}

impl Contents {
    /// With samples that turned out to be of no node that may be.
    #[must_use]
    pub fn and(mut self, (count, why): (u64, Option<&str>)) -> Self {
        self.samples = self.samples.saturating_sub(count);
        self.invalid += count;
        self.first_invalid = self.first_invalid.or_else(|| why.map(str::to_owned));
        self
    }

    /// Counts a series of so many samples, histograms and exemplars, and hands it on where it is one.
    pub(crate) fn series(
        &mut self,
        counts: [usize; 3],
        labels: Result<Labels<'_>, String>,
        samples: &[Sample],
        each: &mut dyn FnMut(&Labels<'_>, &[Sample]),
    ) {
        let [own, histograms, exemplars] = counts.map(|count| count as u64);
        match labels {
            Ok(labels) => {
                self.samples += own;
                self.histograms += histograms;
                self.exemplars += exemplars;
                each(&labels, samples);
            }
            Err(why) => {
                self.invalid += own + histograms + exemplars;
                self.first_invalid.get_or_insert(why);
            }
        }
    }
}

/// Walks over the fields of a message, and gives those with bytes of their own.
fn fields<'a>(
    what: &'static str,
    mut message: &'a [u8],
    mut each: impl FnMut(u32, &'a [u8]) -> Result<(), SamplesError>,
) -> Result<(), SamplesError> {
    let damaged = |e: prost::DecodeError| SamplesError::Damaged { what, message: e.to_string() };
    while message.has_remaining() {
        let (tag, wire) = decode_key(&mut message).map_err(damaged)?;
        if wire != WireType::LengthDelimited {
            skip_field(wire, tag, &mut message, DecodeContext::default()).map_err(damaged)?;
            continue;
        }
        let length = decode_varint(&mut message).map_err(damaged)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= message.len());
        let Some(length) = length else {
            return Err(SamplesError::Damaged { what, message: "a part is longer than the body".into() });
        };
        let (inner, rest) = message.split_at(length);
        each(tag, inner)?;
        message = rest;
    }
    Ok(())
}

/// One series' message, if it is not too large.
fn series<M: prost::Message + Default>(what: &'static str, bytes: &[u8]) -> Result<M, SamplesError> {
    if bytes.len() > MOST_SERIES_BYTES {
        return Err(SamplesError::TooMany(format!(
            "a series of {} bytes; at most {MOST_SERIES_BYTES} are taken",
            bytes.len()
        )));
    }
    M::decode(bytes).map_err(|e| SamplesError::Damaged { what, message: e.to_string() })
}
