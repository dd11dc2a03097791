//! `tidegate edge`: the agent beside a workload.
//!
//! ```text
//! host counters, requests ─> report, every interval ─┬─> centre (own threads): Kafka, or a gateway
//!                                                    └─> keeper ─> quota file, cache, log, metrics
//! centre ─> commands ───────────────────────────────────^   │
//!                                                           └─> enforcement: requests, control group, command on change
//! ```

mod centre;
pub(super) mod enforcement;
mod flags;
mod follow;
mod keeper;
mod on_change;
mod reporting;
pub(super) mod requests;
mod rounds;
mod spans;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidegate_broker::Registry;
use tidegate_producers::edge::{
    CacheFile, EdgeMetrics, EdgeState, Identity, LocalPolicy, QuotaFile, Reporter, Sampler,
};

use crate::args::{Common, MetricsFlag, TraceFlag};
use crate::config::Settings;
use crate::exit::{self, failure};
use crate::{shutdown, telemetry};

use centre::Way;
use enforcement::{Enforcement, Group};
use flags::{Enforcing, Proof, TakingSpans};
use keeper::Keeper;
use on_change::OnChange;
use requests::{Base, Requests};
use rounds::Rounds;

/// Report this host's load and apply its quotas.
///
/// CPU, memory, network and disk of this host, within the limits of its control group, as fractions of the base quota.
/// The quota in force is written to --quota-file as JSON, replaced atomically, and shows on /metrics. A command that
/// only recommends is not obeyed: the base quota holds, and the file's `quota` says so. A quota holds while its lease
/// lasts, then --local-policy decides until the centre is back; with --cache the agent starts without it, too. Where there
/// is no way to Kafka, --gateway names the gateways (`tidegate gateway`) to go through.
///
/// The quota can limit requests: with --admit-listen a service asks before each one, with --admit-grpc-listen Envoy does. The
/// load reported is then what was asked for, denied requests included, so that the quota rises with the demand. It can
/// limit a control group, too (--cgroup), and run a command on each change (--on-change).
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tidegate edge --node-id edge-1 --quota-file quota.json
  tidegate edge --node-id shop-1 --base-quota 200 --admit-listen 127.0.0.1:4700
      and the service asks: curl -i -X POST '127.0.0.1:4700/v1/admit?service=shop'
  tidegate edge --node-id batch-1 --cache batch-1.json --cgroup /sys/fs/cgroup/batch")]
pub(crate) struct Edge {
    /// Name of this node
    #[arg(long, value_name = "ID", env = "TIDEGATE_NODE_ID")]
    node_id: String,
    /// Pool that the node shares capacity with
    #[arg(long, default_value = "", env = "TIDEGATE_POOL")]
    pool: String,
    /// Gateways to report to instead of Kafka; the next one is tried when one fails
    #[arg(long, value_name = "http(s)://HOST:PORT,…", env = "TIDEGATE_GATEWAY")]
    gateway: Option<String>,
    /// Keep reports here while no gateway answers; without it, the newest 360 are kept in memory
    #[arg(long, value_name = "DIR", env = "TIDEGATE_SPOOL")]
    spool: Option<PathBuf>,
    /// Bytes of the reports kept there at most; the oldest are dropped first [default: 16 MiB]
    #[arg(long, value_name = "BYTES", requires = "spool")]
    spool_bytes: Option<u64>,
    /// Age of the reports kept there at most [default: 24h]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, requires = "spool")]
    spool_age: Option<Duration>,
    #[command(flatten)]
    proof: Proof,
    /// What the whole host counts as, in resource units [default: its millicores]
    #[arg(long, value_name = "UNITS")]
    base_quota: Option<f64>,
    /// Time between reports
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "10s")]
    interval: Duration,
    /// Write the newest quota command here; its `quota` is what to obey
    #[arg(long, value_name = "FILE")]
    quota_file: Option<PathBuf>,
    /// What holds once a lease is over: hold (the last quota), base (the base quota) or local (the threshold formula on
    /// what this host measures, within the bounds of [quota]) [default: base]
    #[arg(long, value_name = "POLICY", env = "TIDEGATE_LOCAL_POLICY")]
    local_policy: Option<LocalPolicy>,
    /// Keep the command, its lease and the quota in force here, and start from it while the centre is away
    #[arg(long, value_name = "FILE", env = "TIDEGATE_EDGE_CACHE")]
    cache: Option<PathBuf>,
    /// Run this by `sh -c` at the start and on each change of the quota in force; it finds TIDEGATE_QUOTA, TIDEGATE_SOURCE
    /// and TIDEGATE_NODE_ID in its environment
    #[arg(long, value_name = "COMMAND", env = "TIDEGATE_ON_CHANGE")]
    on_change: Option<String>,
    #[command(flatten)]
    taking_spans: TakingSpans,
    #[command(flatten)]
    enforcing: Enforcing,
    #[command(flatten)]
    trace: TraceFlag,
    #[command(flatten)]
    metrics: MetricsFlag,
}

impl Edge {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        if self.interval < Duration::from_secs(1) {
            return Err(failure(exit::USAGE, "the interval must be at least 1s"));
        }
        let settings = self.settings(common)?;
        let sampler = Sampler::new()?;
        let base_quota = self.base_quota.unwrap_or_else(|| sampler.capacity().millicores());
        let reporter = Reporter::new(Identity {
            node_id: self.node_id.clone(),
            pool: self.pool.clone(),
            base_quota,
            interval_ms: i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX),
        })?;
        let registry = Registry::new();
        let base = Base { quota: base_quota, is_given: self.base_quota.is_some() };
        let requests = Requests::new(&settings.edge, base, &registry)?;
        let keeper = Arc::new(self.keeper(&settings, base_quota, &registry, &requests)?);
        let rounds = Rounds { sampler, reporter, requests, interval: self.interval };
        let ended = self.serve(&settings, &registry, rounds, &keeper);
        // However it ended: what was limited is put back.
        keeper.finish();
        ended
    }

    fn serve(
        &self,
        settings: &Settings,
        registry: &Registry,
        rounds: Rounds,
        keeper: &Arc<Keeper>,
    ) -> anyhow::Result<()> {
        let stop = shutdown::on_signals()?;
        let way = Way::of(settings, &self.node_id, keeper.restored())?;
        telemetry::serve(
            self.metrics.metrics_listen.as_ref().or(settings.metrics_listen.as_ref()),
            registry.clone(),
            Arc::new(|| true),
            &stop,
        )?;
        keeper.begin();
        rounds.requests.serve(&settings.edge, &stop)?;
        let centre = way.open(settings, Arc::clone(keeper), &self.node_id, registry, &stop)?;
        spans::serve(settings, &centre, rounds.requests.counts_of_spans(), registry, &stop)?;
        let own_spans = spans::own(settings, &centre, registry, &stop)?;
        let base_quota = rounds.reporter.base_quota();
        tracing::info!(node = self.node_id, base_quota, "reporting every {:?}", self.interval);
        rounds.go_on(keeper, &centre, &stop);
        drop(own_spans);
        centre.finish()
    }

    /// The file's settings with this command's flags laid over them.
    pub(super) fn settings(&self, common: &Common) -> anyhow::Result<Settings> {
        let mut settings = Settings::load(common)?;
        self.trace.lay_over(&mut settings.trace);
        let edge = &mut settings.edge;
        edge.gateway = self.gateway.clone().or(edge.gateway.take());
        edge.spool = self.spool.clone().or(edge.spool.take());
        edge.spool_bytes = self.spool_bytes.or(edge.spool_bytes);
        edge.spool_age_s = self.spool_age.map(|age| age.as_secs()).or(edge.spool_age_s);
        self.proof.lay_over(edge);
        self.enforcing.lay_over(edge);
        edge.local_policy = self.local_policy.or(edge.local_policy);
        edge.cache = self.cache.clone().or(edge.cache.take());
        self.taking_spans.lay_over(edge);
        edge.on_change = self.on_change.clone().or(edge.on_change.take());
        Ok(settings)
    }

    fn keeper(
        &self,
        settings: &Settings,
        base_quota: f64,
        registry: &Registry,
        requests: &Requests,
    ) -> anyhow::Result<Keeper> {
        let edge = &settings.edge;
        let state = EdgeState::new(&self.node_id, base_quota)
            .with_policy(edge.local_policy.unwrap_or_default(), settings.quota()?);
        let metrics = EdgeMetrics::register(registry)?;
        let on_change = match edge.on_change.as_deref().filter(|command| !command.is_empty()) {
            Some(command) => Some(OnChange::start(command, &self.node_id, metrics.clone())?),
            None => None,
        };
        let file = self.quota_file.as_deref().map(QuotaFile::new).transpose()?;
        let cache = edge.cache.as_deref().map(CacheFile::new).transpose()?;
        let group = Group::of(edge, base_quota)?;
        Ok(Keeper::new(state, metrics, file, cache, Enforcement { gate: requests.gate(), group, on_change }))
    }
}
