//! `tidegate what-if`: two policies over the same recorded load, both through the production stages.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use tidegate_backtest::compare::{Comparison, Differences, Matches, NodeDifference, Recorded};
use tidegate_backtest::{Dropped, Options, PolicyReport, html};

use super::backtest::{file_name, load_model, measure, policy_rows, write};
use super::say;
use crate::args::Common;
use crate::exit::{self, failure};
use crate::policy_spec::PolicySpec;
use crate::recorded_controls::ControlsFlag;
use crate::reports;

/// Nodes named at most in the text.
const NAMED: usize = 10;

/// Compare two policies on recorded load.
///
/// FILE is a CSV file or a recording of the load topic. Both policies decide on the same forecasts, through the stages of
/// `tidegate run`: you see which nodes and commands differ, by how much and when, and what each policy would have cost. With
/// --quotas, a recording of the quotas topic, it also says whether each run gives the recorded commands again, byte for byte;
/// where operators had set controls, that needs --controls too.
///
/// A policy is named by keys of the quota settings: "policy=headroom,target=0.5%". What it does not name comes from --config.
#[derive(Debug, clap::Args)]
pub(crate) struct WhatIf {
    /// CSV file or recording of the load topic
    file: PathBuf,
    /// The policy to compare with
    #[arg(long, value_name = "SETTINGS", default_value = "policy=threshold")]
    against: PolicySpec,
    /// The policy to try
    #[arg(long = "try", value_name = "SETTINGS")]
    tried: PolicySpec,
    /// Recording of the quotas topic that belongs to FILE
    #[arg(long, value_name = "FILE")]
    quotas: Option<PathBuf>,
    #[command(flatten)]
    controls: ControlsFlag,
    /// Model to forecast with [default: the shipped one]
    #[arg(long, value_name = "FILE", env = "TIDEGATE_MODEL")]
    model: Option<PathBuf>,
    /// Measure only from this event time on: RFC 3339 or ms
    #[arg(long, value_name = "TIME", value_parser = crate::event_time::parse)]
    from: Option<i64>,
    /// Only this node (may be repeated) [default: all]
    #[arg(long, value_name = "NODE")]
    node: Vec<String>,
    /// CSV: base quota of rows that do not name theirs
    #[arg(long, value_name = "UNITS", default_value_t = 1000.0)]
    base_quota: f64,
    /// Write a page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// The result, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Answer {
    nodes: usize,
    reports: u64,
    against: PolicyReport,
    #[serde(rename = "try")]
    tried: PolicyReport,
    differing: Differences,
    by_node: Vec<NodeDifference>,
    recorded: Option<Reproduced>,
    dropped: Dropped,
}

/// Whether recorded commands come again.
#[derive(Debug, Serialize)]
struct Reproduced {
    commands: usize,
    against: Matches,
    #[serde(rename = "try")]
    tried: Matches,
}

impl WhatIf {
    pub(crate) fn run(self, common: &Common) -> anyhow::Result<()> {
        let model = Arc::new(load_model(common, self.model.as_deref())?);
        let specs = [&self.against, &self.tried];
        let trials = specs.into_iter().map(|spec| spec.trial(common)).collect::<anyhow::Result<Vec<_>>>()?;
        let mut recorded = self.quotas.as_deref().map(read_quotas).transpose()?;
        let controls = self.controls.read()?;
        let mut loaded = reports::read(&self.file, self.base_quota)?;
        loaded.reports.keep_nodes(&self.node)?;
        let options = Options {
            from_ms: self.from,
            resource: trials[1].settings.resource,
            linear: None,
            traces: self.html.as_ref().map(|_| 1),
        };
        let mut comparison = Comparison::default();
        let (mut measures, dropped) = measure(&model, &trials, controls, loaded, options, &mut |decided| {
            let at = decided.received.record.timestamp;
            if self.from.is_none_or(|from| at >= from) {
                comparison.take(decided);
            }
            recorded.as_mut().map_or(Ok(()), |recorded| Ok(recorded.take(decided)?))
        })?;
        let report = measures.report(1, dropped);
        if report.reports == 0 {
            return Err(failure(exit::DATA, format!("{} has no report to decide on", self.file.display())));
        }
        let mut policies = measures.policies().into_iter();
        let answer = Answer {
            nodes: report.nodes,
            reports: report.reports,
            against: policies.next().unwrap_or_default(),
            tried: policies.next().unwrap_or_default(),
            differing: comparison.differences(),
            by_node: comparison.by_node(),
            recorded: recorded.as_ref().map(|recorded| Reproduced {
                commands: recorded.len(),
                against: recorded.matches()[0],
                tried: recorded.matches()[1],
            }),
            dropped: report.dropped.clone(),
        };
        if let Some(path) = &self.html {
            let page =
                html::what_if(&file_name(&self.file), &report, &answer.differing, &answer.by_node, &mut measures);
            write(path, &page)?;
        }
        if common.json { super::say_json(&answer) } else { self.tell(&answer) }
    }

    fn tell(&self, answer: &Answer) -> anyhow::Result<()> {
        let differing = &answer.differing;
        say(format!("{}: {} reports of {} nodes", file_name(&self.file), answer.reports, answer.nodes))?;
        say(format!(
            "{} of {} nodes and {} commands differ ({:.2} %)",
            differing.nodes, answer.nodes, differing.commands, differing.percent
        ))?;
        say("")?;
        say(format!("AGAINST  {}", self.against.text))?;
        say(format!("TRY      {}", self.tried.text))?;
        say(format!("{:<26}{:>12}{:>12}", "", "AGAINST", "TRY"))?;
        policy_rows(&[answer.against.clone(), answer.tried.clone()])?;
        moves(&answer.by_node)?;
        answer.recorded.as_ref().map_or(Ok(()), reproduced)
    }
}

/// The commands of a recorded quotas topic.
fn read_quotas(path: &Path) -> anyhow::Result<Recorded> {
    let mut recorded = Recorded::new(2)?;
    let mut other = 0_u64;
    if !reports::is_recording(path)? {
        return Err(failure(exit::DATA, format!("{} is no recording of the quotas topic", path.display())));
    }
    reports::for_each_record(path, &mut |record| {
        other += u64::from(recorded.add(record.value.as_deref().unwrap_or_default()).is_err());
        Ok(())
    })?;
    if recorded.is_empty() {
        return Err(failure(exit::DATA, format!("{} holds no quota command", path.display())));
    }
    if other > 0 {
        super::tell(format!("{}: {other} records are no quota commands and are left out", path.display()));
    }
    Ok(recorded)
}

fn moves(nodes: &[NodeDifference]) -> anyhow::Result<()> {
    let largest: Vec<_> = nodes.iter().filter_map(|node| node.largest.as_ref()).take(NAMED).collect();
    if largest.is_empty() {
        return Ok(());
    }
    say("")?;
    say("LARGEST MOVES, one a node (× base quota)")?;
    for found in largest {
        say(format!(
            "{}  {:<20} {:>6.2} -> {:<6.2} {}",
            super::backtest::time(Some(found.timestamp_ms)),
            found.node_id,
            found.against,
            found.tried,
            found.try_reason
        ))?;
    }
    Ok(())
}

fn reproduced(recorded: &Reproduced) -> anyhow::Result<()> {
    say("")?;
    say(format!("RECORDED {} quota commands", recorded.commands))?;
    for (name, matches) in [("against", &recorded.against), ("try", &recorded.tried)] {
        let decided = matches.identical + matches.different;
        let verdict = match (matches.different, matches.identical) {
            (0, 0) => "no recorded command belongs to this load".to_owned(),
            (0, _) => format!("reproduced: yes, all {decided} byte for byte"),
            (different, _) => format!(
                "reproduced: no, {different} of {decided} differ, the first at {}",
                super::backtest::time(matches.first_different_ms)
            ),
        };
        say(format!("{name:<8} {verdict}"))?;
        if matches.not_recorded > 0 {
            say(format!("         {} decisions are not in the recording", matches.not_recorded))?;
        }
        let left = (recorded.commands as u64).saturating_sub(decided);
        if left > 0 && decided > 0 {
            say(format!("         {left} recorded commands belong to no report of the file"))?;
        }
    }
    Ok(())
}
