//! One CSV row a forecast: what was said and decided, in the order of the decisions.
//!
//! Loads are fractions of the base quota; `quota` is in the units of `base_quota`; times are Unix milliseconds.

use std::fmt::Write;

use crate::runner::Decided;

/// The header, without a line end.
pub const HEADER: &str = "node_id,timestamp_ms,state,cpu_current,memory_current,cpu_peak_p50,cpu_peak_p90,\
memory_peak_p50,memory_peak_p90,cpu_1m,cpu_2m,cpu_3m,cpu_4m,cpu_5m,memory_1m,memory_2m,memory_3m,memory_4m,memory_5m,\
quota,base_quota";

/// Appends the row of a decision, with a line end; the quota is the first stage's.
pub fn row(decided: &Decided, out: &mut String) {
    let forecast = &decided.forecast;
    quoted(&forecast.node_id, out);
    let peaks = [forecast.peak_cpu, forecast.peak_memory];
    let numbers = [forecast.current.cpu, forecast.current.memory]
        .into_iter()
        .chain(peaks.into_iter().flat_map(|peak| [peak.p50, peak.p90]))
        .chain(forecast.path_cpu.iter().chain(&forecast.path_memory).copied());
    let mut put = |text: std::fmt::Arguments<'_>| out.write_fmt(text).unwrap_or_default();
    put(format_args!(",{},{}", forecast.timestamp, forecast.state.name()));
    numbers.for_each(|number| put(format_args!(",{number}")));
    let quota = decided.commands.first().map_or(forecast.base_quota, |command| command.quota);
    put(format_args!(",{quota},{}\n", forecast.base_quota));
}

/// A field as RFC 4180 wants it.
fn quoted(text: &str, out: &mut String) {
    if text.contains(['"', ',', '\n', '\r']) {
        out.push('"');
        out.push_str(&text.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(text);
    }
}
