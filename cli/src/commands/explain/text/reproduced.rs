//! Whether the decision came out again, in words.

use tidegate_explain::Reproduced;

use super::Text;

/// The verdict, and what came out otherwise.
pub(super) fn of(reproduced: &Reproduced, text: &mut Text) {
    text.line("reproduced", verdict(reproduced));
    for difference in &reproduced.differences {
        let (was, is) = (&difference.recorded, &difference.recomputed);
        text.line("", format!("{}: {was} on the topic, {is} recomputed", difference.field));
    }
}

fn verdict(reproduced: &Reproduced) -> String {
    let part = |name: &str, same: Option<bool>| match same {
        Some(true) => format!("{name} byte for byte"),
        Some(false) => format!("{name} came out otherwise"),
        None => format!("{name} is not there to be compared"),
    };
    let parts = [part("the forecast", reproduced.forecast), part("the command", reproduced.quota)].join(", ");
    let word = match (reproduced.failed(), reproduced.is_whole()) {
        (true, _) => "no",
        (false, true) => "yes",
        (false, false) if reproduced.forecast.is_none() && reproduced.quota.is_none() => "not known",
        (false, false) => "as far as can be told, yes",
    };
    format!("{word}: {parts}")
}
