//! OpenTelemetry's metrics to series: gauges and sums; a label for each attribute of the resource and of the point. Pure.
//!
//! ```text
//! resource ─ attributes ─┐
//! metric ─ name ─────────┼─> Labels; value, time ─> Sample
//! point ─ attributes ────┘
//! ```
//!
//! Histograms and summaries are passed over. A sum must be cumulative: one that starts anew with each point says nothing of a
//! point that was lost.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{AggregationTemporality, DataPointFlags, Metric, NumberDataPoint};
use tidegate_otlp::ExportMetricsServiceRequest;

use crate::labels::{METRIC, MOST};
use crate::remote_write::Contents;
use crate::{Labels, STALE, Sample};

/// Reads a request; `each` is given every point that is a sample.
pub fn read(request: &ExportMetricsServiceRequest, each: &mut dyn FnMut(&Labels<'_>, &[Sample])) -> Contents {
    let mut contents = Contents::default();
    for of_resource in &request.resource_metrics {
        let resource = of_resource.resource.as_ref().map(|resource| texts(&resource.attributes)).unwrap_or_default();
        for metric in of_resource.scope_metrics.iter().flat_map(|scope| &scope.metrics) {
            let (points, is_delta) = points(metric);
            if is_delta {
                contents.invalid += points.len() as u64;
                contents
                    .first_invalid
                    .get_or_insert_with(|| format!("the sum {:?} is of deltas; send cumulative ones", metric.name));
                continue;
            }
            for point in points {
                one(metric, &resource, point, &mut contents, each);
            }
        }
    }
    contents
}

/// Its points, and whether they are deltas.
fn points(metric: &Metric) -> (&[NumberDataPoint], bool) {
    match &metric.data {
        Some(Data::Gauge(gauge)) => (&gauge.data_points, false),
        Some(Data::Sum(sum)) => {
            (&sum.data_points, sum.aggregation_temporality == i32::from(AggregationTemporality::Delta))
        }
        _ => (&[], false),
    }
}

fn one(
    metric: &Metric,
    resource: &[(String, String)],
    point: &NumberDataPoint,
    contents: &mut Contents,
    each: &mut dyn FnMut(&Labels<'_>, &[Sample]),
) {
    let own = texts(&point.attributes);
    if own.len().max(resource.len()) > MOST {
        contents.series([1, 0, 0], Err(format!("a point has more than {MOST} attributes")), &[], each);
        return;
    }
    let of_resource = resource.iter().filter(|(name, _)| own.iter().all(|(other, _)| other != name));
    let pairs = own.iter().chain(of_resource).map(|(name, value)| (&name[..], &value[..]));
    let has_value = point.flags & DataPointFlags::NoRecordedValueMask as u32 == 0;
    let value = match &point.value {
        _ if !has_value => STALE,
        Some(Number::AsDouble(value)) => *value,
        Some(Number::AsInt(value)) => *value as f64,
        None => return,
    };
    let sample = Sample { at_ms: i64::try_from(point.time_unix_nano / 1_000_000).unwrap_or(i64::MAX), value };
    contents.series([1, 0, 0], Labels::new(std::iter::once((METRIC, &metric.name[..])).chain(pairs)), &[sample], each);
}

/// Attributes as texts; those of parts, and bytes, are left out.
fn texts(attributes: &[KeyValue]) -> Vec<(String, String)> {
    let text = |KeyValue { key, value, .. }: &KeyValue| {
        let AnyValue { value } = value.as_ref()?;
        let text = match value.as_ref()? {
            Value::StringValue(text) => text.clone(),
            Value::BoolValue(truth) => truth.to_string(),
            Value::IntValue(number) => number.to_string(),
            Value::DoubleValue(number) => number.to_string(),
            _ => return None,
        };
        Some((key.clone(), text))
    };
    attributes.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use tidegate_otlp::Encoding;

    use super::*;
    use crate::collect::Request;
    use crate::{Bounds, Collector, Mapping};

    const START: i64 = 1_767_571_200;

    /// What a collector's host metrics say at a time: the shares of both cores, and of the memory.
    fn body(at_s: i64, busy: [f64; 2]) -> String {
        let attribute = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
        let point = |attributes: &str, value: f64| {
            format!(r#"{{"timeUnixNano":"{at_s}000000000","asDouble":{value},"attributes":[{attributes}]}}"#)
        };
        let core = |(cpu, busy): (usize, f64)| {
            let of = |state| format!("{},{}", attribute("cpu", &format!("cpu{cpu}")), attribute("state", state));
            format!("{},{}", point(&of("user"), busy), point(&of("idle"), 1.0 - busy))
        };
        let cores: Vec<String> = busy.into_iter().enumerate().map(core).collect();
        let memory = point(&attribute("state", "used"), 0.25);
        format!(
            r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{}]}},"scopeMetrics":[{{"metrics":[
                {{"name":"system.cpu.utilization","gauge":{{"dataPoints":[{}]}}}},
                {{"name":"system.memory.utilization","gauge":{{"dataPoints":[{memory}]}}}},
                {{"name":"system.cpu.time","sum":{{"aggregationTemporality":1,"dataPoints":[{}]}}}}]}}]}}]}}"#,
            attribute("host.name", "web-1"),
            cores.join(","),
            point("", 1.0),
        )
    }

    #[test]
    fn utilization_of_a_host_is_its_load() {
        let mapping = Mapping::preset("opentelemetry").unwrap();
        let mut collector = Collector::new(mapping.clone(), Bounds::default());
        let mut told = Vec::new();
        for (n, busy) in [(0, [0.0, 0.0]), (1, [0.5, 0.1]), (2, [0.25, 0.25])] {
            let at_s = START + n * 10;
            let decoded = Encoding::Json.metrics(body(at_s, busy).as_bytes()).unwrap();
            let mut request = Request::default();
            let contents = read(&decoded, &mut |labels, samples| {
                request.series(&mapping, labels, samples, &mut |_| true);
            });
            assert_eq!((contents.samples, contents.invalid), (5, 1));
            assert!(contents.first_invalid.unwrap().contains("\"system.cpu.time\" is of deltas"));
            told.extend(collector.take(request, at_s * 1000).reports);
        }
        let told: Vec<_> = told.iter().map(|r| (&r.node_id[..], r.cpu, r.memory, r.base_quota)).collect();
        assert_eq!(told, [("web-1", Some(0.3), Some(0.25), 2000.0), ("web-1", Some(0.25), Some(0.25), 2000.0)]);
    }
}
