//! The alerts of an explanation, in words.

use tidegate_explain::{AROUND_MS, AlertState, AlertView};

use super::Text;
use crate::event_time;

/// The alert that was asked about: the decision below is the last before it fired.
pub(super) fn asked(alert: &AlertView, node: &str, text: &mut Text) {
    text.line("alert", format!("{} of {node}, {}, fingerprint {}", alert.rule, span(alert), alert.fingerprint));
    about(alert, text);
    text.line("", "below: the last decision before it fired");
    text.gap();
}

/// The alerts around the decision, each as it stood then.
pub(super) fn beside(alerts: &[AlertView], text: &mut Text) {
    let mut name = "alerts";
    for alert in alerts {
        let state = match alert.state {
            AlertState::Later => "LATER",
            AlertState::Pending => "PENDING",
            AlertState::Firing => "FIRING",
            AlertState::Resolved => "RESOLVED",
        };
        text.line(name, format!("{state:9}{}, {}, fingerprint {}", alert.rule, span(alert), alert.fingerprint));
        about(alert, text);
        name = "";
    }
    if alerts.is_empty() {
        text.line(name, format!("none known of the node within {} min of it", AROUND_MS / 60_000));
    }
    text.gap();
}

fn about(alert: &AlertView, text: &mut Text) {
    if !alert.summary.is_empty() {
        text.line("", format!("         {}", alert.summary));
    }
}

/// From when to when.
fn span(alert: &AlertView) -> String {
    let held = format!("held since {}", event_time::show(alert.starts_at));
    let fired = event_time::show(alert.fired_at);
    match alert.ends_at {
        Some(ended) => format!("{held}, fired {fired} to {}", event_time::show(ended)),
        None => format!("{held}, fires since {fired}"),
    }
}
