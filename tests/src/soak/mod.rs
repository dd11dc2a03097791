//! The soak: the whole pipeline under a steady load for minutes. Memory, open files, threads and lag must stay flat, also while
//! the broker of the outputs is away.
//!
//! ```text
//! load at a pace ─> run forecast ─> run quota ─> run deliver ─> webhook
//!                        └──────────────┴──────────────┴─> /proc and committed offsets, every second ─> flat?
//! ```
//!
//! A course is flat where the median of its second half is at most a tenth, or what does not matter, above that of its first.

mod options;
mod report;
pub mod series;
mod site;
mod watch;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use tidegate_schemas::Topic;

use crate::bench::fleet::{Fleet, FleetProducer};
use crate::client;
use crate::groups::Progress;

pub use options::SoakOptions;
pub use report::Report;

use site::{OUTPUTS, PREFIX, Site};

/// Time between two reports of a node.
const INTERVAL_MS: u64 = 60_000;
const WARM_TIMEOUT: Duration = Duration::from_secs(900);
/// How long what an outage left may take once the input has ended.
const WORK_OFF_TIMEOUT: Duration = Duration::from_secs(600);

/// An outage as it was: from, to, and how long after the end of the input nothing waited any more.
#[derive(Debug, Clone, Copy)]
struct Disturbed {
    begin: Duration,
    end: Duration,
    worked_off: Option<Duration>,
}

/// Runs the soak; `say` is told what is going on.
///
/// # Errors
/// Where a part is missing or ends early.
pub fn run(options: &SoakOptions, say: &(dyn Fn(&str) + Sync)) -> anyhow::Result<Report> {
    let site = Site::start().context("starting the pipeline")?;
    let mut fleet = Fleet::new(options.nodes, options.rounds(), INTERVAL_MS);
    let mut producer = FleetProducer::new(&site.cluster.bootstrap())?;
    let load = Topic::Load.name(PREFIX);
    say(&format!("warming up with {} reports of {} nodes", options.warm_reports(), options.nodes));
    (0..options.warm_reports()).try_for_each(|_| producer.send(&load, &mut fleet))?;
    producer.flush()?;
    let quotas = Topic::Quotas.name(PREFIX);
    client::wait_for_count(&site.cluster.bootstrap(), &quotas, options.warm_reports(), WARM_TIMEOUT)
        .with_context(|| site.processes.iter().map(crate::binary::Running::stderr).collect::<String>())?;

    say(&format!("watching for {} minutes at {} reports/s", options.minutes, options.rate));
    let (sent, seen) = (AtomicBool::new(false), AtomicBool::new(false));
    let (courses, outage) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch::run(&site, &seen));
        let sending = scope.spawn(|| paced(&mut producer, &mut fleet, &load, options.rate, &sent));
        let outage = disturb(&site, options, say);
        sent.store(true, Ordering::SeqCst);
        let ended = sending.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the sender panicked")));
        let outage = ended.and(outage).and_then(|times| times.map(|times| worked_off(&site, times, say)).transpose());
        seen.store(true, Ordering::SeqCst);
        let courses = watching.join().unwrap_or_else(|_| Err(anyhow::anyhow!("the watch panicked")));
        outage.and_then(|outage| Ok((courses?, outage)))
    })?;
    for running in site.processes {
        let ended = running.terminate()?;
        anyhow::ensure!(ended.code == Some(0), "a process ended badly:\n{}", ended.stderr);
    }
    Ok(Report::new(options, &courses, outage))
}

fn paced(
    producer: &mut FleetProducer,
    fleet: &mut Fleet,
    load: &str,
    rate: u64,
    end: &AtomicBool,
) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut sent = 0;
    while !end.load(Ordering::SeqCst) {
        let due = (started.elapsed().as_secs_f64() * rate as f64) as u64;
        for _ in sent..due {
            producer.send(load, fleet)?;
        }
        sent = sent.max(due);
        std::thread::sleep(Duration::from_millis(10));
    }
    producer.flush()
}

/// Waits until nothing that came is left, now that no more comes.
fn worked_off(
    site: &Site,
    (begin, end): (Duration, Duration),
    say: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<Disturbed> {
    say("the input has ended; what waits is worked off");
    let started = Instant::now();
    let progress = site.progress()?;
    let mut after = None;
    while after.is_none() && started.elapsed() < WORK_OFF_TIMEOUT {
        site.check()?;
        // A coordinator that is not back yet does not tell.
        let is_done =
            |of: &Progress| of.positions().is_ok_and(|all| all.iter().all(|p| p.committed.unwrap_or(0) >= p.end));
        after = progress.iter().all(is_done).then(|| started.elapsed());
        std::thread::sleep(Duration::from_millis(500));
    }
    Ok(Disturbed { begin, end, worked_off: after })
}

/// Lets the time pass, with the outage in its middle; gives when that really was.
fn disturb(
    site: &Site,
    options: &SoakOptions,
    say: &(dyn Fn(&str) + Sync),
) -> anyhow::Result<Option<(Duration, Duration)>> {
    let started = Instant::now();
    let until = |at: Duration| std::thread::sleep(at.saturating_sub(started.elapsed()));
    let mut outage = None;
    if let Some((begin, end)) = options.outage() {
        until(begin);
        let begun = started.elapsed();
        site.cluster.kill(OUTPUTS)?;
        say("the broker of the outputs is away");
        until(end);
        outage = Some((begun, started.elapsed()));
        site.cluster.come_back(OUTPUTS)?;
        say("it is back");
    }
    until(options.time());
    Ok(outage)
}
