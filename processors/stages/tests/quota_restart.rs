//! The quota stage's commands are the same bytes whatever the batches, and whenever it was restarted.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;
use tidegate_broker::{Received, Source, Stage, Verdict};
use tidegate_quota::{PolicyName, Settings};
use tidegate_schemas::records::{Cause, Forecast, ForecastState, Load, MeasuredAt, Quantiles, QuotaCommand};
use tidegate_schemas::{CatalogueIds, Decoder, Encoder, RecordKind, Topic};
use tidegate_stages::QuotaStage;

const PARTITION: i32 = 3;

fn settings() -> Settings {
    let mut settings = Settings { policy: PolicyName::Headroom, ..Settings::default() };
    settings.rails.largest_step_down = Some(0.05);
    settings.rails.dead_band = 0.01;
    settings.rails.hold_down_ms = 90_000;
    settings.rails.stale_after_ms = Some(60_000);
    settings
}

/// Three nodes, reporting every 10 s, minute and 2 minutes; now and then unmeasured, now and then in a burst.
fn forecasts(count: i64) -> Vec<Received<Forecast>> {
    let mut all = Vec::new();
    for i in 0..count {
        for (node, interval) in [("a", 10_000), ("b", 60_000), ("c", 120_000)] {
            let at = 1_700_000_000_000 + i * 10_000;
            if at % interval != 0 {
                continue;
            }
            let wave = (i * 7919 % 101) as f64 / 1000.0;
            let burst = if i % 97 < 5 { 0.4 } else { 0.0 };
            let cpu = ((0.3 + wave + burst) * 1e4_f64).round() / 1e4;
            let measured = if i % 13 == 5 { at - interval } else { at };
            let measured = if i % 200 > 180 { 1_700_000_000_000 + (i / 200 * 200 + 180) * 10_000 } else { measured };
            let forecast = Forecast {
                node_id: node.to_owned(),
                pool: String::new(),
                timestamp: at,
                sequence: at,
                base_quota: 730.5,
                quota_in_force: None,
                quota_sequence: None,
                requests_total: None,
                requests_failed_total: None,
                current: Load { cpu, memory: 0.2 },
                measured_at: MeasuredAt { cpu: measured, memory: measured },
                path_cpu: vec![cpu; 5],
                path_memory: vec![0.2; 5],
                peak_cpu: Quantiles { p50: 0.33, p90: ((0.38 + wave / 2.0 + burst / 2.0) * 1e4).round() / 1e4 },
                peak_memory: Quantiles { p50: 0.2, p90: 0.21 },
                state: if i < 30 { ForecastState::Warming } else { ForecastState::Ready },
                model: "m".to_owned(),
                cause: Cause { topic: "load".to_owned(), partition: PARTITION, offset: all.len() as i64 },
            };
            let source = Source { topic: "forecasts".into(), partition: PARTITION, offset: all.len() as i64 };
            all.push(Received { record: forecast, source, kafka_timestamp: Some(at), trace: None });
        }
    }
    all
}

fn bytes(command: &QuotaCommand) -> Vec<u8> {
    let mut bytes = Vec::new();
    Encoder::new(Topic::Quotas, RecordKind::QuotaCommand, &CatalogueIds).unwrap().encode(command, &mut bytes).unwrap();
    bytes
}

/// Commands as bytes; a new stage, restored from the last command of each node, takes over where `restarts` says so.
fn run(forecasts: &[Received<Forecast>], batch: usize, restarts: &[usize]) -> Vec<Vec<u8>> {
    let mut stage = QuotaStage::new(settings());
    let mut commands = Vec::new();
    let mut last: HashMap<String, Vec<u8>> = HashMap::new();
    let mut begin = 0;
    while begin < forecasts.len() {
        let next_restart = restarts.iter().copied().filter(|at| *at > begin).min().unwrap_or(forecasts.len());
        let end = (begin + batch).min(next_restart).min(forecasts.len());
        for (_, verdict) in stage.process(&forecasts[begin..end]) {
            let Verdict::Output(command) = verdict else { panic!("none is repeated") };
            let value = bytes(&command);
            last.insert(command.node_id, value.clone());
            commands.push(value);
        }
        if restarts.contains(&end) {
            stage = QuotaStage::new(settings());
            let mut decoder = Decoder::new(Arc::new(CatalogueIds));
            last.values().for_each(|value| stage.restore(PARTITION, decoder.decode(value).unwrap()));
        }
        begin = end;
    }
    commands
}

#[test]
fn batches_do_not_matter() {
    let forecasts = forecasts(1_500);
    let one_by_one = run(&forecasts, 1, &[]);
    assert_eq!(one_by_one.len(), forecasts.len());
    for batch in [7, 5_000] {
        assert!(run(&forecasts, batch, &[]) == one_by_one, "batches of {batch}");
    }
    let every = |limit: &str| {
        let mut decoder = Decoder::new(Arc::new(CatalogueIds));
        one_by_one.iter().any(|value| {
            let command: QuotaCommand = decoder.decode(value).unwrap();
            command.limits_hit.iter().any(|hit| hit == limit) && !command.steering.is_empty()
        })
    };
    for limit in ["dead_band", "hold_down", "largest_step_down", "stale_input"] {
        assert!(every(limit), "{limit} is to bind in this test");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn restarts_do_not_matter(
        restarts in prop::collection::vec(1_usize..900, 1..6),
        batch in prop::sample::select(vec![1_usize, 7, 5_000]),
    ) {
        let forecasts = forecasts(700);
        prop_assert!(run(&forecasts, batch, &restarts) == run(&forecasts, 64, &[]));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// A process that was given up for dead repeats old commands behind newer ones, once or more often.
    #[test]
    fn late_commands_of_a_zombie_do_not_matter(
        restart in 1_usize..600,
        late in prop::collection::vec((any::<prop::sample::Index>(), 1_usize..50), 1..4),
    ) {
        let forecasts = forecasts(500);
        let undisturbed = run(&forecasts, 64, &[]);
        let topic = |at: usize| undisturbed[at].as_slice();
        let mut stage = QuotaStage::new(settings());
        let mut decoder = Decoder::new(Arc::new(CatalogueIds));
        let repeated = late.iter().flat_map(|(begin, count)| {
            let begin = begin.index(restart);
            begin..(begin + count).min(restart)
        });
        for at in (0..restart).chain(repeated) {
            stage.restore(PARTITION, decoder.decode(topic(at)).unwrap());
        }
        for (at, verdict) in stage.process(&forecasts[restart..]) {
            let Verdict::Output(command) = verdict else { panic!("none is repeated") };
            prop_assert!(bytes(&command) == topic(restart + at), "after {restart}, at {at}");
        }
    }
}

#[test]
fn what_was_answered_is_not_answered_again() {
    let forecasts = forecasts(60);
    let mut stage = QuotaStage::new(settings());
    stage.process(&forecasts);
    assert!(stage.process(&forecasts).iter().all(|(_, verdict)| matches!(verdict, Verdict::Drop(_))));
}
