//! Whether the others answer that tidegate asks or sends to: registry, Alertmanagers, OTLP backend, webhook, gateways.

use std::time::Duration;

use tidegate_broker::{KafkaSettings, Stop};

use super::brokers::connect;
use super::finding::Finding;
use crate::config::{ExportProtocol, Settings};

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn check(settings: &Settings, kafka: &KafkaSettings) -> Vec<Finding> {
    let mut found = vec![registry(settings, kafka)];
    for url in settings.alerts.alertmanagers() {
        let base = url.trim_end_matches('/').trim_end_matches("/api/v2/alerts").trim_end_matches('/');
        found.push(by_http(settings, "alertmanager", &url, &format!("{base}/-/ready")));
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
    let gateways = settings.edge.gateways().unwrap_or_default();
    found.extend(gateways.split(',').map(str::trim).filter(|url| !url.is_empty()).map(|url| by_tcp("edge", url)));
    found
}

fn registry(settings: &Settings, kafka: &KafkaSettings) -> Finding {
    let Some(registry) = settings.registry(kafka, &Stop::default()) else {
        return Finding::skipped("registry", "none is set: schema ids are the catalogue's own");
    };
    Finding::of("registry", registry.subjects_known().map_err(Into::into), |(known, all)| {
        format!("it answers, and has {known} of our {all} subjects; one that it lacks comes with its first record")
    })
}

fn by_http(settings: &Settings, check: &'static str, shown: &str, url: &str) -> Finding {
    match settings.authorities.status_of(url, PATIENCE) {
        Ok(status) => judge(check, shown, status),
        Err(why) => Finding::wrong(check, format!("{shown} does not answer: {why}")),
    }
}

/// Any answer to a HEAD will do, but that of a server or proxy that has nobody behind it. 501: it knows no HEAD.
fn judge(check: &'static str, shown: &str, status: u16) -> Finding {
    let said = format!("{shown} answers (status {status})");
    if status >= 500 && status != 501 {
        return Finding::warning(check, said).advise("look at what stands behind that address");
    }
    Finding::ok(check, said)
}

fn by_tcp(check: &'static str, url: &str) -> Finding {
    match host_and_port(url).ok_or_else(|| std::io::Error::other("it is no address")).and_then(|at| connect(&at)) {
        Ok(()) => Finding::ok(check, format!("{url} can be reached")),
        Err(why) => Finding::wrong(check, format!("{url} cannot be reached: {why}")),
    }
}

/// `HOST:PORT` of a URL; the port is its scheme's where it names none.
fn host_and_port(url: &str) -> Option<String> {
    let url: axum::http::Uri = url.parse().ok()?;
    let of_scheme = match url.scheme_str()? {
        "https" => 443,
        _ => 80,
    };
    Some(format!("{}:{}", url.host()?, url.port_u16().unwrap_or(of_scheme)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::State;

    #[test]
    fn a_url_is_reached_at_its_host_and_port() {
        let at = |url: &str| host_and_port(url);
        assert_eq!(at("http://localhost:4317").as_deref(), Some("localhost:4317"));
        assert_eq!(at("https://[::1]:4317/v1").as_deref(), Some("[::1]:4317"));
        assert_eq!(at("https://localhost").as_deref(), Some("localhost:443"));
        assert_eq!((at("localhost"), at("")), (None, None));
    }

    #[test]
    fn an_answer_is_one_unless_a_server_has_nobody_behind_it() {
        let state = |status| judge("webhook", "http://a", status).state;
        assert_eq!([200, 404, 405, 501].map(state), [State::Ok; 4]);
        assert_eq!([500, 503].map(state), [State::Warning; 2]);
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
