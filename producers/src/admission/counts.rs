//! Requests and failures by service: on `/metrics`, and as the counters of load reports.
//!
//! Services are named by those who ask, so their number is bounded: the first [`MOST_SERVICES`] have series of their own, the
//! rest share `other`.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounterVec, Opts};

use tidegate_broker::Registry;
use tidegate_schemas::records::LoadReport;

use crate::error::ProducerError;

/// Services with series of their own.
const MOST_SERVICES: usize = 100;
/// Longest name of such a service, bytes.
const MOST_NAME_BYTES: usize = 128;
/// The service of the rest.
const OTHER: &str = "other";
/// The service of requests that name none; the OpenTelemetry SDKs' word for it.
const UNKNOWN: &str = "unknown_service";

/// Counters that all who count share.
#[derive(Debug, Clone)]
pub struct RequestCounts {
    total: IntCounterVec,
    failed: IntCounterVec,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    services: Mutex<HashSet<String>>,
    total: AtomicU64,
    failed: AtomicU64,
}

impl RequestCounts {
    /// Registers `edge_requests_total{service}` and `edge_requests_failed_total{service}`.
    ///
    /// # Errors
    /// [`ProducerError::Metrics`] where the registry has them already.
    pub fn register(registry: &Registry) -> Result<Self, ProducerError> {
        let counter = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), &["service"]);
        let total = counter("edge_requests_total", "Requests, by service")?;
        let failed = counter("edge_requests_failed_total", "Requests that failed or were denied, by service")?;
        registry.register(Box::new(total.clone()))?;
        registry.register(Box::new(failed.clone()))?;
        Ok(Self { total, failed, shared: Arc::default() })
    }

    /// So many requests of a service came, and so many of them failed.
    pub fn count(&self, service: &str, requests: u64, failed: u64) {
        let service = self.shared.series_of(service);
        self.total.with_label_values(&[service]).inc_by(requests);
        self.failed.with_label_values(&[service]).inc_by(failed);
        self.shared.total.fetch_add(requests, Ordering::Relaxed);
        self.shared.failed.fetch_add(failed, Ordering::Relaxed);
    }

    /// Puts the sums over all services into a report.
    pub fn put_into(&self, report: &mut LoadReport) {
        let sum = |counter: &AtomicU64| i64::try_from(counter.load(Ordering::Relaxed)).ok();
        // The failed ones first: were they read last, there could be more of them than of all.
        report.requests_failed_total = sum(&self.shared.failed);
        report.requests_total = sum(&self.shared.total);
    }
}

impl Shared {
    fn series_of<'a>(&self, service: &'a str) -> &'a str {
        if service.is_empty() {
            return UNKNOWN;
        }
        if service.len() > MOST_NAME_BYTES {
            return OTHER;
        }
        let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        if services.contains(service) {
            return service;
        }
        if services.len() == MOST_SERVICES {
            return OTHER;
        }
        services.insert(service.to_owned());
        service
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::TextEncoder;

    #[test]
    fn requests_are_counted_by_service_and_summed_up_in_reports() {
        let registry = Registry::new();
        let counts = RequestCounts::register(&registry).unwrap();
        let mut report = LoadReport::new("a", 1, 10_000, 1000.0);
        counts.put_into(&mut report);
        assert_eq!((report.requests_total, report.requests_failed_total), (Some(0), Some(0)));
        counts.count("shop", 5, 2);
        counts.clone().count("", 1, 0);
        counts.put_into(&mut report);
        assert_eq!((report.requests_total, report.requests_failed_total), (Some(6), Some(2)));
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            "edge_requests_total{service=\"shop\"} 5",
            "edge_requests_failed_total{service=\"shop\"} 2",
            "edge_requests_total{service=\"unknown_service\"} 1",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(matches!(RequestCounts::register(&registry), Err(ProducerError::Metrics(_))));
    }

    #[test]
    fn the_number_of_services_is_bounded_and_nothing_is_lost() {
        let registry = Registry::new();
        let counts = RequestCounts::register(&registry).unwrap();
        (0..1_000).for_each(|n| counts.count(&format!("service-{n}"), 1, 1));
        counts.count(&"x".repeat(MOST_NAME_BYTES + 1), 1, 0);
        counts.count("service-7", 1, 0);
        let families = registry.gather();
        let total = families.iter().find(|family| family.name() == "edge_requests_total").unwrap();
        assert_eq!(total.get_metric().len(), MOST_SERVICES + 1);
        let value = |service: &str| {
            let of_service = |m: &&prometheus::proto::Metric| m.get_label().iter().any(|l| l.value() == service);
            total.get_metric().iter().find(of_service).unwrap().get_counter().get_value()
        };
        assert_eq!((value(OTHER), value("service-7")), (901.0, 2.0));
    }
}
