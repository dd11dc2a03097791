//! The live page over a made-up fleet, without a broker or a model: for whoever changes the page.
//!
//! `cargo run --release -p tidegate-sinks --example page_fixture -- [NODES] [SPEED] [ADDRESS]` (200, 60, 127.0.0.1:8099),
//! then open the address. What it shows is invented: the "forecast" looks up the load that the fixture itself will report.
#![expect(clippy::print_stdout, reason = "a program for developers says where it listens")]

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tidegate_schemas::records::{
    Alert, Attribute, AttributeValue, Cause, Control, Forecast, ForecastState, Load, LoadReport, MeasuredAt, Quantiles,
    QuotaCommand, QuotaMode, Span, SpanKind,
};
use tidegate_sinks::page::{Beside, Limits, Page, PageStats, serve};

const REPORT_MS: i64 = 10_000;
const BASE: f64 = 1000.0;
/// 2026-03-02 08:00 UTC.
const BEGIN: i64 = 1_772_438_400_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let nodes: u64 = args.next().map_or(Ok(200), |n| n.parse())?;
    let speed: f64 = args.next().map_or(Ok(60.0), |s| s.parse())?;
    let address = args.next().unwrap_or_else(|| "127.0.0.1:8099".to_owned());
    let listener = tokio::net::TcpListener::bind(&address).await?;
    println!("http://{}/", listener.local_addr()?);
    let page = Arc::new(Page::new(Limits::default()));
    let feeder = Arc::clone(&page);
    std::thread::spawn(move || feed(&feeder, nodes, speed));
    serve(listener, page, async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
    .await?;
    Ok(())
}

/// Two hours at once, then live.
fn feed(page: &Page, nodes: u64, speed: f64) {
    for (target, words) in [
        ("media-0190", Control { override_quota: Some(1500.0), until: Some(BEGIN + 86_400_000), ..Control::default() }),
        ("pool:cache", Control { max_quota: Some(1200.0), ..Control::default() }),
    ] {
        let (by, why) = ("alice".to_owned(), "release 4.2 of the week".to_owned());
        page.control(target, Some(Control { target: target.to_owned(), timestamp: BEGIN, by, why, ..words }));
    }
    let mut quotas = vec![BASE; usize::try_from(nodes).unwrap_or(0)];
    for step in 0_i64.. {
        let t = BEGIN + step * REPORT_MS;
        for (node, quota) in (0..nodes).zip(&mut quotas) {
            *quota = one(page, node, t, *quota);
        }
        if step > 720 {
            let per_s = nodes as f64 * speed * 1000.0 / REPORT_MS as f64;
            page.stats(PageStats {
                reports_per_s: per_s,
                forecasts_per_s: per_s,
                commands_per_s: per_s,
                lag: Some((noise(3, step) * 40.0) as i64),
                latency_p50_ms: Some(3.0 + noise(1, step)),
                latency_p99_ms: Some(8.0 + 3.0 * noise(2, step)),
                dead_letters: 0,
                broker: "127.0.0.1:39092".to_owned(),
                event_time: Some(t),
                speed: Some(speed),
            });
            std::thread::sleep(Duration::from_secs_f64(REPORT_MS as f64 / 1000.0 / speed));
        }
    }
}

/// One node's report, forecast and command; returns its new quota.
fn one(page: &Page, node: u64, t: i64, quota: f64) -> f64 {
    let id = format!("{}-{node:04}", ["api", "cache", "edge", "media"][(node * 4 / 200 % 4) as usize]);
    let now = Load { cpu: cpu(node, t).min(quota / BASE), memory: memory(node, t) };
    let mut report = LoadReport::new(id.clone(), t, REPORT_MS, BASE);
    report.pool = id.split('-').next().unwrap_or_default().to_owned();
    report.cpu = Some(now.cpu);
    report.memory = Some(now.memory);
    report.quota_in_force = Some(quota);
    page.report(&report);
    let forecast = forecast(&report, now, node);
    page.forecast(&forecast);
    let command = command(&forecast);
    let trace = format!("{:016x}{:016x}", node + 1, t.cast_unsigned());
    page.command(&command, Beside { latency_ms: Some(3.0 + noise(node, t)), trace: Some(trace.clone()) });
    beside(page, &command, &trace);
    command.quota
}

/// The spans of every fourth command, and an alert now and then, for ten minutes each.
fn beside(page: &Page, command: &QuotaCommand, trace: &str) {
    let steps = [
        ("edge", "report", 0, 3_100),
        ("forecast", "process load", 900, 700),
        ("quota", "process forecasts", 1_900, 400),
    ];
    let sampled = command.timestamp / REPORT_MS % 4 == 0;
    for (at, (service, name, start, length)) in steps.into_iter().enumerate().filter(|_| sampled) {
        page.span(&span(trace, at, (service, name), (command.timestamp * 1_000 + start, length)));
    }
    let (hot, begin) = (command.current_load > 0.9, command.timestamp / 600_000 * 600_000);
    let over = command.timestamp - begin > 590_000;
    if hot || over {
        let alert = Alert {
            fingerprint: format!("{:016x}", command.node_id.len()),
            rule: "NodeCpuHigh".to_owned(),
            node_id: command.node_id.clone(),
            annotations: [("summary".to_owned(), format!("{}: CPU above 90 % for 5 minutes", command.node_id))].into(),
            starts_at: begin,
            fired_at: begin + 300_000,
            ends_at: over.then_some(command.timestamp),
            ..Alert::default()
        };
        page.alert(&alert, Some(trace.to_owned()));
    }
}

fn span(trace: &str, at: usize, (service, name): (&str, &str), (start_us, length_us): (i64, i64)) -> Span {
    let value = AttributeValue::Text(service.to_owned());
    Span {
        trace_id: trace.to_owned(),
        span_id: format!("{:016x}", at + 1),
        parent_span_id: if at == 0 { String::new() } else { format!("{:016x}", 1) },
        flags: 1,
        name: name.to_owned(),
        kind: SpanKind::Consumer,
        start_time_unix_nano: start_us * 1_000,
        end_time_unix_nano: (start_us + length_us) * 1_000,
        resource_attributes: vec![Attribute { key: "service.name".to_owned(), value, json: false }].into(),
        ..Span::default()
    }
}

fn forecast(report: &LoadReport, current: Load, node: u64) -> Forecast {
    let t = report.timestamp;
    let ahead = |load: fn(u64, i64) -> f64| -> Vec<f64> { (1..=5).map(|m| load(node, t + m * 60_000)).collect() };
    let peak = |path: &[f64], seed| {
        let p50 = path.iter().copied().fold(0.0, f64::max) + 0.05 * (noise(node ^ seed, t / 60_000) - 0.5);
        Quantiles { p50, p90: p50 * 1.06 + 0.03 }
    };
    let (path_cpu, path_memory) = (ahead(cpu), ahead(memory));
    Forecast {
        node_id: report.node_id.clone(),
        pool: report.pool.clone(),
        timestamp: t,
        sequence: report.sequence,
        base_quota: BASE,
        quota_in_force: report.quota_in_force,
        quota_sequence: report.quota_sequence,
        requests_total: report.requests_total,
        requests_failed_total: report.requests_failed_total,
        current,
        measured_at: MeasuredAt { cpu: t, memory: t },
        peak_cpu: peak(&path_cpu, 1),
        peak_memory: peak(&path_memory, 2),
        path_cpu,
        path_memory,
        state: match node % 41 {
            7 => ForecastState::Warming,
            19 => ForecastState::Demoted,
            _ => ForecastState::Ready,
        },
        model: "fixture".to_owned(),
        cause: Cause::default(),
    }
}

fn command(forecast: &Forecast) -> QuotaCommand {
    let predicted = forecast.peak_cpu.p50.max(forecast.peak_memory.p50);
    let current = forecast.current.cpu.max(forecast.current.memory);
    let (scale, reason) = if predicted > 0.8 {
        (1.2 * predicted / 0.8, format!("forecast peak {:.0} % is above 80 %: raised", predicted * 100.0))
    } else if current < 0.3 {
        (0.7, format!("load {:.0} % is below 30 %: lowered", current * 100.0))
    } else {
        (1.0, format!("forecast peak {:.0} %: base quota", predicted * 100.0))
    };
    let bound = scale.min(1.8);
    QuotaCommand {
        node_id: forecast.node_id.clone(),
        pool: forecast.pool.clone(),
        timestamp: forecast.timestamp,
        sequence: forecast.sequence,
        base_quota: BASE,
        quota: BASE * bound,
        scale_factor: bound,
        reason,
        limits_hit: if bound < scale { vec!["max".to_owned()] } else { Vec::new() },
        predicted_load: predicted,
        current_load: current,
        forecast_p90: 0.0,
        margin: 0.0,
        hold_until: None,
        model: forecast.model.clone(),
        policy: "threshold".to_owned(),
        mode: QuotaMode::Enforce,
        steering: Vec::new(),
        valid_until: forecast.timestamp + 60_000,
        cause: Cause::default(),
    }
}

/// A slow wave, and now and then a crowd that comes within minutes and goes within a quarter of an hour.
fn cpu(node: u64, t: i64) -> f64 {
    let minutes = (t - BEGIN) as f64 / 60_000.0 + noise(node, 5) * 300.0;
    let wave = 0.38 + 0.16 * (minutes / 37.0).sin() + 0.1 * (noise(node, 7) - 0.5);
    let cycle = 55.0 + 60.0 * noise(node, 11);
    let since = minutes.rem_euclid(cycle);
    let crowd = if since < 4.0 { since / 4.0 } else { (-(since - 4.0) / 7.0).exp() };
    (wave + 0.75 * noise(node, 13) * crowd + 0.03 * (noise(node, t) - 0.5)).max(0.01)
}

fn memory(node: u64, t: i64) -> f64 {
    let minutes = (t - BEGIN) as f64 / 60_000.0;
    0.35 + 0.25 * noise(node, 17) + 0.05 * (minutes / 80.0 + noise(node, 23) * 6.0).sin() + 0.006 * noise(node, t + 1)
}

/// A number in 0..1 that depends on its arguments only (splitmix64).
fn noise(node: u64, t: i64) -> f64 {
    let mut x = (node.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ t.cast_unsigned()).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}
