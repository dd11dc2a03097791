//! Remote-Write 2.0: every text once, series by the texts' places. A body may have them in any order, so it is walked twice.

use super::proto::v2::TimeSeries;
use super::{Contents, fields, series};
use crate::error::SamplesError;
use crate::{Labels, Sample};

const WHAT: &str = "io.prometheus.write.v2.Request";
/// Texts of one request at most.
const MOST_SYMBOLS: usize = 1 << 20;

pub(super) fn read(
    plain: &[u8],
    each: &mut dyn FnMut(&Labels<'_>, &[Sample]),
    contents: &mut Contents,
) -> Result<(), SamplesError> {
    let symbols = symbols(plain)?;
    fields(WHAT, plain, |tag, bytes| {
        if tag != 5 {
            return Ok(());
        }
        let one: TimeSeries = series(WHAT, bytes)?;
        let samples: Vec<Sample> = one.samples.iter().map(|s| Sample { at_ms: s.timestamp, value: s.value }).collect();
        let labels = labels(&symbols, &one.labels_refs);
        contents.series([samples.len(), one.histograms.len(), one.exemplars.len()], labels, &samples, each);
        Ok(())
    })
}

fn symbols(plain: &[u8]) -> Result<Vec<&str>, SamplesError> {
    let damaged = |message: String| SamplesError::Damaged { what: WHAT, message };
    let mut symbols = Vec::new();
    fields(WHAT, plain, |tag, bytes| {
        if tag != 4 {
            return Ok(());
        }
        if symbols.len() == MOST_SYMBOLS {
            return Err(SamplesError::TooMany(format!("more than {MOST_SYMBOLS} symbols")));
        }
        symbols.push(std::str::from_utf8(bytes).map_err(|e| damaged(e.to_string()))?);
        Ok(())
    })?;
    if symbols.first().is_some_and(|first| !first.is_empty()) {
        return Err(damaged("its first symbol is not empty".into()));
    }
    Ok(symbols)
}

fn labels<'a>(symbols: &[&'a str], refs: &[u32]) -> Result<Labels<'a>, String> {
    let (pairs, odd) = refs.as_chunks::<2>();
    if !odd.is_empty() {
        return Err("a label has a name and no value".into());
    }
    let text = |at: u32| usize::try_from(at).ok().and_then(|at| symbols.get(at).copied());
    let pair = |[name, value]: &[u32; 2]| text(*name).zip(text(*value));
    let pairs: Option<Vec<_>> = pairs.iter().map(pair).collect();
    Labels::new(pairs.ok_or_else(|| format!("a label is beyond the {} symbols", symbols.len()))?)
}
