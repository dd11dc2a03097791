//! Which metrics each work shows.

use tidegate_broker::https::Authorities;
use tidegate_broker::{Metrics, Registry};
use tidegate_sinks::alertmanager::Alertmanagers;
use tidegate_sinks::export::ExportMetrics;
use tidegate_stages::{Firing, ForecastErrors, QuotaMetrics};

use super::Work;

/// The metrics of the driver round some work.
pub(super) fn of_driver(registry: &Registry, work: Work) -> anyhow::Result<Metrics> {
    let name = work.name();
    let metrics = Metrics::new(registry, name)?;
    Ok(match work {
        Work::Forecast => {
            let by_state = [
                "tidegate_forecasts_total",
                "Forecasts published, by the node's state: WARMING, READY, DEMOTED.",
                "state",
            ];
            metrics.counting(registry, name, by_state)?
        }
        Work::Alerts => {
            let by_status = ["tidegate_alerts_total", "Alerts published: FIRING, RESOLVED.", "status"];
            metrics.counting(registry, name, by_status)?
        }
        Work::Quota | Work::Deliver | Work::Alertmanager | Work::Export => metrics,
    })
}

/// Registers all metrics that some work may show, for those who describe them.
pub(crate) fn describe(work: Work, registry: &Registry) -> anyhow::Result<()> {
    of_driver(registry, work)?;
    match work {
        Work::Forecast => drop(ForecastErrors::register(registry)?),
        Work::Quota => drop(QuotaMetrics::register(registry)?),
        Work::Alerts => drop(Firing::new(registry)?),
        Work::Alertmanager => {
            drop(Alertmanagers::new(&["http://localhost:9093".to_owned()], None, &Authorities::default(), registry)?)
        }
        Work::Export => drop(ExportMetrics::register(registry)?),
        Work::Deliver => {}
    }
    Ok(())
}
