//! Requests of the services beside this agent: admitted by the quota, counted, and reported.
//!
//! ```text
//! HTTP, Envoy ─ ask ─> Gate ─┬─> counts (or the spans of the services do) ─> /metrics, report
//!                            └─> demand ─> load of the report
//! ```
//!
//! A request is counted in one place only, so never twice.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use tidegate_broker::{Registry, Stop};
use tidegate_gateway::rls;
use tidegate_producers::admission::{Admission, AdmissionMetrics, Demand, Gate, RequestCounts};
use tidegate_producers::edge::Usage;
use tidegate_schemas::records::LoadReport;

use crate::config::{CountBy, Edge, LoadOf};
use crate::exit::{self, failure};
use crate::{admit_http, http};

/// How long unused quota is saved up, if nothing else is said.
const BURST: Duration = Duration::from_secs(1);

/// What the agent knows of requests.
pub(in crate::commands) struct Requests {
    gate: Option<Arc<Gate>>,
    counts: Option<RequestCounts>,
    by: Option<CountBy>,
    demand: Option<Demand>,
}

/// The base quota, and whether its unit was chosen by the operator.
#[derive(Debug, Clone, Copy)]
pub(in crate::commands) struct Base {
    pub(in crate::commands) quota: f64,
    pub(in crate::commands) is_given: bool,
}

impl Requests {
    /// By the settings; what does not fit together is said.
    pub(in crate::commands) fn new(edge: &Edge, base: Base, registry: &Registry) -> anyhow::Result<Self> {
        let admits = edge.admit_listen.is_some() || edge.admit_grpc_listen.is_some();
        let by = count_by(edge, admits)?;
        let counts = by.map(|_| RequestCounts::register(registry)).transpose()?;
        let load = edge.load.unwrap_or(if admits && edge.cgroup.is_none() { LoadOf::Requests } else { LoadOf::Host });
        if !admits {
            if edge.admit.is_some() || edge.admit_burst_ms.is_some() || load == LoadOf::Requests {
                let said = "nobody can ask for requests: add --admit-listen or --admit-grpc-listen, or leave --admit, \
                            --admit-burst and --load requests out";
                return Err(failure(exit::CONFIG, said));
            }
            return Ok(Self { gate: None, counts, by, demand: None });
        }
        let rate = base_rate(edge, base)?;
        let window = edge.admit_burst_ms.map_or(BURST, Duration::from_millis);
        let admission = Admission::new(rate / base.quota, window);
        let own_counts = counts.clone().filter(|_| by == Some(CountBy::Admission));
        let gate = Arc::new(Gate::new(admission, own_counts, AdmissionMetrics::register(registry)?));
        let demand = (load == LoadOf::Requests).then(|| Demand::new(rate, gate.now()));
        Ok(Self { gate: Some(gate), counts, by, demand })
    }

    /// Where the quota in force is to be told.
    pub(super) fn gate(&self) -> Option<Arc<Gate>> {
        self.gate.clone()
    }

    /// Where server spans are to be counted.
    pub(super) fn counts_of_spans(&self) -> Option<RequestCounts> {
        self.counts.clone().filter(|_| self.by == Some(CountBy::Spans))
    }

    /// Serves the gate where addresses are given for it.
    pub(super) fn serve(&self, edge: &Edge, stop: &Stop) -> anyhow::Result<()> {
        let Some(gate) = &self.gate else { return Ok(()) };
        if let Some(address) = &edge.admit_listen {
            let listener = bind(address, edge.plain_text_anywhere)?;
            let at = http::serve_on(listener, admit_http::router(Arc::clone(gate)), stop)?;
            tracing::info!("requests are admitted at http://{at}/v1/admit");
        }
        if let Some(address) = &edge.admit_grpc_listen {
            let listener = bind(address, edge.plain_text_anywhere)?;
            let at = listener.local_addr()?;
            rls::serve(listener, Arc::clone(gate), stop)?;
            tracing::info!("requests are admitted by Envoy's rate limit service at {at}");
        }
        Ok(())
    }

    /// Where the load is that of requests, it stands for CPU and memory of the host.
    pub(super) fn measure(&mut self, usage: &mut Usage) {
        if let (Some(demand), Some(gate)) = (&mut self.demand, &self.gate) {
            usage.cpu = demand.load(gate.asked(), gate.now());
            usage.memory = None;
        }
    }

    /// Puts the counters into a report.
    pub(super) fn put_into(&self, report: &mut LoadReport) {
        if let Some(counts) = &self.counts {
            counts.put_into(report);
        }
    }
}

fn count_by(edge: &Edge, admits: bool) -> anyhow::Result<Option<CountBy>> {
    let takes_spans = edge.takes_spans();
    match edge.count {
        Some(CountBy::Admission) if !admits => {
            Err(failure(exit::CONFIG, "--count admission wants --admit-listen or --admit-grpc-listen"))
        }
        Some(CountBy::Spans) if !takes_spans => {
            Err(failure(exit::CONFIG, "--count spans wants --otlp-listen or --otlp-grpc-listen"))
        }
        Some(by) => Ok(Some(by)),
        None if admits => Ok(Some(CountBy::Admission)),
        None => Ok(takes_spans.then_some(CountBy::Spans)),
    }
}

fn base_rate(edge: &Edge, base: Base) -> anyhow::Result<f64> {
    match edge.admit {
        Some(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        Some(rate) => Err(failure(exit::CONFIG, format!("--admit must be a finite number above 0, not {rate}"))),
        None if base.is_given => Ok(base.quota),
        None => Err(failure(
            exit::CONFIG,
            "how many requests/s does the base quota admit? Say it by --admit RATE, or count the quota in requests/s by \
             --base-quota RATE",
        )),
    }
}

/// Whoever can ask can use the quota up, so other machines are served only where that is asked for.
fn bind(address: &str, anywhere: bool) -> anyhow::Result<TcpListener> {
    let listener = http::bind(address)?;
    let at = listener.local_addr()?;
    if at.ip().is_loopback() || anywhere {
        return Ok(listener);
    }
    let said = format!("{at} can be reached by other machines, and whoever reaches it can use the quota up");
    Err(failure(exit::CONFIG, format!("{said}: listen on 127.0.0.1, or add --plain-text-anywhere")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: Base = Base { quota: 100.0, is_given: true };
    const HOST: Base = Base { quota: 2_000.0, is_given: false };

    fn edge(text: &str) -> Edge {
        toml::from_str(text).unwrap()
    }

    fn refused(text: &str, base: Base) -> String {
        Requests::new(&edge(text), base, &Registry::new()).err().unwrap().to_string()
    }

    #[test]
    fn what_does_not_fit_together_is_said() {
        assert!(refused("admit_listen = 'a'", HOST).starts_with("how many requests/s does the base quota admit?"));
        assert!(refused("admit_listen = 'a'\nadmit = 0.0", HOST).contains("above 0, not 0"));
        assert!(refused("admit_listen = 'a'\nadmit = nan", GIVEN).contains("above 0, not NaN"));
        assert!(refused("admit = 5.0", GIVEN).starts_with("nobody can ask for requests"));
        assert!(refused("load = 'requests'", GIVEN).starts_with("nobody can ask for requests"));
        assert!(refused("count = 'spans'\nadmit_listen = 'a'", GIVEN).contains("wants --otlp-listen"));
        assert!(refused("count = 'admission'\notlp_listen = 'a'", GIVEN).contains("wants --admit-listen"));
        let said = bind("0.0.0.0:0", false).unwrap_err().to_string();
        assert!(said.contains("add --plain-text-anywhere"), "{said}");
        assert!(bind("0.0.0.0:0", true).is_ok());
    }

    #[test]
    fn the_load_is_what_the_quota_limits_and_requests_are_counted_once() {
        let of = |text: &str| {
            let requests = Requests::new(&edge(text), GIVEN, &Registry::new()).unwrap();
            let spans = requests.counts_of_spans().is_some();
            (requests.gate.is_some(), requests.counts.is_some(), spans, requests.demand.is_some())
        };
        assert_eq!(of(""), (false, false, false, false));
        assert_eq!(of("otlp_listen = 'a'"), (false, true, true, false));
        assert_eq!(of("otlp_grpc_listen = 'a'"), (false, true, true, false));
        assert_eq!(of("admit_listen = 'a'\notlp_listen = 'b'"), (true, true, false, true));
        assert_eq!(of("admit_grpc_listen = 'a'\notlp_listen = 'b'\ncount = 'spans'"), (true, true, true, true));
        assert_eq!(of("admit_listen = 'a'\nload = 'host'"), (true, true, false, false));
        assert_eq!(of("admit_listen = 'a'\ncgroup = '/c'"), (true, true, false, false));
    }

    #[test]
    fn demand_stands_for_the_load_of_the_host() {
        let mut requests = Requests::new(&edge("admit_listen = 'a'"), GIVEN, &Registry::new()).unwrap();
        (0..7).for_each(|_| assert!(!requests.gate().unwrap().ask("shop", 1).admitted, "no quota yet"));
        std::thread::sleep(Duration::from_millis(5));
        let mut usage = Usage { cpu: Some(0.2), memory: Some(0.3), net_in: Some(1.0), ..Usage::default() };
        requests.measure(&mut usage);
        assert!(usage.cpu.is_some_and(|load| load > 0.0 && load <= 14.0), "{usage:?}");
        assert_eq!((usage.memory, usage.net_in), (None, Some(1.0)));
        let mut report = LoadReport::new("a", 1, 10_000, 100.0);
        requests.put_into(&mut report);
        assert_eq!((report.requests_total, report.requests_failed_total), (Some(7), Some(7)));
    }
}
