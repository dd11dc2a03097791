//! A policy as it is named on a command line: `policy=headroom,target=0.5%`, keys of the `[quota]` table.

use std::str::FromStr;

use tidegate_quota::Settings as QuotaSettings;

use crate::args::Common;
use crate::config::Settings;

/// One key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setting {
    pub(crate) key: String,
    pub(crate) value: toml::Value,
}

impl Setting {
    /// A text.
    pub(crate) fn text(key: &str, value: &str) -> Self {
        Self { key: key.to_owned(), value: toml::Value::String(value.to_owned()) }
    }
}

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || value.is_empty() {
            return Err(format!("{text:?} is not KEY=VALUE"));
        }
        Ok(Self { key: key.to_owned(), value: parse(value) })
    }
}

/// A TOML value; `0.5%` is 0.005; what is neither is a text.
fn parse(text: &str) -> toml::Value {
    if let Some(Ok(percent)) = text.strip_suffix('%').map(|number| number.trim().parse::<f64>()) {
        return toml::Value::Float(percent / 100.0);
    }
    let table = format!("value = {text}").parse::<toml::Table>();
    let value = table.ok().filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

/// Some settings with the text that named them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PolicySpec {
    pub(crate) text: String,
    settings: Vec<Setting>,
}

impl FromStr for PolicySpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let settings = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { text: text.to_owned(), settings })
    }
}

impl PolicySpec {
    /// Settings of one's own, under a name.
    pub(crate) fn new(text: impl Into<String>, settings: Vec<Setting>) -> Self {
        Self { text: text.into(), settings }
    }

    /// The settings file's `[quota]` table with these settings over it, checked; `name` is what the policy is called, its own name
    /// where none is given.
    pub(crate) fn trial(&self, common: &Common) -> anyhow::Result<Trial> {
        let settings: Vec<_> = self.settings.iter().map(|s| (s.key.clone(), s.value.clone())).collect();
        let settings = Settings::load_with(common, &settings)?.quota()?;
        let name = if self.text.is_empty() { settings.policy.to_string() } else { self.text.clone() };
        Ok(Trial { name, settings })
    }
}

/// A policy to run.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// What it is called in reports.
    pub(crate) name: String,
    /// Its settings, checked.
    pub(crate) settings: QuotaSettings,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_toml_percent_or_text() {
        let value = |text: &str| text.parse::<Setting>().unwrap().value;
        assert_eq!(value("max_scale=2"), toml::Value::Integer(2));
        assert_eq!(value("max_scale = 2.5"), toml::Value::Float(2.5));
        assert_eq!(value("target=0.5%"), toml::Value::Float(0.005));
        assert_eq!(value("policy=headroom"), toml::Value::String("headroom".into()));
        assert_eq!(value("policy=\"headroom\""), toml::Value::String("headroom".into()));
        assert_eq!(value("x=1\ny=2"), toml::Value::String("1\ny=2".into()), "one value only");
        assert!("policy".parse::<Setting>().is_err() && "=1".parse::<Setting>().is_err());
        assert!("policy=threshold,max_scale".parse::<PolicySpec>().is_err());
    }
}
