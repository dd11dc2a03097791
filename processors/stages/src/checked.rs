//! What a forecast must be for a stage to take it.

use tidegate_broker::Rejection;
use tidegate_schemas::records::Forecast;

/// Checks a forecast.
pub(crate) fn forecast(forecast: &Forecast) -> Result<(), Rejection> {
    let reject = |class, message: &str| Err(Rejection { class, message: message.to_owned() });
    if forecast.node_id.is_empty() {
        return reject("empty-node-id", "the node id is empty");
    }
    let numbers = [
        forecast.peak_cpu.p50,
        forecast.peak_cpu.p90,
        forecast.peak_memory.p50,
        forecast.peak_memory.p90,
        forecast.current.cpu,
        forecast.current.memory,
    ];
    if numbers.iter().any(|x| !x.is_finite()) {
        return reject("bad-number", "a forecast value is not a finite number");
    }
    if !(forecast.base_quota.is_finite() && forecast.base_quota > 0.0) {
        return reject("bad-base-quota", "base_quota is not a finite number above 0");
    }
    Ok(())
}
