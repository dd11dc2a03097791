//! A whole run, from the first broker to the verdict.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use tidegate_schemas::Topic;

use crate::client;
use crate::process::wait_until;

use super::checker::{Answers, Evidence, Verdict, judge};
use super::findings::Wrong;
use super::kinds::Kind;
use super::lanes::{self, Done};
use super::load::{HISTORY_ROUNDS, Load};
use super::member::Member;
use super::options::{FaultOptions, Guarantee};
use super::place::{Program, settings_text};
use super::reading::Reading;
use super::report::Report;
use super::schedule::schedule;
use super::site::{CALM, HIT, PARTITIONS, Site};
use super::stream::Stream;
use super::{calm, delivery, unplaced};

/// From the last fault until all has been decided again.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(240);
const HISTORY_TIMEOUT: Duration = Duration::from_secs(300);

/// What a run came to.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The figures.
    pub report: Report,
    /// What is wrong, a line each; empty where all is well.
    pub wrong: Vec<String>,
    /// Kinds that could not be done here, and why.
    pub impossible: Vec<(Kind, String)>,
}

/// Runs the suite; `say` is told what is going on.
///
/// # Errors
/// Where the suite itself can not go on. What is wrong with the product is in the outcome.
pub fn run(options: &FaultOptions, program: Program, say: &(dyn Fn(&str) + Sync)) -> anyhow::Result<Outcome> {
    say("starting three brokers, three processes, a registry and a sink");
    let nodes = usize::try_from(options.nodes)?;
    let site = Site::start(program, &settings_text(options), nodes)?;
    for (kind, why) in &site.impossible {
        say(&format!("{kind} can not be done here: {why}"));
    }
    let wanted = |kind: &Kind| options.only.is_empty() || options.only.contains(kind);
    let possible = |kind: &Kind| wanted(kind) && site.impossible.iter().all(|(other, _)| other != kind);
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(possible).collect();
    let mut load = Load::new(nodes, options.seed)?;
    say(&format!("{} reports of {nodes} nodes before the first fault", HISTORY_ROUNDS * options.nodes));
    load.send_history(&site.sender)?;
    let (bootstrap, quotas) = (site.cluster.bootstrap(), Topic::Quotas.name(HIT));
    client::wait_for_count(&bootstrap, &quotas, HISTORY_ROUNDS * options.nodes, HISTORY_TIMEOUT)
        .with_context(|| site.processes.iter().map(Member::log).collect::<Vec<_>>().join("\n"))?;

    let planned = schedule(options.seed, options.count(), &kinds);
    let done = under_load(&site, &mut load, options.rate, say, || lanes::run(&site, &planned, options.time(), say))?;
    say("the faults are over; waiting until all is decided and delivered");
    let evidence = gather(&site, options, say);
    if let Some(folder) = &options.keep {
        keep(folder, &site, &done)?;
    }
    let evidence = evidence?;
    let mut verdict = judge(&evidence);
    folder_is_up_to_date(&site, &evidence, &mut verdict)?;
    end(&site, &mut verdict);
    let report = Report::new(options.seed, &done, &site.watch.recovered(), &verdict);
    Ok(Outcome { report, wrong: verdict.findings.lines(), impossible: site.impossible.clone() })
}

/// Does the faults while reports come, commits are watched and processes looked after.
fn under_load(
    site: &Site,
    load: &mut Load,
    rate: u64,
    say: &(dyn Fn(&str) + Sync),
    faults: impl FnOnce() -> anyhow::Result<Vec<Done>>,
) -> anyhow::Result<Vec<Done>> {
    let (enough, end) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| load.send_paced(&site.sender, rate, &enough));
        let watching = scope.spawn(|| site.watch.run(&end));
        let looking = scope.spawn(|| look_after(site, &end));
        let done = faults();
        if done.is_ok() && wait_until(RECOVERY_TIMEOUT, || site.watch.all_recovered()).is_err() {
            say("not everything was decided again in time; going on to the verdict");
        }
        enough.store(true, Ordering::SeqCst);
        let sent = sending.join();
        end.store(true, Ordering::SeqCst);
        let joined = [sent, watching.join(), looking.join()];
        joined
            .into_iter()
            .try_for_each(|thread| thread.unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked"))))?;
        done
    })
}

fn look_after(site: &Site, end: &AtomicBool) -> anyhow::Result<()> {
    while !end.load(Ordering::SeqCst) {
        site.look_after()?;
        std::thread::sleep(Duration::from_millis(300));
    }
    Ok(())
}

/// Waits until everything has come, and makes the undisturbed run.
fn gather(site: &Site, options: &FaultOptions, say: &(dyn Fn(&str) + Sync)) -> anyhow::Result<Evidence> {
    let (bootstrap, patience) = (site.cluster.bootstrap(), Duration::from_secs(options.patience));
    let mut sent = site.sender.list().lock().clone();
    let wanted = sent.iter().filter(|sent| sent.name.is_some()).count();
    let stream = |topic| Stream::of(&bootstrap, topic, HIT, &site.registry_url);
    let mut streams = [stream(Topic::Forecasts)?, stream(Topic::Quotas)?];
    let looking = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| look_after(site, &looking));
        let complete = streams.iter_mut().try_for_each(|stream| stream.wait_for(wanted, patience).map(drop));
        delivered(site, wanted, patience);
        looking.store(true, Ordering::SeqCst);
        complete.and(thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked"))))
    })?;
    let [forecasts, quotas] = streams;
    let answers = Answers { forecasts: forecasts.into_answers()?, quotas: quotas.into_answers()? };
    let all = |topic: Topic| Reading::of(&bootstrap, &topic.name(HIT), PARTITIONS)?.all(PARTITIONS);
    let (load, letters) = (all(Topic::Load)?, all(Topic::DeadLetters)?);
    unplaced::find(&mut sent, &load);
    say("the same load, undisturbed");
    let calm = calm::answers(site, &load, wanted)?;
    Ok(Evidence {
        sent,
        load,
        load_topic: Topic::Load.name(HIT),
        calm_load_topic: Topic::Load.name(CALM),
        answers,
        calm,
        letters,
        delivered: site.taken.names(),
        samples: site.watch.samples(),
        exactly_once: options.guarantee == Guarantee::ExactlyOnce,
    })
}

/// Waits until the webhook has so many commands, or nothing new has come for so long.
fn delivered(site: &Site, wanted: usize, patience: Duration) {
    let mut before = None;
    while site.taken.count() < wanted && before != Some(site.taken.count()) {
        before = Some(site.taken.count());
        let more = || site.taken.count() > before.unwrap_or_default();
        // The loop's condition sees whether it was in vain.
        drop(wait_until(patience, more));
    }
}

/// Each node's file holds its last command.
fn folder_is_up_to_date(site: &Site, evidence: &Evidence, verdict: &mut Verdict) -> anyhow::Result<()> {
    let files = delivery::files(&site.delivery, &site.folder)?;
    let mut last = std::collections::HashMap::new();
    for (node, sequence) in evidence.sent.iter().filter_map(|sent| sent.name.as_ref()) {
        last.insert(node, *sequence);
    }
    for (node, sequence) in last {
        let found = files.get(&**node);
        if found != Some(&sequence) {
            verdict.findings.add(Wrong::Lost, || format!("the file of {node} is at {found:?}, not at {sequence}"));
        }
    }
    Ok(())
}

/// Ends everything in good order, and adds what processes did that they must not.
fn end(site: &Site, verdict: &mut Verdict) {
    for member in site.all() {
        if let Err(e) = member.stop() {
            verdict.findings.add(Wrong::Process, || format!("{}: {e:#}", member.name()));
        }
    }
    for complaint in site.all().chain([&site.guest]).flat_map(Member::complaints) {
        verdict.findings.add(Wrong::Process, || complaint);
    }
}

/// Leaves what helps to understand a run.
fn keep(folder: &std::path::Path, site: &Site, done: &[Done]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    for member in site.all() {
        let name = member.name().replace(' ', "-");
        std::fs::write(folder.join(format!("{name}.log")), member.whole_log())?;
    }
    let faults: Vec<String> = done.iter().map(|done| format!("{done:?}")).collect();
    std::fs::write(folder.join("faults.txt"), faults.join("\n"))?;
    Ok(())
}
