//! The `[quota]` table: every key may be left out, and then the quota crate's own default holds.

use std::str::FromStr;

use serde::Deserialize;
use tidegate_quota::{Counted, Mode, PolicyName, QuotaError, Settings};

/// The quota stage.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Quota {
    pub(crate) policy: Option<PolicyName>,
    pub(crate) target: Option<Share>,
    pub(crate) resource: Option<Counted>,
    pub(crate) mode: Option<Mode>,
    pub(crate) min_scale: Option<f64>,
    pub(crate) max_scale: Option<f64>,
    pub(crate) lease_s: Option<f64>,
    pub(crate) largest_step_up: Option<f64>,
    pub(crate) largest_step_down: Option<f64>,
    pub(crate) dead_band: Option<f64>,
    pub(crate) hold_down_s: Option<f64>,
    pub(crate) stale_after_s: Option<f64>,
}

/// A share of all: a number (0.01), or a text in percent ("1%").
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "NumberOrText")]
pub(crate) struct Share(f64);

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(f64),
    Text(String),
}

impl Share {
    /// As a number: 0.01 of 1 %.
    pub(crate) fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, unit) = text.trim().strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
        let number = digits.trim().parse::<f64>();
        number.map(|number| Self(number / unit)).map_err(|_| format!("{text:?} is no share; write 0.01 or 1%"))
    }
}

impl TryFrom<NumberOrText> for Share {
    type Error = String;

    fn try_from(given: NumberOrText) -> Result<Self, String> {
        match given {
            NumberOrText::Number(number) => Ok(Self(number)),
            NumberOrText::Text(text) => text.parse(),
        }
    }
}

impl Quota {
    /// Settings of the quota stage, checked.
    pub(crate) fn settings(&self) -> Result<Settings, QuotaError> {
        let ms = |seconds: f64| (seconds * 1000.0).round() as i64;
        let mut settings = Settings::default();
        settings.policy = self.policy.unwrap_or(settings.policy);
        settings.headroom.target = self.target.map_or(settings.headroom.target, |share| share.0);
        settings.resource = self.resource.unwrap_or(settings.resource);
        settings.mode = self.mode.unwrap_or(settings.mode);
        settings.lease_ms = self.lease_s.map_or(settings.lease_ms, ms);
        let rails = &mut settings.rails;
        rails.min_scale = self.min_scale.unwrap_or(rails.min_scale);
        rails.max_scale = self.max_scale.unwrap_or(rails.max_scale);
        rails.largest_step_up = self.largest_step_up.or(rails.largest_step_up);
        rails.largest_step_down = self.largest_step_down.or(rails.largest_step_down);
        rails.dead_band = self.dead_band.unwrap_or(rails.dead_band);
        rails.hold_down_ms = self.hold_down_s.map_or(rails.hold_down_ms, ms);
        rails.stale_after_ms = self.stale_after_s.map(ms).or(rails.stale_after_ms);
        settings.validate()?;
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Settings, String> {
        let table: Quota = toml::from_str(text).map_err(|e| e.to_string())?;
        table.settings().map_err(|e| e.to_string())
    }

    #[test]
    fn every_quota_setting_is_read() {
        let text = "policy = \"headroom\"\ntarget = \"0.5%\"\nresource = \"cpu\"\nmode = \"recommend\"\nmin_scale = 0.2\n\
                    max_scale = 2\nlease_s = 60\nlargest_step_up = 0.5\nlargest_step_down = 0.1\ndead_band = 0.02\n\
                    hold_down_s = 300\nstale_after_s = 90.5\n";
        let quota = parsed(text).unwrap();
        assert_eq!((quota.policy, quota.mode, quota.resource), (PolicyName::Headroom, Mode::Recommend, Counted::Cpu));
        assert!((quota.headroom.target - 0.005).abs() < 1e-12);
        let wanted = tidegate_quota::Rails {
            min_scale: 0.2,
            max_scale: 2.0,
            largest_step_up: Some(0.5),
            largest_step_down: Some(0.1),
            dead_band: 0.02,
            hold_down_ms: 300_000,
            stale_after_ms: Some(90_500),
        };
        assert_eq!((quota.rails, quota.lease_ms), (wanted, 60_000));
    }

    #[test]
    fn wrong_quota_settings_are_named() {
        for (text, wanted) in [
            ("policy = \"headrom\"", "\"headrom\" is no policy; it must be threshold or headroom"),
            ("resource = \"net\"", "\"net\" is no resource; it must be max, cpu or memory"),
            ("target = \"much\"", "0.01 or 1%"),
            ("target = 1.5", "target is 1.5; it must be above 0"),
            ("dead_band = -1", "dead_band is -1"),
            ("largest_step_up = 0", "largest_step_up is 0; it must be a finite number above 0"),
            ("stale_after_s = 0", "stale_after_s is 0; it must be above 0"),
        ] {
            let said = parsed(text).unwrap_err();
            assert!(said.contains(wanted), "{text}: {said}");
        }
    }
}
