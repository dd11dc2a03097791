//! Flags of the agent in groups, and how they are laid over the settings file.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{CountBy, Edge, LoadOf};

/// What the agent and its gateways show each other.
#[derive(Debug, clap::Args)]
pub(super) struct Proof {
    /// PEM file of the authorities that gateways' certificates must come from; read at each connection, as the next three
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CA", help_heading = "Security")]
    ca: Option<PathBuf>,
    /// PEM file of this edge's certificate, its chain behind it
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CERT", help_heading = "Security")]
    cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(long, value_name = "FILE", env = "TIDEGATE_KEY", help_heading = "Security")]
    key: Option<PathBuf>,
    /// File that holds this edge's bearer token
    #[arg(long, value_name = "FILE", env = "TIDEGATE_TOKEN_FILE", help_heading = "Security")]
    token_file: Option<PathBuf>,
    /// Speak to gateways on other machines without TLS, and admit requests of other machines; for networks that are safe by
    /// other means
    #[arg(long, help_heading = "Security")]
    plain_text_anywhere: bool,
}

impl Proof {
    pub(super) fn lay_over(&self, edge: &mut Edge) {
        edge.ca = self.ca.clone().or(edge.ca.take());
        edge.cert = self.cert.clone().or(edge.cert.take());
        edge.key = self.key.clone().or(edge.key.take());
        edge.token_file = self.token_file.clone().or(edge.token_file.take());
        edge.plain_text_anywhere |= self.plain_text_anywhere;
    }
}

/// Where services send their spans.
#[derive(Debug, clap::Args)]
pub(super) struct TakingSpans {
    /// Take the spans of services beside this agent here, by OTLP over HTTP (their usual port is 4318)
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_OTLP_LISTEN")]
    otlp_listen: Option<String>,
    /// Take them here by OTLP over gRPC (their usual port is 4317)
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_OTLP_GRPC_LISTEN")]
    otlp_grpc_listen: Option<String>,
}

impl TakingSpans {
    pub(super) fn lay_over(&self, edge: &mut Edge) {
        edge.otlp_listen = self.otlp_listen.clone().or(edge.otlp_listen.take());
        edge.otlp_grpc_listen = self.otlp_grpc_listen.clone().or(edge.otlp_grpc_listen.take());
    }
}

/// What the quota limits, and what is counted.
#[derive(Debug, clap::Args)]
pub(super) struct Enforcing {
    /// Admit requests here over HTTP: POST /v1/admit answers 200, or 429 with Retry-After
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_ADMIT_LISTEN", help_heading = "Enforcement")]
    admit_listen: Option<String>,
    /// Admit requests here as Envoy's rate limit service v3, by gRPC
    #[arg(long, value_name = "ADDR", env = "TIDEGATE_ADMIT_GRPC_LISTEN", help_heading = "Enforcement")]
    admit_grpc_listen: Option<String>,
    /// Requests/s that the base quota admits [default: the base quota itself, where --base-quota gives it]
    #[arg(long, value_name = "RATE", env = "TIDEGATE_ADMIT", help_heading = "Enforcement")]
    admit: Option<f64>,
    /// For how long unused quota is saved up for requests that come at once [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, help_heading = "Enforcement")]
    admit_burst: Option<Duration>,
    /// What the reported load is [default: requests where they are admitted and no --cgroup is limited, else host]
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Enforcement")]
    load: Option<LoadOf>,
    /// Where requests are counted [default: admission where it is served, else spans]
    #[arg(long, value_enum, value_name = "WHERE", help_heading = "Enforcement")]
    count: Option<CountBy>,
    /// Limit this control group (v2), a folder that is there already; put back at the end. Wants --cache
    #[arg(long, value_name = "DIR", env = "TIDEGATE_CGROUP", help_heading = "Enforcement")]
    cgroup: Option<PathBuf>,
    /// Cores that the base quota stands for, in cpu.max [default: 1 for 1000 units, unless only --cgroup-memory is given]
    #[arg(long, value_name = "CORES", help_heading = "Enforcement")]
    cgroup_cpu: Option<f64>,
    /// Bytes that the base quota stands for, in memory.high; without it memory is not limited
    #[arg(long, value_name = "BYTES", help_heading = "Enforcement")]
    cgroup_memory: Option<u64>,
}

impl Enforcing {
    pub(super) fn lay_over(&self, edge: &mut Edge) {
        edge.admit_listen = self.admit_listen.clone().or(edge.admit_listen.take());
        edge.admit_grpc_listen = self.admit_grpc_listen.clone().or(edge.admit_grpc_listen.take());
        edge.admit = self.admit.or(edge.admit);
        let burst_ms = self.admit_burst.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        edge.admit_burst_ms = burst_ms.or(edge.admit_burst_ms);
        edge.load = self.load.or(edge.load);
        edge.count = self.count.or(edge.count);
        edge.cgroup = self.cgroup.clone().or(edge.cgroup.take());
        edge.cgroup_cpu = self.cgroup_cpu.or(edge.cgroup_cpu);
        edge.cgroup_memory = self.cgroup_memory.or(edge.cgroup_memory);
    }
}
