//! The registry of a process's metrics, which also knows what is registered before there is a value of it.
//!
//! ```text
//! Registry::register ─┬─> prometheus' own registry ─> gather ─> /metrics
//!                     └─> Described: name, kind, labels, help ─> the table in docs/metrics.md
//! ```
//!
//! Prometheus' registry leaves out families without values, such as a counter by class before the first dead letter.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{MetricFamily, MetricType};

/// The metrics of a process; a clone is the same registry.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    inner: prometheus::Registry,
    described: Arc<Mutex<Vec<Described>>>,
}

/// A metric as it is registered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Names of its labels, those with one value for all included.
    pub labels: Vec<String>,
    /// What it says.
    pub help: String,
}

impl Registry {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a metric.
    ///
    /// # Errors
    /// Where the same is there already.
    pub fn register(&self, collector: Box<dyn Collector>) -> Result<(), prometheus::Error> {
        // A family tells its kind whether it has values or not.
        let kind = collector.collect().first().map_or(MetricType::UNTYPED, MetricFamily::get_field_type);
        let described: Vec<Described> = collector.desc().into_iter().map(|desc| Described::of(desc, kind)).collect();
        self.inner.register(collector)?;
        self.described.lock().unwrap_or_else(PoisonError::into_inner).extend(described);
        Ok(())
    }

    /// All that has values, for `/metrics`.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.inner.gather()
    }

    /// All that was registered, sorted by name, each once.
    #[must_use]
    pub fn described(&self) -> Vec<Described> {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner).clone();
        described.sort();
        described.dedup();
        described
    }
}

impl Described {
    fn of(desc: &Desc, kind: MetricType) -> Self {
        let constant = desc.const_label_pairs.iter().map(|pair| pair.name().to_owned());
        let kind = match kind {
            MetricType::COUNTER => "counter",
            MetricType::GAUGE => "gauge",
            MetricType::HISTOGRAM => "histogram",
            MetricType::SUMMARY => "summary",
            MetricType::UNTYPED => "untyped",
        };
        let labels = constant.chain(desc.variable_labels.iter().cloned()).collect();
        Self { name: desc.fq_name.clone(), kind, labels, help: desc.help.clone() }
    }
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts};

    use super::*;

    #[test]
    fn what_has_no_value_yet_is_described() {
        let registry = Registry::new();
        let counter = Opts::new("letters_total", "Letters.").const_label("work", "quota");
        let histogram = HistogramVec::new(HistogramOpts::new("a_seconds", "Time."), &["to"]).unwrap();
        registry.register(Box::new(IntCounterVec::new(counter, &["class"]).unwrap())).unwrap();
        registry.register(Box::new(histogram.clone())).unwrap();
        registry.register(Box::new(IntGauge::new("held", "Held.").unwrap())).unwrap();
        assert!(registry.register(Box::new(histogram)).is_err());
        let described: Vec<_> =
            registry.described().into_iter().map(|d| (d.name, d.kind, d.labels.join(","))).collect();
        let wanted =
            [("a_seconds", "histogram", "to"), ("held", "gauge", ""), ("letters_total", "counter", "work,class")];
        assert_eq!(described, wanted.map(|(name, kind, labels)| (name.to_owned(), kind, labels.to_owned())));
        let seen: Vec<_> = registry.gather().iter().map(|family| family.name().to_owned()).collect();
        assert_eq!(seen, ["held"]);
    }
}
