//! What alert rules see of a forecast.

use tidegate_alerts::{Readings, SERIES, Series};
use tidegate_schemas::records::{Forecast, ForecastState, MeasuredAt};

/// The readings of a forecast; `max_scale` is the largest quota that the settings allow, as a multiple of the base quota.
pub(crate) fn readings(forecast: &Forecast, max_scale: f64) -> Readings {
    let Forecast { current, peak_cpu, peak_memory, state, base_quota, .. } = forecast;
    let (cpu, memory) = measured(forecast);
    let cpu = cpu.then_some(current.cpu);
    let memory = memory.then_some(current.memory);
    let is = |wanted| Some(f64::from(u8::from(*state == wanted)));
    let count = |counter: Option<i64>| counter.map(|count| count as f64);
    let mut readings: Readings = [None; SERIES];
    let mut put = |series: Series, value| readings[series as usize] = value;
    put(Series::CpuUsage, cpu);
    put(Series::MemoryUsage, memory);
    put(Series::Load, [cpu, memory].into_iter().flatten().reduce(f64::max));
    put(Series::BaseQuota, Some(*base_quota));
    put(Series::Quota, forecast.quota_in_force.filter(|quota| quota.is_finite()));
    put(Series::QuotaMax, Some(base_quota * max_scale));
    put(Series::PeakP50, Some(peak_cpu.p50.max(peak_memory.p50)));
    put(Series::PeakP90, Some(peak_cpu.p90.max(peak_memory.p90)));
    put(Series::Warming, is(ForecastState::Warming));
    put(Series::Ready, is(ForecastState::Ready));
    put(Series::Demoted, is(ForecastState::Demoted));
    put(Series::RequestsTotal, count(forecast.requests_total));
    put(Series::RequestsFailedTotal, count(forecast.requests_failed_total));
    readings
}

/// Whether the report itself had CPU and memory: a forecast carries the last value of what it had not. Forecasts of before
/// `measured_at` do not say, and count as measured.
fn measured(forecast: &Forecast) -> (bool, bool) {
    let MeasuredAt { cpu, memory } = forecast.measured_at;
    let unknown = cpu == 0 && memory == 0;
    (unknown || cpu == forecast.timestamp, unknown || memory == forecast.timestamp)
}
