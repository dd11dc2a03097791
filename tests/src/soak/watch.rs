//! Looks at the processes again and again: memory, open files, threads; and at what they are behind.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::series::{Measure, Series};
use super::site::{Site, WORK};
use crate::process::status_kib;

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
            note(work, Measure::MemoryKib, status_kib(running.pid(), "VmRSS:")? as f64);
            note(work, Measure::Threads, status_kib(running.pid(), "Threads:")? as f64);
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
