//! The `[alerts]` table: by which rules the stage watches, and where alerts go.

use std::path::PathBuf;

use serde::Deserialize;
use tidegate_alerts::{DEFAULT_FILE, Rules};

use crate::exit::{self, failure};

/// Name of the shipped rules in messages.
const SHIPPED: &str = "default.yml";

/// The table.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Alerts {
    /// Rule files; none: the shipped one.
    rules: Vec<PathBuf>,
    /// Addresses of Alertmanagers.
    alertmanager: Vec<String>,
    /// The live page that alerts lead to.
    pub(crate) page_url: Option<String>,
}

impl Alerts {
    /// Lays flags over the table.
    pub(crate) fn lay_over(&mut self, rules: &[PathBuf], alertmanager: Option<&str>, page_url: Option<&str>) {
        if !rules.is_empty() {
            self.rules = rules.to_vec();
        }
        if let Some(urls) = alertmanager {
            self.alertmanager = urls.split(',').map(str::to_owned).collect();
        }
        if let Some(url) = page_url {
            self.page_url = Some(url.to_owned());
        }
    }

    /// Addresses of Alertmanagers.
    pub(crate) fn alertmanagers(&self) -> Vec<String> {
        self.alertmanager.iter().map(|url| url.trim().to_owned()).filter(|url| !url.is_empty()).collect()
    }

    /// The rules, read and compiled.
    pub(crate) fn rules(&self) -> anyhow::Result<Rules> {
        if self.rules.is_empty() {
            return Ok(Rules::parse([(SHIPPED, DEFAULT_FILE)])?);
        }
        let mut files = Vec::new();
        for path in &self.rules {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|e| failure(exit::NO_INPUT, format!("the rule file {name} cannot be read: {e}")))?;
            files.push((name, text));
        }
        let named = files.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        Rules::parse(named).map_err(|e| failure(exit::CONFIG, format!("the rule file {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_table_and_the_shipped_rules_are_the_default() {
        let mut alerts: Alerts =
            toml::from_str("alertmanager = [\"http://a:9093\"]\npage_url = \"http://p\"\n").unwrap();
        assert_eq!(alerts.alertmanagers(), ["http://a:9093"]);
        assert_eq!(alerts.rules().unwrap().names().count(), 6);
        alerts.lay_over(&[PathBuf::from("nobody.yml")], Some("http://b:1, http://c:2,"), None);
        assert_eq!(alerts.alertmanagers(), ["http://b:1", "http://c:2"]);
        assert!(alerts.rules().unwrap_err().to_string().contains("the rule file nobody.yml cannot be read"));
    }
}
