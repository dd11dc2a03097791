//! The certificates in files that the settings name: whether they can be read, and how long they are good for.

use std::path::{Path, PathBuf};

use tidegate_broker::KafkaSettings;
use x509_parser::pem::Pem;

use super::finding::{Finding, ago};
use crate::config::Settings;

const CHECK: &str = "certificate";
/// So long before the end somebody should look: 30 days, ms.
const SOON_MS: i64 = 30 * 86_400_000;
/// A file of more authorities than this is a system's: single ones that end there are nobody's concern.
const OWN_AUTHORITIES: usize = 8;

/// What the certificates of a file are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// They are shown to others: each must be good.
    Shown,
    /// Others' are held against them: one that is good may do.
    Authorities,
}

/// A certificate: whose it is, from when and until when it is good, ms since the epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Certificate {
    subject: String,
    from: i64,
    until: i64,
}

pub(super) fn check(settings: &Settings, kafka: &KafkaSettings, now: i64) -> Vec<Finding> {
    files(settings, kafka).iter().map(|(path, of)| judge(path, *of, read(path), now)).collect()
}

fn files(settings: &Settings, kafka: &KafkaSettings) -> Vec<(PathBuf, Use)> {
    let (gateway, edge) = (&settings.gateway, &settings.edge);
    // The client library takes folders and `probe`, too; it is left to it what comes of them.
    let of_kafka =
        |key: &str| kafka.extra.get(key).map(PathBuf::from).filter(|path| path.is_file() || path.is_absolute());
    let shown = [gateway.tls_cert.clone(), edge.cert.clone(), of_kafka("ssl.certificate.location")];
    let authorities =
        [settings.https_ca.clone(), gateway.client_ca.clone(), edge.ca.clone(), of_kafka("ssl.ca.location")];
    let shown = shown.into_iter().flatten().map(|path| (path, Use::Shown));
    let authorities = authorities.into_iter().flatten().map(|path| (path, Use::Authorities));
    let mut files: Vec<_> = shown.chain(authorities).filter(|(path, _)| !path.is_dir()).collect();
    files.sort();
    files.dedup();
    files
}

/// Every certificate of a PEM file.
fn read(path: &Path) -> anyhow::Result<Vec<Certificate>> {
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
        found.push(Certificate {
            subject: certificate.subject().to_string(),
            from: ms(validity.not_before.timestamp()),
            until: ms(validity.not_after.timestamp()),
        });
    }
    anyhow::ensure!(!found.is_empty(), "it holds no certificate");
    Ok(found)
}

fn judge(path: &Path, of: Use, read: anyhow::Result<Vec<Certificate>>, now: i64) -> Finding {
    let name = path.display();
    let all = match read {
        Ok(all) => all,
        Err(e) => return Finding::wrong(CHECK, format!("{name} cannot be read: {e}")),
    };
    let left = |one: &Certificate| if one.from > now { -1 } else { one.until.saturating_sub(now) };
    let (shortest, longest) = (all.iter().min_by_key(|one| left(one)), all.iter().max_by_key(|one| left(one)));
    let (Some(shortest), Some(longest)) = (shortest, longest) else { return Finding::ok(CHECK, name.to_string()) };
    let said = |one: &Certificate| {
        let how = if one.from > now {
            format!("is not good before {} from now", ago(one.from.saturating_sub(now)))
        } else if one.until < now {
            format!("has expired {} ago", ago(now.saturating_sub(one.until)))
        } else {
            format!("is good for {}", ago(one.until.saturating_sub(now)))
        };
        format!("{name}: {} {how}", one.subject)
    };
    let decides = if of == Use::Shown { shortest } else { longest };
    if left(decides) < 0 {
        let advice = if decides.from > now { "look at this machine's clock" } else { "renew it" };
        return Finding::wrong(CHECK, said(decides)).advise(advice);
    }
    let is_watched = of == Use::Shown || all.len() <= OWN_AUTHORITIES;
    if is_watched && left(shortest) < SOON_MS {
        return Finding::warning(CHECK, said(shortest)).advise("renew it");
    }
    Finding::ok(CHECK, said(decides))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::State;

    const DAY: i64 = 86_400_000;

    fn of(spans: &[(i64, i64)]) -> Vec<Certificate> {
        let one = |(from, until): &(i64, i64)| Certificate {
            subject: format!("CN={until}"),
            from: from * DAY,
            until: until * DAY,
        };
        spans.iter().map(one).collect()
    }

    fn found(of_use: Use, spans: &[(i64, i64)]) -> Finding {
        judge(Path::new("a.pem"), of_use, Ok(of(spans)), 100 * DAY)
    }

    #[test]
    fn of_what_is_shown_each_must_be_good() {
        let state = |spans: &[(i64, i64)]| found(Use::Shown, spans).state;
        assert_eq!(state(&[(0, 200)]), State::Ok);
        assert_eq!(state(&[(0, 200), (0, 129)]), State::Warning);
        assert_eq!(state(&[(0, 200), (0, 99)]), State::Wrong);
        assert_eq!(state(&[(101, 200)]), State::Wrong);
        assert_eq!(found(Use::Shown, &[(0, 97), (0, 300)]).said, "a.pem: CN=97 has expired 3 days ago");
    }

    #[test]
    fn of_authorities_one_that_is_good_does_and_a_systems_are_left_alone() {
        let state = |spans: &[(i64, i64)]| found(Use::Authorities, spans).state;
        assert_eq!(state(&[(0, 99)]), State::Wrong);
        assert_eq!(state(&[(0, 200), (0, 99)]), State::Warning);
        assert_eq!(state(&[[(0, 99)].as_slice(), &[(0, 200); 100]].concat()), State::Ok);
    }

    #[test]
    fn what_is_no_certificate_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.pem");
        let said = |text: &str| {
            std::fs::write(&file, text).unwrap();
            judge(Path::new("a.pem"), Use::Shown, read(&file), 0).said
        };
        assert_eq!(said("none"), "a.pem cannot be read: it holds no certificate");
        assert!(said("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").contains("cannot be read"));
        assert_eq!(judge(Path::new("b.pem"), Use::Shown, read(&folder.path().join("b.pem")), 0).state, State::Wrong);
    }
}
