//! A forecast stage that was restored, from checkpoints or by rewinding, goes on as if it had never stopped: the same forecasts and
//! the same checkpoints, whatever was lost, damaged or late on their topic.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use tidegate_broker::{Past, Received, Saved, Source, Stage, Verdict};
use tidegate_forecast::Model;
use tidegate_schemas::records::{Checkpoint, LoadReport};
use tidegate_stages::ForecastStage;

const MINUTE: i64 = 60_000;
const BEGIN: i64 = 1_700_000_040_000;
const HOURS: i64 = 92;
/// Records between two commits.
const COMMIT_EVERY: usize = 70;

/// A node's name, its report interval in ms, and the minutes in which it is silent.
const NODES: [(&str, i64, std::ops::Range<i64>); 7] = [
    ("steady", MINUTE, 0..0),
    ("often", MINUTE / 2, 0..0),
    ("rare", 5 * MINUTE, 0..0),
    ("late", MINUTE, 0..4_800),
    ("with a gap", MINUTE, 1_000..1_200),
    ("gone", MINUTE, 900..9_000),
    ("forgotten and back", MINUTE, 300..1_850),
];

static MODEL: LazyLock<Arc<Model>> = LazyLock::new(|| Arc::new(Model::shipped().unwrap()));

/// All reports in the order of their partition.
static LOG: LazyLock<Vec<Received<LoadReport>>> = LazyLock::new(|| {
    let mut reports = Vec::new();
    for (number, (node, interval, silent)) in NODES.iter().enumerate() {
        for count in 0..HOURS * 60 * MINUTE / interval {
            let at = BEGIN + count * interval + number as i64 * 1_003;
            if silent.contains(&((at - BEGIN) / MINUTE)) {
                continue;
            }
            let mut report = LoadReport::new(*node, at, *interval, 100.0);
            report.cpu = Some(((count * (number as i64 + 7)) % 4_001) as f64 / 1e4 + 0.1);
            report.memory = (number != 2).then_some(0.4 + (count % 90) as f64 / 1e3);
            reports.push(report);
        }
    }
    reports.sort_by_key(|report| report.timestamp);
    let received = |(offset, record): (usize, LoadReport)| {
        let source = Source { topic: "load".into(), partition: 0, offset: offset as i64 };
        let kafka_timestamp = Some(record.timestamp + 20);
        Received { record, source, kafka_timestamp, trace: None }
    };
    reports.into_iter().enumerate().map(received).collect()
});

/// What an undisturbed stage did.
struct Undisturbed {
    verdicts: Vec<(usize, Verdict<<ForecastStage as Stage>::Output>)>,
    /// What each commit said: at which offset, and from where state comes back.
    commits: Vec<(i64, Past)>,
}

static UNDISTURBED: LazyLock<Undisturbed> = LazyLock::new(|| {
    let mut stage = stage();
    let (mut verdicts, mut commits) = (Vec::new(), Vec::new());
    for (number, batch) in LOG.chunks(COMMIT_EVERY).enumerate() {
        let first = number * COMMIT_EVERY;
        verdicts.extend(stage.process(batch).into_iter().map(|(index, verdict)| (first + index, verdict)));
        commits.push(((first + batch.len()) as i64, stage.rewind_to(0).unwrap()));
    }
    Undisturbed { verdicts, commits }
});

fn stage() -> ForecastStage {
    ForecastStage::new(Arc::clone(&MODEL)).with_checkpoints()
}

/// Checkpoints in the order of their topic, up to those of the report before `offset`.
fn topic(offset: i64) -> Vec<(String, Option<Checkpoint>)> {
    let before = UNDISTURBED.verdicts.iter().take_while(|(index, _)| (*index as i64) < offset);
    let kept = before.filter_map(|(_, verdict)| match verdict {
        Verdict::Keep(node, checkpoint) => Some((node.to_string(), checkpoint.as_deref().cloned())),
        _ => None,
    });
    kept.collect()
}

/// What happened to the topic before it was read.
#[derive(Debug, Clone)]
enum Harm {
    None,
    /// The dead process wrote this many more records than it committed.
    Ahead(i64),
    /// A zombie wrote the older half once more.
    Late,
    /// The newest of each of these nodes only: the broker compacted.
    Compacted,
    /// A node's are gone.
    Gone(usize),
    /// Bytes of a node's state were changed.
    Damaged(usize),
    /// All are of another model.
    OtherModel,
    /// Nobody counted on any.
    Rewind,
}

fn harmed(harm: &Harm, resume: i64) -> Vec<(String, Saved)> {
    let ahead = if let Harm::Ahead(by) = harm { *by } else { 0 };
    let mut all = topic(resume + ahead);
    match harm {
        Harm::Late => all.extend(all[..all.len() / 2].to_vec()),
        Harm::Compacted => {
            let last = |at: usize| !all[at + 1..].iter().any(|(node, _)| *node == all[at].0);
            all = (0..all.len()).filter(|at| last(*at)).map(|at| all[at].clone()).collect();
        }
        Harm::Gone(node) => all.retain(|(id, _)| id != NODES[*node].0),
        _ => {}
    }
    let saved = |(node, checkpoint): (String, Option<Checkpoint>)| {
        let Some(mut checkpoint) = checkpoint else { return (node, Saved::Gone) };
        match harm {
            Harm::OtherModel => checkpoint.model = "another 12345678".into(),
            Harm::Damaged(index) if NODES[*index].0 == node => checkpoint.state.truncate(900),
            _ => {}
        }
        (node, Saved::Checkpoint(checkpoint))
    };
    all.into_iter().map(saved).collect()
}

/// The stage as it is restored at a commit; gives the first offset that was read again as well.
fn restored(resume: i64, past: Past, saved: Vec<(String, Saved)>, batch: usize) -> (ForecastStage, i64) {
    let mut stage = stage();
    for (node, saved) in saved {
        let _unusable = stage.restore_checkpoint(0, (resume, past), &node, saved);
    }
    let from = stage.rebuild_from(0, past);
    LOG[from as usize..resume as usize].chunks(batch).for_each(|batch| stage.rebuild(batch));
    stage.restored(0);
    (stage, from)
}

/// Outputs from an offset on. What is kept of silent nodes, and tombstones, come when a commit noticed the silence.
fn from(offset: i64) -> impl Iterator<Item = &'static (usize, Verdict<<ForecastStage as Stage>::Output>)> {
    UNDISTURBED
        .verdicts
        .iter()
        .filter(move |(index, verdict)| *index as i64 >= offset && is_of_a_report(*index, verdict))
}

fn is_of_a_report(index: usize, verdict: &Verdict<<ForecastStage as Stage>::Output>) -> bool {
    match verdict {
        Verdict::Keep(_, checkpoint) => checkpoint.as_ref().is_some_and(|c| c.offset == index as i64),
        _ => true,
    }
}

/// Whether a node that had a checkpoint by `resume` was forgotten within the next `by` reports.
fn takes_away_what_was_counted_on(resume: i64, by: i64) -> bool {
    let (before, all) = (topic(resume), topic(resume + by));
    let had = |node: &String| before.iter().rfind(|(id, _)| id == node).is_some_and(|(_, kept)| kept.is_some());
    all[before.len()..].iter().any(|(node, kept)| kept.is_none() && had(node))
}

fn goes_on(commit: usize, harm: &Harm, batch: usize) {
    let (resume, past) = UNDISTURBED.commits[commit];
    let told = if matches!(harm, Harm::Rewind) { Past::from(past.rewind) } else { past };
    let (mut stage, read_from) = restored(resume, told, harmed(harm, resume), batch);
    let kept_from = past.kept.unwrap().from;
    match harm {
        // A tombstone does not say how far its writer was: what it took away is missed, and the long way is taken.
        Harm::Ahead(by) if takes_away_what_was_counted_on(resume, *by) => assert_eq!(read_from, past.rewind),
        Harm::None | Harm::Ahead(_) | Harm::Compacted => {
            assert_eq!(read_from, kept_from, "{harm:?} at {resume}");
        }
        Harm::OtherModel | Harm::Rewind => assert_eq!(read_from, past.rewind),
        // Not every commit counts on that node; and what came late may be newer than a tombstone.
        Harm::Gone(_) | Harm::Damaged(_) | Harm::Late => assert!(read_from == past.rewind || read_from == kept_from),
    }
    let mut expected = from(resume);
    let mut first = resume as usize;
    for batch in LOG[first..].chunks(batch) {
        for (index, verdict) in stage.process(batch) {
            if !is_of_a_report(first + index, &verdict) {
                continue;
            }
            let made = (first + index, verdict);
            assert!(expected.next() == Some(&made), "{harm:?}, restored at {resume} from {read_from}: {made:?}");
        }
        first += batch.len();
        stage.rewind_to(0);
    }
    assert!(expected.next().is_none());
}

fn any_harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => Just(Harm::None),
        4 => (1i64..2_000).prop_map(Harm::Ahead),
        2 => Just(Harm::Late),
        2 => Just(Harm::Compacted),
        2 => (0..NODES.len()).prop_map(Harm::Gone),
        2 => (0..NODES.len()).prop_map(Harm::Damaged),
        1 => Just(Harm::OtherModel),
        2 => Just(Harm::Rewind),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn whatever_happened_to_the_checkpoints(
        commit in 0..UNDISTURBED.commits.len(),
        harm in any_harm(),
        batch in 1usize..900,
    ) {
        goes_on(commit, &harm, batch);
    }
}

#[test]
fn every_harm_late_in_the_log() {
    let commit = UNDISTURBED.commits.len() * 9 / 10;
    let harms = [
        Harm::None,
        Harm::Ahead(1_000),
        Harm::Late,
        Harm::Compacted,
        Harm::Gone(0),
        Harm::Damaged(0),
        Harm::OtherModel,
        Harm::Rewind,
    ];
    harms.iter().for_each(|harm| goes_on(commit, harm, 500));
    let (resume, past) = UNDISTURBED.commits[commit];
    let kept = past.kept.unwrap();
    assert!(resume - kept.from < (resume - past.rewind) / 2, "checkpoints save little: {past:?} at {resume}");
    let (_, read_from) = restored(resume, past, harmed(&Harm::Gone(0), resume), 500);
    assert_eq!(read_from, past.rewind, "one that is missing is noticed");
}

#[test]
fn a_node_that_was_forgotten_after_the_commit_costs_the_long_way_and_no_answer() {
    let (commit, ahead) = (94, 1_681);
    assert!(takes_away_what_was_counted_on(UNDISTURBED.commits[commit].0, ahead));
    goes_on(commit, &Harm::Ahead(ahead), 500);
}

#[test]
fn a_checkpoint_of_a_node_that_is_forgotten_is_taken_away() {
    let gone: Vec<bool> =
        topic(i64::MAX).into_iter().filter(|(id, _)| id == "gone").map(|(_, c)| c.is_some()).collect();
    assert!(gone.len() > 1 && gone.ends_with(&[true, false]), "{gone:?}");
}
