//! The certificates in files that the settings name: whether they can be read, and how long they are good for.

use std::path::{Path, PathBuf};

use tidegate_broker::KafkaSettings;
use x509_parser::pem::Pem;

use super::finding::{Finding, ago};
use crate::config::Settings;

const CHECK: &str = "certificate";
/// So long before the end somebody should look: 30 days, ms.
const SOON_MS: i64 = 30 * 86_400_000;
/// Keys of the client library that name PEM files of certificates.
const KAFKA: [&str; 2] = ["ssl.ca.location", "ssl.certificate.location"];

/// From when and until when a certificate is good, ms since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Validity {
    from: i64,
    until: i64,
}

pub(super) fn check(settings: &Settings, kafka: &KafkaSettings, now: i64) -> Vec<Finding> {
    files(settings, kafka).iter().map(|path| judge(path, read(path), now)).collect()
}

fn files(settings: &Settings, kafka: &KafkaSettings) -> Vec<PathBuf> {
    let (gateway, edge) = (&settings.gateway, &settings.edge);
    let named = [&settings.https_ca, &gateway.tls_cert, &gateway.client_ca, &edge.ca, &edge.cert];
    let of_kafka = KAFKA.iter().filter_map(|key| kafka.extra.get(*key));
    // The library takes folders, too; it is left to it what is in them.
    let of_kafka = of_kafka.map(PathBuf::from).filter(|path| !path.is_dir());
    let mut files: Vec<PathBuf> = named.into_iter().flatten().cloned().chain(of_kafka).collect();
    files.sort();
    files.dedup();
    files
}

/// Every certificate of a PEM file.
fn read(path: &Path) -> anyhow::Result<Vec<Validity>> {
    let bytes = std::fs::read(path)?;
    let mut found = Vec::new();
    for block in Pem::iter_from_buffer(&bytes) {
        let block = block?;
        if block.label != "CERTIFICATE" {
            continue;
        }
        let certificate = block.parse_x509()?;
        let ms = |seconds: i64| seconds.saturating_mul(1000);
        let validity = certificate.validity();
        found.push(Validity { from: ms(validity.not_before.timestamp()), until: ms(validity.not_after.timestamp()) });
    }
    anyhow::ensure!(!found.is_empty(), "it holds no certificate");
    Ok(found)
}

/// The certificate of a file that ends first tells.
fn judge(path: &Path, read: anyhow::Result<Vec<Validity>>, now: i64) -> Finding {
    let name = path.display();
    let all = match read {
        Ok(all) => all,
        Err(e) => return Finding::wrong(CHECK, format!("{name} cannot be read: {e}")),
    };
    let ends = all.iter().map(|one| one.until).min().unwrap_or(now);
    let begins = all.iter().map(|one| one.from).max().unwrap_or(now);
    if ends < now {
        let said = format!("one of {name} has expired {} ago", ago(now - ends));
        return Finding::wrong(CHECK, said).advise("renew it; tidegate reads most of them again when they change");
    }
    if begins > now {
        let said = format!("one of {name} is not good before {} from now", ago(begins - now));
        return Finding::wrong(CHECK, said).advise("look at this machine's clock");
    }
    let said = format!("{name} is good for {}", ago(ends - now));
    if ends - now < SOON_MS { Finding::warning(CHECK, said).advise("renew it") } else { Finding::ok(CHECK, said) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::State;

    const DAY: i64 = 86_400_000;

    #[test]
    fn the_one_that_ends_first_tells() {
        let state = |spans: &[(i64, i64)]| {
            let all = spans.iter().map(|(from, until)| Validity { from: from * DAY, until: until * DAY }).collect();
            judge(Path::new("a.pem"), Ok(all), 100 * DAY).state
        };
        assert_eq!(state(&[(0, 200)]), State::Ok);
        assert_eq!(state(&[(0, 200), (0, 129)]), State::Warning);
        assert_eq!(state(&[(0, 200), (0, 99)]), State::Wrong);
        assert_eq!(state(&[(101, 200)]), State::Wrong);
        let said = judge(Path::new("a.pem"), Ok(vec![Validity { from: 0, until: 97 * DAY }]), 100 * DAY).said;
        assert_eq!(said, "one of a.pem has expired 3 days ago");
    }

    #[test]
    fn what_is_no_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.pem");
        let said = |text: &str| {
            std::fs::write(&file, text).unwrap();
            judge(Path::new("a.pem"), read(&file), 0).said
        };
        assert_eq!(said("none"), "a.pem cannot be read: it holds no certificate");
        assert!(said("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").contains("cannot be read"));
        assert_eq!(judge(Path::new("b.pem"), read(&folder.path().join("b.pem")), 0).state, State::Wrong);
    }
}
