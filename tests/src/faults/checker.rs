//! The judge: what was sent, what stands on the topics, what was delivered, and what an undisturbed run made of the same
//! load. Pure, and none of the product's own code.
//!
//! ```text
//! list of what was sent ──> is it on the load topic? ──> has it one forecast, one command, one delivery? in order?
//! undisturbed answers ────> the same bytes, but for the prefix in `cause.topic`
//! samples of commits ─────> was every output of what was committed on the broker by then?
//! ```

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::client::Raw;

use super::answers::Answer;
use super::commits::{self, Output};
use super::findings::{Findings, Wrong};
use super::sender::{Name, Sent};
use super::watch::{Sample, Stage};

/// Answers of one run.
#[derive(Debug, Default)]
pub struct Answers {
    /// Forecasts in the order of their partitions.
    pub forecasts: Vec<Answer>,
    /// Quota commands in the order of their partitions.
    pub quotas: Vec<Answer>,
}

/// All that is judged by.
#[derive(Debug, Default)]
pub struct Evidence {
    /// What was sent.
    pub sent: Vec<Sent>,
    /// What stands on the load topic, and its name.
    pub load: Vec<Raw>,
    /// Name of the load topic.
    pub load_topic: String,
    /// Name of the undisturbed run's load topic: of the same length.
    pub calm_load_topic: String,
    /// What the disturbed run answered.
    pub answers: Answers,
    /// What the undisturbed run answered.
    pub calm: Answers,
    /// What stands on the dead letters topic.
    pub letters: Vec<Raw>,
    /// Names in the order in which the webhook took each first.
    pub delivered: Vec<Name>,
    /// What was committed when.
    pub samples: Vec<Sample>,
    /// Whether nothing may be repeated.
    pub exactly_once: bool,
}

/// The figures, beside what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Valid reports.
    pub reports_sent: u64,
    /// Those with a forecast and a command.
    pub decided: u64,
    /// Forecasts and commands that repeat an earlier one.
    pub duplicates: u64,
    /// Records among the dead letters, each once.
    pub dead_letters: u64,
    /// Records that cannot be processed.
    pub poison_sent: u64,
    /// What is wrong.
    pub findings: Findings,
}

type Places = HashMap<(i32, i64), usize>;

/// Judges.
#[must_use]
pub fn judge(evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict::default();
    let places: Places = evidence.sent.iter().enumerate().filter_map(|(i, s)| Some((s.place?, i))).collect();
    is_on_the_log(evidence, &places, &mut verdict.findings);
    let letters = letters(evidence, &places, &mut verdict);
    let forecasts = answers(evidence, &places, &evidence.answers.forecasts, &evidence.calm.forecasts, &mut verdict);
    let quotas = answers(evidence, &places, &evidence.answers.quotas, &evidence.calm.quotas, &mut verdict);
    let delivered: HashSet<&Name> = evidence.delivered.iter().collect();
    in_order(evidence.delivered.iter(), "the webhook", &mut verdict.findings);
    for name in evidence.sent.iter().filter_map(|sent| sent.name.as_ref()) {
        verdict.reports_sent += 1;
        let missing: Vec<&str> = [
            ("forecast", forecasts.contains_key(name)),
            ("command", quotas.contains_key(name)),
            ("delivery", delivered.contains(name)),
        ]
        .into_iter()
        .filter_map(|(what, there)| (!there).then_some(what))
        .collect();
        verdict.decided += u64::from(forecasts.contains_key(name) && quotas.contains_key(name));
        if !missing.is_empty() {
            verdict.findings.add(Wrong::Lost, || format!("report {name:?} has no {}", missing.join(", no ")));
        }
    }
    commits(evidence, &forecasts, &quotas, &letters, &mut verdict.findings);
    verdict
}

/// What the broker had acknowledged stands where it said, as it was sent.
fn is_on_the_log(evidence: &Evidence, places: &Places, findings: &mut Findings) {
    let load: HashMap<(i32, i64), &Raw> = evidence.load.iter().map(|raw| ((raw.partition, raw.offset), raw)).collect();
    for (place, index) in places {
        let sent = &evidence.sent[*index];
        let stands = load.get(place).is_some_and(|raw| raw.value == sent.value && raw.key.as_ref() == Some(&sent.key));
        if !stands {
            findings
                .add(Wrong::Lost, || format!("the record acknowledged at {place:?} of the load topic is not there"));
        }
    }
    let unacknowledged = evidence.sent.iter().filter(|sent| sent.place.is_none());
    unacknowledged.for_each(|sent| findings.add(Wrong::Lost, || format!("{:?} was never acknowledged", sent.name)));
}

/// Poison with its bytes; gives where the first letter of each stands, by where its record stood.
fn letters(evidence: &Evidence, places: &Places, verdict: &mut Verdict) -> HashMap<(i32, i64), (i32, i64)> {
    let mut firsts: HashMap<(i32, i64), (i32, i64)> = HashMap::new();
    for letter in &evidence.letters {
        let number = |name: &str| letter.header(name).and_then(|text| text.parse::<i64>().ok());
        let topic = letter.header("source.topic");
        let source = (|| Some((i32::try_from(number("source.partition")?).ok()?, number("source.offset")?)))();
        let sent = source.filter(|_| topic.as_deref() == Some(&*evidence.load_topic)).and_then(|s| places.get(&s));
        let sent = sent.map(|index| &evidence.sent[*index]);
        let (Some(source), Some(sent)) = (source, sent) else {
            let at = (letter.partition, letter.offset);
            verdict.findings.add(Wrong::Value, || format!("the dead letter at {at:?} is of no record that was sent"));
            continue;
        };
        if sent.value != letter.value || Some(&sent.key) != letter.key.as_ref() {
            verdict.findings.add(Wrong::Value, || format!("the dead letter of {source:?} has other bytes"));
        }
        if sent.name.is_some() {
            verdict.findings.add(Wrong::Value, || format!("the valid report at {source:?} is a dead letter"));
        }
        let first = *firsts.entry(source).or_insert((letter.partition, letter.offset));
        if evidence.exactly_once && first != (letter.partition, letter.offset) {
            verdict.duplicates += 1;
            verdict.findings.add(Wrong::Duplicate, || format!("the dead letter of {source:?}"));
        }
    }
    for sent in evidence.sent.iter().filter(|sent| sent.name.is_none()) {
        verdict.poison_sent += 1;
        if sent.place.is_none_or(|place| !firsts.contains_key(&place)) {
            verdict.findings.add(Wrong::Lost, || format!("the poison at {:?} is in no dead letter", sent.place));
        }
    }
    verdict.dead_letters = firsts.len() as u64;
    firsts
}

/// The answers of one topic; gives where the first of each name stands.
fn answers(
    evidence: &Evidence,
    places: &Places,
    answers: &[Answer],
    calm: &[Answer],
    verdict: &mut Verdict,
) -> HashMap<Name, (i32, i64)> {
    let calm: HashMap<&Name, &Answer> = calm.iter().map(|answer| (&answer.name, answer)).collect();
    let mut firsts = HashMap::new();
    let mut causes = HashSet::new();
    let mut in_turn = Vec::new();
    for answer in answers {
        let Answer { place, name, cause, .. } = answer;
        let report = places.get(&(cause.1, cause.2)).and_then(|index| evidence.sent[*index].name.as_ref());
        if *cause.0 != *evidence.load_topic || report != Some(name) {
            verdict.findings.add(Wrong::Value, || format!("the answer {name:?} at {place:?} names another cause"));
        }
        let same = calm.get(name).is_some_and(|calm| is_same(answer, calm, evidence));
        if !same {
            verdict
                .findings
                .add(Wrong::Value, || format!("the answer {name:?} at {place:?} is not the undisturbed one"));
        }
        if firsts.contains_key(name) {
            verdict.duplicates += 1;
            if evidence.exactly_once {
                verdict.findings.add(Wrong::Duplicate, || format!("the answer {name:?} at {place:?}"));
            }
            continue;
        }
        firsts.insert(name.clone(), *place);
        in_turn.push(name);
        if !causes.insert((cause.1, cause.2)) {
            verdict.findings.add(Wrong::DuplicateAfterDedupe, || format!("the cause of {name:?} has another answer"));
        }
    }
    in_order(in_turn.into_iter(), "the topic", &mut verdict.findings);
    firsts
}

/// Byte for byte, but for the prefix in the topic's name.
fn is_same(answer: &Answer, calm: &Answer, evidence: &Evidence) -> bool {
    let (own, other) = (evidence.load_topic.as_bytes(), evidence.calm_load_topic.as_bytes());
    if answer.key != calm.key || answer.place.0 != calm.place.0 || answer.value.len() != calm.value.len() {
        return false;
    }
    let at = answer.value.windows(own.len()).rposition(|bytes| bytes == own);
    at.is_some_and(|at| {
        let (end, rest) = (at + own.len(), &calm.value);
        answer.value[..at] == rest[..at] && rest[at..end] == *other && answer.value[end..] == rest[end..]
    })
}

/// Each node's names must ascend.
fn in_order<'a>(names: impl Iterator<Item = &'a Name>, place: &str, findings: &mut Findings) {
    let mut last: HashMap<Arc<str>, i64> = HashMap::new();
    for (node, sequence) in names {
        let before = last.insert(Arc::clone(node), *sequence);
        if let Some(before) = before.filter(|before| before >= sequence) {
            findings.add(Wrong::Order, || format!("on {place} {node} went from {before} to {sequence}"));
        }
    }
}

fn commits(
    evidence: &Evidence,
    forecasts: &HashMap<Name, (i32, i64)>,
    quotas: &HashMap<Name, (i32, i64)>,
    letters: &HashMap<(i32, i64), (i32, i64)>,
    findings: &mut Findings,
) {
    let answer = |of: &HashMap<Name, (i32, i64)>, name: &Name| {
        of.get(name).map_or(Output::Nowhere, |(partition, offset)| Output::Answer(*partition, *offset))
    };
    let of_load = evidence.sent.iter().filter_map(|sent| {
        let place = sent.place?;
        let letter = || letters.get(&place).map_or(Output::Nowhere, |(p, o)| Output::Letter(*p, *o));
        Some((place, sent.name.as_ref().map_or_else(letter, |name| answer(forecasts, name))))
    });
    let of_forecasts = evidence.answers.forecasts.iter().map(|forecast| {
        let repeats = forecasts.get(&forecast.name) != Some(&forecast.place);
        (forecast.place, if repeats { Output::None } else { answer(quotas, &forecast.name) })
    });
    for (stage, outputs) in
        [(Stage::Forecast, commits::outputs(of_load)), (Stage::Quota, commits::outputs(of_forecasts))]
    {
        for line in commits::ahead(stage, &evidence.samples, &outputs) {
            findings.add(Wrong::CommitAhead, || line);
        }
    }
}

#[cfg(test)]
mod tests;
