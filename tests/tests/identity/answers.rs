//! What the stages published, by node and in order, without repetitions.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::sync::Arc;

use tidegate_schemas::records::{Cause, Forecast, ForecastState, LoadReport, QuotaCommand, Record};
use tidegate_schemas::{CatalogueIds, Decoder, Topic};
use tidegate_tests::client::Raw;

use crate::site::Site;

/// The reports on the load topic by partition and offset.
pub(crate) type Load = BTreeMap<(i32, i64), LoadReport>;

/// One answer to a report: its key and value as they stand on the topic.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    sequence: i64,
    key: Vec<u8>,
    value: Vec<u8>,
}

/// The answers on one topic, by node.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    by_node: BTreeMap<String, Vec<Answer>>,
    /// Records that repeat an earlier one.
    pub(crate) repeated: usize,
}

/// Both topics.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) forecasts: Answers,
    pub(crate) quotas: Answers,
}

/// A record that answers a report.
trait Answering: Record + Debug {
    /// Node, sequence and position of the report.
    fn name(&self) -> (&String, i64, &Cause);
}

impl Answering for Forecast {
    fn name(&self) -> (&String, i64, &Cause) {
        (&self.node_id, self.sequence, &self.cause)
    }
}

impl Answering for QuotaCommand {
    fn name(&self) -> (&String, i64, &Cause) {
        (&self.node_id, self.sequence, &self.cause)
    }
}

impl Outcome {
    pub(crate) fn read(site: &Site<'_>, load: &Load) -> Self {
        assert_eq!(site.read(Topic::DeadLetters), [], "nothing of this load is to be set aside");
        Self {
            forecasts: Answers::of::<Forecast>(&site.read(Topic::Forecasts), load),
            quotas: Answers::of::<QuotaCommand>(&site.read(Topic::Quotas), load),
        }
    }

    /// Fails at the first answer that is not the same in `other`.
    pub(crate) fn assert_same(&self, name: &str, other: &Self, other_name: &str) {
        let names = [name, other_name];
        self.forecasts.assert_same::<Forecast>(&other.forecasts, names);
        self.quotas.assert_same::<QuotaCommand>(&other.quotas, names);
    }
}

impl Answers {
    fn of<T: Answering>(records: &[Raw], load: &Load) -> Self {
        let mut answers = Self::default();
        let mut seen: HashMap<(String, i64), usize> = HashMap::new();
        for raw in records {
            let value = raw.value.clone().unwrap();
            let record: T = decode(&value);
            let (node, sequence, cause) = record.name();
            let answer = Answer { sequence, key: raw.key.clone().unwrap(), value };
            assert_eq!(answer.key, node.as_bytes(), "the key is the node");
            let report = &load[&(cause.partition, cause.offset)];
            assert_eq!((&report.node_id, report.sequence), (node, sequence), "the cause is the report of another");
            let of_node = answers.by_node.entry(node.clone()).or_default();
            match seen.get(&(node.clone(), sequence)) {
                Some(at) => {
                    assert_eq!(of_node[*at], answer, "the repetition at {}/{} differs", raw.partition, raw.offset);
                    answers.repeated += 1;
                }
                None => {
                    let last = of_node.last().map_or(i64::MIN, |a| a.sequence);
                    assert!(last < sequence, "{node} went back from {last} to {sequence}");
                    seen.insert((node.clone(), sequence), of_node.len());
                    of_node.push(answer);
                }
            }
        }
        answers
    }

    /// Node and sequence of every answer, sorted.
    pub(crate) fn names(&self) -> Vec<(String, i64)> {
        let of_node = |(node, answers): (&String, &Vec<Answer>)| {
            answers.iter().map(|a| (node.clone(), a.sequence)).collect::<Vec<_>>()
        };
        self.by_node.iter().flat_map(of_node).collect()
    }

    fn assert_same<T: Answering>(&self, other: &Self, names: [&str; 2]) {
        assert_eq!(self.names(), other.names(), "{names:?} answer different reports");
        for (node, answers) in &self.by_node {
            let pairs = answers.iter().zip(&other.by_node[node]);
            let differ = pairs.clone().filter(|(a, b)| a != b).count();
            if let Some((a, b)) = pairs.clone().find(|(a, b)| a != b) {
                let (a, b): (T, T) = (decode(&a.value), decode(&b.value));
                panic!("{names:?} differ in {differ} of {} answers of {node}, first in\n{a:?}\n{b:?}", answers.len());
            }
        }
    }
}

fn decode<T: Record>(value: &[u8]) -> T {
    Decoder::new(Arc::new(CatalogueIds)).decode(value).unwrap()
}

/// The reports on the load topic.
pub(crate) fn reports(records: &[Raw]) -> Load {
    records.iter().map(|raw| ((raw.partition, raw.offset), decode(raw.value.as_deref().unwrap()))).collect()
}

/// The last forecast of each node: sequence and state.
#[derive(Debug)]
pub(crate) struct Standing(BTreeMap<String, (i64, ForecastState)>);

impl Standing {
    /// As of the end of these forecasts.
    pub(crate) fn of(forecasts: &[Raw]) -> Self {
        let forecasts = forecasts.iter().map(|raw| decode::<Forecast>(raw.value.as_deref().unwrap()));
        Self(forecasts.map(|f| (f.node_id, (f.sequence, f.state))).collect())
    }

    /// Share of the nodes that are READY.
    pub(crate) fn ready_share(&self) -> f64 {
        let ready = self.0.values().filter(|(_, state)| *state == ForecastState::Ready).count();
        ready as f64 / self.0.len() as f64
    }

    /// State of the READY nodes in their next forecast.
    pub(crate) fn next_of_ready(&self, forecasts: &[Raw]) -> BTreeMap<String, ForecastState> {
        let mut next = BTreeMap::new();
        for raw in forecasts {
            let forecast: Forecast = decode(raw.value.as_deref().unwrap());
            let Some((last, ForecastState::Ready)) = self.0.get(&forecast.node_id) else { continue };
            if forecast.sequence > *last {
                next.entry(forecast.node_id).or_insert(forecast.state);
            }
        }
        next
    }
}
