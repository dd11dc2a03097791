//! The forecast stage's forecasts are the same whatever the batches, also where a node was silent so long that it is forgotten.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::Arc;

use proptest::prelude::*;
use tidegate_broker::{Received, Source, Stage, Verdict};
use tidegate_forecast::Model;
use tidegate_schemas::records::{Forecast, ForecastState, LoadReport};
use tidegate_stages::ForecastStage;

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;

/// Reports of nodes every minute for five hours, twice, with some time between; the second stretch of the second node begins
/// later than that of the others.
fn reports(nodes: &[&str], silence: i64) -> Vec<Received<LoadReport>> {
    let begin = 1_700_000_040_000;
    let mut all = Vec::new();
    for stretch in 0..2 {
        for minute in 0..300 {
            for (number, node) in nodes.iter().enumerate() {
                if stretch == 1 && number == 1 && minute < 40 {
                    continue;
                }
                let at = begin + stretch * (300 * MINUTE + silence) + minute * MINUTE;
                let mut report = LoadReport::new(*node, at, MINUTE, 100.0);
                report.cpu = Some(0.3 + 0.2 * ((minute * (number as i64 + 3) % 37) as f64 / 37.0));
                report.memory = Some(0.4);
                let source = Source { topic: "load".into(), partition: 0, offset: all.len() as i64 };
                all.push(Received { record: report, source, kafka_timestamp: Some(at), trace: None });
            }
        }
    }
    all
}

fn forecasts(reports: &[Received<LoadReport>], batch: usize) -> Vec<Forecast> {
    let mut stage = ForecastStage::new(Arc::new(Model::shipped().unwrap()));
    let verdicts = reports.chunks(batch).flat_map(|batch| stage.process(batch));
    verdicts.filter_map(|(_, v)| if let Verdict::Output(forecast) = v { Some(forecast) } else { None }).collect()
}

/// Those of one node; the offsets are not the same in company.
fn of<'a>(all: &'a [Forecast], node: &'a str) -> impl Iterator<Item = Forecast> + 'a {
    all.iter().filter(move |f| f.node_id == node).map(|f| {
        let mut forecast = f.clone();
        forecast.cause.offset = 0;
        forecast
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]
    #[test]
    fn batches_do_not_matter(batch in 2usize..2_000, silence in prop::sample::select(vec![DAY / 2, DAY + MINUTE, 9 * DAY])) {
        let reports = reports(&["a", "b", "c"], silence);
        prop_assert_eq!(forecasts(&reports, batch), forecasts(&reports, 1));
    }
}

#[test]
fn a_forgotten_node_warms_up_and_is_ready_again_in_whatever_company() {
    let together = forecasts(&reports(&["a", "b", "c"], 2 * DAY), usize::MAX);
    let alone = forecasts(&reports(&["a"], 2 * DAY), 1);
    assert!(of(&together, "a").eq(of(&alone, "a")));
    let ready = |node| {
        let second = of(&together, node).filter(|f| f.timestamp > 1_700_000_040_000 + 2 * DAY);
        second.filter(|f| f.state == ForecastState::Ready).count()
    };
    assert!(["a", "b", "c"].iter().all(|node| ready(node) > 100), "{}, {}, {}", ready("a"), ready("b"), ready("c"));
}
