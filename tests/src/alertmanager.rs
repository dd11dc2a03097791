//! A real Alertmanager on a port of its own: started, asked over its API, gone when dropped.

#![expect(clippy::unwrap_used, reason = "test support: a panic is the report")]

use std::path::Path;

use serde_json::Value;

use crate::debian;
use crate::ports::free_port;
use crate::process::{Guarded, PATIENCE, wait_until};

/// Groups by rule and pool, and notifies nobody.
const CONFIG: &str = "
route:
  receiver: nobody
  group_by: [alertname, pool]
  group_wait: 1s
receivers:
  - name: nobody
";

/// A running Alertmanager.
#[derive(Debug)]
pub struct Alertmanager {
    port: u16,
    guard: Guarded,
}

impl Alertmanager {
    /// Starts one on any free port; `None` where this machine can not have it (the test is skipped).
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_at(free_port().unwrap())
    }

    /// As [`Alertmanager::start`], on this port.
    ///
    /// # Panics
    /// Where it does not start.
    #[must_use]
    pub fn start_at(port: u16) -> Option<Self> {
        let (program, templates) = debian::alertmanager()?;
        let folder = tempfile::tempdir().unwrap().keep();
        let config = folder.join("alertmanager.yml");
        std::fs::write(&config, CONFIG).unwrap();
        let text = |path: &Path| path.display().to_string();
        let enter = ["sh", "-c", "cd \"$0\" && exec \"$@\""].map(str::to_owned);
        let flags = [
            text(&templates),
            text(&program),
            format!("--config.file={}", text(&config)),
            format!("--storage.path={}", text(&folder.join("data"))),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--cluster.listen-address=".to_owned(),
        ];
        let guard = Guarded::start(&[&enter[..], &flags[..]].concat(), &folder, &folder.join("log")).unwrap();
        let running = Self { port, guard };
        let ready = wait_until(PATIENCE, || ureq::get(format!("{}/-/ready", running.url())).call().is_ok());
        ready.unwrap_or_else(|e| panic!("{e}\n{}", std::fs::read_to_string(running.guard.log()).unwrap_or_default()));
        Some(running)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What its API answers at a path below `/api/v2/`.
    ///
    /// # Panics
    /// Where it does not answer JSON.
    #[must_use]
    pub fn get(&self, path: &str) -> Value {
        let text =
            ureq::get(format!("{}/api/v2/{path}", self.url())).call().unwrap().body_mut().read_to_string().unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Silences the alerts that have this label.
    ///
    /// # Panics
    /// Where it refuses.
    pub fn silence(&self, name: &str, value: &str) {
        let silence = serde_json::json!({
            "matchers": [{ "name": name, "value": value, "isRegex": false }],
            "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "test", "comment": "test",
        });
        let sent = ureq::post(format!("{}/api/v2/silences", self.url()))
            .content_type("application/json")
            .send(silence.to_string());
        drop(sent.unwrap());
    }
}
