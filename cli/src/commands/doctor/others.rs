//! Whether the others answer that tidegate asks or sends to: registry, Alertmanagers, OTLP backend, webhook, gateways.

use std::time::Duration;

use tidegate_broker::{KafkaSettings, Stop};
use tidegate_schemas::Topic;

use super::brokers::connect;
use super::finding::Finding;
use crate::config::{ExportProtocol, Settings};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn check(settings: &Settings, kafka: &KafkaSettings) -> Vec<Finding> {
    let mut found = vec![registry(settings, kafka)];
    for url in settings.alerts.alertmanagers() {
        found.push(by_http(settings, "alertmanager", &url, &format!("{}/-/ready", url.trim_end_matches('/'))));
    }
    if let Some(url) = &settings.export.otlp {
        found.push(match settings.export.protocol {
            Some(ExportProtocol::Grpc) => by_tcp("otlp", url),
            _ => by_http(settings, "otlp", url, url),
        });
    }
    if let Some(url) = &settings.deliver.webhook {
        found.push(by_http(settings, "webhook", url, url));
    }
    let gateways = settings.edge.gateway.as_deref().unwrap_or_default();
    found.extend(gateways.split(',').map(str::trim).filter(|url| !url.is_empty()).map(|url| by_tcp("gateway", url)));
    found
}

fn registry(settings: &Settings, kafka: &KafkaSettings) -> Finding {
    let Some(registry) = settings.registry(kafka, &Stop::default()) else {
        return Finding::skipped("registry", "none is set: schema ids are the catalogue's own");
    };
    Finding::of("registry", registry.subjects_known().map_err(Into::into), |known| {
        let all = Topic::ALL.len();
        format!("it answers, and has {known} of our {all} subjects; the others come with their first record")
    })
}

/// Any answer will do: that of a probe says little about what else it answers.
fn by_http(settings: &Settings, check: &'static str, shown: &str, url: &str) -> Finding {
    match settings.authorities.status_of(url, PATIENCE) {
        Ok(status) => Finding::ok(check, format!("{shown} answers (status {status})")),
        Err(why) => Finding::wrong(check, format!("{shown} does not answer: {why}")),
    }
}

fn by_tcp(check: &'static str, url: &str) -> Finding {
    match host_and_port(url).ok_or_else(|| std::io::Error::other("it names no port")).and_then(|at| connect(&at)) {
        Ok(()) => Finding::ok(check, format!("{url} can be reached")),
        Err(why) => Finding::wrong(check, format!("{url} cannot be reached: {why}")),
    }
}

/// `HOST:PORT` of a URL.
fn host_and_port(url: &str) -> Option<String> {
    let url: axum::http::Uri = url.parse().ok()?;
    Some(format!("{}:{}", url.host()?, url.port_u16()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_reached_at_its_host_and_port() {
        let at = |url: &str| host_and_port(url);
        assert_eq!(at("http://localhost:4317").as_deref(), Some("localhost:4317"));
        assert_eq!(at("https://[::1]:4317/v1").as_deref(), Some("[::1]:4317"));
        assert_eq!((at("http://localhost"), at("localhost")), (None, None));
    }

    #[test]
    fn who_does_not_answer_is_named() {
        // Nobody listens at port 1 of the loopback.
        let said = by_tcp("otlp", "http://127.0.0.1:1").to_string();
        assert!(said.starts_with("wrong    otlp         http://127.0.0.1:1 cannot be reached: "), "{said}");
        let settings = Settings::default();
        let said = by_http(&settings, "webhook", "http://127.0.0.1:1/hook", "http://127.0.0.1:1/hook").to_string();
        assert!(said.contains("http://127.0.0.1:1/hook does not answer"), "{said}");
    }
}
