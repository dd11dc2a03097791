//! Each thing that can be wrong, done to evidence in which all is well.

use super::*;

const LOAD: &str = "hits.load";

/// An answer whose bytes hold its name and the topic of its cause.
fn answer(topic: &str, name: &Name, offset: i64, cause: i64) -> Answer {
    Answer {
        place: (0, offset),
        key: name.0.as_bytes().to_vec(),
        value: format!("{name:?} because of {topic} {cause}").into_bytes(),
        name: name.clone(),
        cause: (topic.into(), 0, cause),
    }
}

/// Three reports of two nodes and one piece of poison, all on one partition.
fn all_is_well() -> Evidence {
    let names: [Name; 3] = [("a".into(), 1), ("b".into(), 1), ("a".into(), 2)];
    let mut evidence = Evidence { load_topic: LOAD.into(), calm_load_topic: "calm.load".into(), ..Evidence::default() };
    for (offset, name) in names.iter().map(Some).chain([None]).enumerate() {
        let (offset, key) = (offset as i64, name.map_or("a", |name| &*name.0));
        let raw = Raw { partition: 0, offset, ..Raw::new(key, format!("value {offset}")) };
        let place = Some((0, offset));
        evidence.sent.push(Sent { place, key: key.into(), value: raw.value.clone(), name: name.cloned() });
        evidence.load.push(raw);
    }
    for (offset, name) in (0..).zip(&names) {
        for (topic, answers) in [(LOAD, &mut evidence.answers), ("calm.load", &mut evidence.calm)] {
            answers.forecasts.push(answer(topic, name, offset, offset));
            answers.quotas.push(answer(topic, name, offset, offset));
        }
    }
    let header = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
    let headers = vec![header("source.topic", LOAD), header("source.partition", "0"), header("source.offset", "3")];
    evidence.letters.push(Raw { partition: 0, offset: 0, headers, ..Raw::new("a", "value 3") });
    evidence.delivered = names.to_vec();
    let sample = |stage| Sample { stage, committed: vec![3], output: vec![3], dead_letters: vec![1] };
    evidence.samples = Stage::ALL.map(sample).to_vec();
    evidence
}

/// What is found where this was done to good evidence, each with its count.
fn found(harm: impl FnOnce(&mut Evidence)) -> Vec<(Wrong, u64)> {
    let mut evidence = all_is_well();
    harm(&mut evidence);
    let findings = judge(&evidence).findings;
    let all = [
        Wrong::Lost,
        Wrong::DuplicateAfterDedupe,
        Wrong::Duplicate,
        Wrong::Order,
        Wrong::Value,
        Wrong::CommitAhead,
        Wrong::Process,
    ];
    all.into_iter().map(|wrong| (wrong, findings.count(wrong))).filter(|(_, count)| *count > 0).collect()
}

#[test]
fn where_all_is_well_nothing_is_found() {
    let verdict = judge(&all_is_well());
    assert_eq!(verdict.findings, Findings::default());
    assert_eq!((verdict.reports_sent, verdict.decided, verdict.duplicates), (3, 3, 0));
    assert_eq!((verdict.dead_letters, verdict.poison_sent), (1, 1));
}

#[test]
fn what_is_missing_is_lost() {
    assert_eq!(found(|e| drop(e.delivered.pop())), [(Wrong::Lost, 1)]);
    assert_eq!(found(|e| drop(e.letters.pop())), [(Wrong::Lost, 1)]);
    assert_eq!(found(|e| drop(e.load.pop())), [(Wrong::Lost, 1)], "an acknowledged record");
    let no_command = found(|e| drop(e.answers.quotas.pop()));
    assert_eq!(no_command, [(Wrong::Lost, 1), (Wrong::CommitAhead, 1)], "and the commit had passed over it");
}

#[test]
fn what_is_repeated_is_counted_and_wrong_only_under_exactly_once() {
    let repeat = |e: &mut Evidence| {
        let again = Answer { place: (0, 3), ..e.answers.quotas[0].clone() };
        e.answers.quotas.push(again);
    };
    assert_eq!(found(repeat), []);
    let mut evidence = all_is_well();
    repeat(&mut evidence);
    assert_eq!(judge(&evidence).duplicates, 1);
    assert_eq!(found(|e| (repeat(e), e.exactly_once = true).1), [(Wrong::Duplicate, 1)]);
}

#[test]
fn another_value_key_partition_or_cause_is_wrong() {
    assert_eq!(found(|e| e.answers.quotas[1].value[0] ^= 1), [(Wrong::Value, 1)]);
    assert_eq!(found(|e| e.answers.forecasts[1].key.push(b'x')), [(Wrong::Value, 1)]);
    assert_eq!(found(|e| e.answers.forecasts[1].cause.1 = 5), [(Wrong::Value, 1)]);
    assert_eq!(found(|e| e.calm.quotas[1].place.0 = 1), [(Wrong::Value, 1)]);
    assert_eq!(found(|e| e.letters[0].value = None), [(Wrong::Value, 1)]);
}

#[test]
fn a_second_decision_of_one_report_and_a_broken_order_are_found() {
    let second = found(|e| {
        let name: Name = ("b".into(), 2);
        e.answers.quotas.push(answer(LOAD, &name, 3, 1));
        e.calm.quotas.push(answer("calm.load", &name, 3, 1));
    });
    assert_eq!(second, [(Wrong::DuplicateAfterDedupe, 1), (Wrong::Value, 1)]);
    let swapped = found(|e| {
        e.answers.quotas.swap(0, 2);
        e.answers.quotas[0].place.1 = 0;
        e.answers.quotas[2].place.1 = 2;
    });
    assert_eq!(swapped, [(Wrong::Order, 1)]);
    assert_eq!(found(|e| e.delivered.swap(0, 2)), [(Wrong::Order, 1)]);
}

#[test]
fn a_commit_ahead_of_a_letter_or_an_answer_is_found() {
    assert_eq!(found(|e| e.samples[0].committed = vec![4]), []);
    assert_eq!(
        found(|e| (e.samples[0].committed = vec![4], e.samples[0].dead_letters = vec![0]).0),
        [(Wrong::CommitAhead, 1)]
    );
    assert_eq!(found(|e| e.samples[1].output = vec![2]), [(Wrong::CommitAhead, 1)]);
}
