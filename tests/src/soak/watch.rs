//! Looks at the processes again and again: memory, open files, threads; and at what they are behind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::series::{Measure, Series};
use super::site::{Site, WORK};

const EVERY: Duration = Duration::from_secs(1);

/// The courses by work and measure.
pub(super) type Courses = BTreeMap<(&'static str, Measure), Series>;

/// Looks until `end` says so.
pub(super) fn run(site: &Site, end: &AtomicBool) -> anyhow::Result<Courses> {
    let progress = site.progress()?;
    let started = Instant::now();
    let mut courses = Courses::new();
    while !end.load(Ordering::SeqCst) {
        site.check()?;
        let mut note = |work, measure, value: f64| {
            courses.entry((work, measure)).or_default().points.push((started.elapsed(), value));
        };
        for (work, running) in WORK.iter().zip(&site.processes) {
            let status = std::fs::read_to_string(format!("/proc/{}/status", running.pid()))?;
            note(work, Measure::MemoryKib, field(&status, "VmRSS:")?);
            note(work, Measure::Threads, field(&status, "Threads:")?);
            let files = std::fs::read_dir(format!("/proc/{}/fd", running.pid()))?.count();
            note(work, Measure::Files, files as f64);
        }
        for (work, progress) in WORK.iter().zip(&progress) {
            // While a broker is away it does not tell.
            if let Ok(positions) = progress.positions() {
                let lag: i64 = positions.iter().map(|p| p.end - p.committed.unwrap_or(0)).sum();
                note(work, Measure::Lag, lag as f64);
            }
        }
        // What the webhook took must not weigh on the machine.
        drop(site.webhook.take_accepted());
        std::thread::sleep(EVERY);
    }
    Ok(courses)
}

/// A number of `/proc/PID/status`.
fn field(status: &str, name: &str) -> anyhow::Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    let number = line.split_whitespace().next().with_context(|| format!("{name} is empty"))?;
    number.parse().with_context(|| format!("{name} {number}"))
}
