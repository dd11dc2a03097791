//! Deliberately broken programs, for the checker to catch: the real stages on the real driver, with one promise broken. Nothing
//! of this is in the shipped binary.
//!
//! ```text
//! hasty       stage ─> its outputs go by a producer of their own, in no hurry; the driver is told of none and commits at once
//! forgetful   stage ─> neither rewound nor given its last outputs: begins anew wherever it is assigned
//! ```

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use tidegate_broker::Registry;
use tidegate_broker::{
    Deliveries, Job, KafkaSettings, Keyed, Metrics, Outgoing, Past, Processing, Publisher, Received, Rejection, Stage,
    Stop, Verdict, WorkStatus, run_stage,
};
use tidegate_forecast::Model;
use tidegate_quota::{PolicyName, Settings};
use tidegate_schemas::partition::partition_of;
use tidegate_schemas::records::{Control, Record};
use tidegate_schemas::{CatalogueIds, Encoder, Topic};
use tidegate_stages::{ForecastStage, QuotaStage, primed};

use super::site::PARTITIONS;

/// How long the hasty producer waits for more to send, ms.
const NO_HURRY_MS: u32 = 3_000;

/// How to run; the words behind are those of `tidegate run`, of which it knows the first few.
#[derive(Debug, Clone, Args)]
pub struct BrokenOptions {
    /// What is broken: hasty or forgetful.
    pub how: String,
    /// `run forecast quota`.
    pub command: Vec<String>,
    /// Brokers.
    #[arg(long)]
    pub brokers: String,
    /// Prefix.
    #[arg(long)]
    pub prefix: String,
    /// Not read: the settings are known.
    #[arg(long)]
    pub config: String,
    /// Not asked: the ids are known.
    #[arg(long)]
    pub schema_registry_url: String,
}

/// The decisions' settings, those of the suite's own file: another would show as wrong values.
fn quota_settings(model: &Model) -> Settings {
    let mut settings = Settings { policy: PolicyName::Headroom, ..Settings::default() };
    settings.rails.largest_step_up = Some(0.5);
    settings.rails.largest_step_down = Some(0.05);
    settings.rails.dead_band = 0.02;
    settings.rails.hold_down_ms = 600_000;
    primed(settings, model)
}

/// Runs both stages until the process is ended.
///
/// # Errors
/// What the driver says.
pub fn run(options: &BrokenOptions) -> anyhow::Result<()> {
    let extra = [("session.timeout.ms", "6000"), ("heartbeat.interval.ms", "1000")];
    let extra = extra.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let (brokers, prefix) = (options.brokers.clone(), options.prefix.clone());
    let settings = KafkaSettings { brokers, prefix, extra, ..KafkaSettings::default() };
    let model = Arc::new(Model::shipped()?);
    let (forecast, quota) = (ForecastStage::new(Arc::clone(&model)), QuotaStage::new(quota_settings(&model)));
    let done = std::thread::scope(|scope| {
        let threads = match options.how.as_str() {
            "hasty" => {
                let (forecast, quota) = (Hasty::new(forecast, &settings)?, Hasty::new(quota, &settings)?);
                [scope.spawn(|| one(forecast, &settings)), scope.spawn(|| one(quota, &settings))]
            }
            "forgetful" => {
                let (forecast, quota) = (Forgetful(forecast), Forgetful(quota));
                [scope.spawn(|| one(forecast, &settings)), scope.spawn(|| one(quota, &settings))]
            }
            other => bail!("{other:?} is no way to be broken"),
        };
        threads.into_iter().try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a stage panicked")))
    });
    done.context("running a broken stage")
}

fn one<S: Stage>(stage: S, settings: &KafkaSettings) -> anyhow::Result<()> {
    let metrics = Metrics::new(&Registry::new(), stage.name())?;
    let (status, stop) = (WorkStatus::default(), Stop::default());
    let ids = Arc::new(CatalogueIds);
    let (metrics, status, stop) = (&metrics, &status, &stop);
    let processing = Processing::default();
    Ok(run_stage(stage, &Job { settings, ids, max_batch: 5000, processing, metrics, status, stop })?)
}

/// Passes on what every broken stage leaves as it is.
macro_rules! unbroken {
    ($inner:tt) => {
        type Input = S::Input;
        type Output = S::Output;

        fn name(&self) -> &'static str {
            self.$inner.name()
        }
        fn input(&self) -> Topic {
            self.$inner.input()
        }
        fn output(&self) -> Topic {
            self.$inner.output()
        }
        fn check(&self, record: &S::Input, key: Option<&[u8]>, timestamp: Option<i64>) -> Result<(), Rejection> {
            self.$inner.check(record, key, timestamp)
        }
        fn side_input(&self) -> Option<Topic> {
            self.$inner.side_input()
        }
        fn check_side(&self, key: &str, control: &Control) -> Result<(), Rejection> {
            self.$inner.check_side(key, control)
        }
        fn side(&mut self, key: &str, value: Option<Control>) {
            self.$inner.side(key, value);
        }
        fn revoked(&mut self, partition: i32) {
            self.$inner.revoked(partition);
        }
    };
}

/// Commits before the broker has acknowledged.
struct Hasty<S> {
    inner: S,
    publisher: Publisher,
    encoder: Encoder,
    output: String,
}

impl<S: Stage> Hasty<S> {
    fn new(inner: S, settings: &KafkaSettings) -> anyhow::Result<Self> {
        let in_no_hurry = KafkaSettings { linger_ms: NO_HURRY_MS, ..settings.clone() };
        let publisher = Publisher::new(&in_no_hurry, Arc::new(Deliveries::default()))?;
        let encoder = Encoder::new(inner.output(), S::Output::KIND, &CatalogueIds)?;
        Ok(Self { output: settings.topic(inner.output()), inner, publisher, encoder })
    }

    fn publish(&self, output: &S::Output) -> anyhow::Result<()> {
        let mut bytes = Vec::new();
        self.encoder.encode(output, &mut bytes)?;
        self.publisher.send(&Outgoing {
            topic: &self.output,
            partition: Some(partition_of(output.partition_key().as_bytes(), PARTITIONS)),
            key: Some(output.key().as_bytes()),
            payload: Some(&bytes),
            ..Outgoing::default()
        })?;
        Ok(())
    }
}

impl<S: Stage> Stage for Hasty<S> {
    unbroken!(inner);

    fn process(&mut self, batch: &[Received<S::Input>]) -> Vec<(usize, Verdict<S::Output>)> {
        let verdicts = self.inner.process(batch);
        for (_, verdict) in &verdicts {
            if let Verdict::Output(output) = verdict {
                self.publish(output).unwrap_or_else(|e| panic!("an output could not be sent: {e:#}"));
            }
        }
        Vec::new()
    }
    fn restores_from_output(&self) -> bool {
        self.inner.restores_from_output()
    }
    fn restore(&mut self, partition: i32, output: S::Output) {
        self.inner.restore(partition, output);
    }
    fn depends_on_past(&self) -> bool {
        self.inner.depends_on_past()
    }
    fn rebuild_from(&mut self, partition: i32, past: Past) -> i64 {
        self.inner.rebuild_from(partition, past)
    }
    fn rebuild(&mut self, batch: &[Received<S::Input>]) {
        self.inner.rebuild(batch);
    }
    fn restored(&mut self, partition: i32) {
        self.inner.restored(partition);
    }
    fn rewind_to(&mut self, partition: i32) -> Option<Past> {
        self.inner.rewind_to(partition)
    }
}

/// Restores nothing.
struct Forgetful<S>(S);

impl<S: Stage> Stage for Forgetful<S> {
    unbroken!(0);

    fn process(&mut self, batch: &[Received<S::Input>]) -> Vec<(usize, Verdict<S::Output>)> {
        self.0.process(batch)
    }
}
