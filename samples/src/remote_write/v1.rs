//! Remote-Write 1.0: every series with its texts.

use super::proto::v1::{Label, TimeSeries};
use super::{Contents, fields, series};
use crate::error::SamplesError;
use crate::{Labels, Sample};

const WHAT: &str = "prometheus.WriteRequest";

pub(super) fn read(
    plain: &[u8],
    each: &mut dyn FnMut(&Labels<'_>, &[Sample]),
    contents: &mut Contents,
) -> Result<(), SamplesError> {
    fields(WHAT, plain, |tag, bytes| {
        if tag != 1 {
            return Ok(());
        }
        let one: TimeSeries = series(WHAT, bytes)?;
        let samples: Vec<Sample> = one.samples.iter().map(|s| Sample { at_ms: s.timestamp, value: s.value }).collect();
        let labels = Labels::new(one.labels.iter().map(|Label { name, value }| (&name[..], &value[..])));
        contents.series([samples.len(), one.histograms.len(), one.exemplars.len()], labels, &samples, each);
        Ok(())
    })
}
