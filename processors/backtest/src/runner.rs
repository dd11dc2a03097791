//! The production stages over a sequence of reports.
//!
//! ```text
//! Input ─► Stage::check (rejected ones are counted by class) ─► batch ─► ForecastStage ─► QuotaStage × n ─► Decided
//! controls, before the first report ─────────────────────────────────────────────────────┘
//! ```
//!
//! Several quota stages may decide on the same forecasts, so that policies are compared over one run. Reports must come in the
//! order of their log; nodes do not influence each other, and the size of the batches changes nothing.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use tidegate_broker::{Received, Source, Stage, Verdict};
use tidegate_schemas::records::{Control, Forecast, LoadReport, QuotaCommand};
use tidegate_stages::{ForecastStage, QuotaStage};

/// Reports in one batch where nothing else is said.
const BATCH: usize = 1_000;

/// A report as it stands in its log.
#[derive(Debug, Clone)]
pub struct Input {
    /// The record's key.
    pub key: Option<Vec<u8>>,
    /// The report with its position.
    pub received: Received<LoadReport>,
}

/// Reports that never were in a log: topic `load`, partition 0, numbered from 0; the Kafka timestamp is the event time.
pub fn made_up(reports: impl IntoIterator<Item = LoadReport>) -> impl Iterator<Item = Input> {
    let topic: Arc<str> = "load".into();
    (0..).zip(reports).map(move |(offset, record)| Input {
        key: Some(record.node_id.as_bytes().to_vec()),
        received: Received {
            source: Source { topic: Arc::clone(&topic), partition: 0, offset },
            kafka_timestamp: Some(record.timestamp),
            trace: None,
            record,
        },
    })
}

/// A report with what the stages made of it.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The report with its position.
    pub received: Received<LoadReport>,
    /// Its forecast.
    pub forecast: Forecast,
    /// The command of each quota stage, in their order.
    pub commands: Vec<QuotaCommand>,
}

/// Reports that led to no decision, by why: the class of a rejection, or `repeated`.
pub type Dropped = BTreeMap<String, u64>;

/// The stages and what they dropped.
#[derive(Debug)]
pub struct Runner {
    forecast: ForecastStage,
    quotas: Vec<QuotaStage>,
    batch: usize,
    dropped: Dropped,
}

impl Runner {
    /// A run of these stages, which should be fresh.
    #[must_use]
    pub fn new(forecast: ForecastStage, quotas: Vec<QuotaStage>) -> Self {
        Self { forecast, quotas, batch: BATCH, dropped: Dropped::new() }
    }

    /// With batches of so many reports, at least 1.
    #[must_use]
    pub fn with_batch(self, batch: usize) -> Self {
        Self { batch: batch.max(1), ..self }
    }

    /// Gives the commands that an earlier life of the quota stages has left, as a restart would.
    pub fn restore(&mut self, partition: i32, command: &QuotaCommand) {
        self.quotas.iter_mut().for_each(|stage| stage.restore(partition, command.clone()));
    }

    /// Takes the next record of the controls topic, as the quota stages' side input: its key and what it says (`None`: a
    /// tombstone). Production knows all of them before its first decision, so they come before [`Runner::run`].
    ///
    /// # Errors
    /// The class of what is wrong with it, as production counts it; it counts for nothing then.
    pub fn control(&mut self, key: &str, control: Option<Control>) -> Result<(), &'static str> {
        for stage in &mut self.quotas {
            if let Some(control) = &control {
                stage.check_side(key, control).map_err(|rejection| rejection.class)?;
            }
            stage.side(key, control.clone());
        }
        Ok(())
    }

    /// Runs the reports; `each` gets every decision in order and may break off.
    pub fn run(
        &mut self,
        reports: impl IntoIterator<Item = Input>,
        each: &mut dyn FnMut(Decided) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let mut batch = Vec::with_capacity(self.batch);
        for Input { key, received } in reports {
            match self.forecast.check(&received.record, key.as_deref(), received.kafka_timestamp) {
                Ok(()) => batch.push(received),
                Err(rejection) => self.drop(rejection.class),
            }
            if batch.len() == self.batch {
                self.decide(std::mem::take(&mut batch), each)?;
            }
        }
        self.decide(batch, each)
    }

    /// Reports that led to no decision so far.
    #[must_use]
    pub fn dropped(&self) -> &Dropped {
        &self.dropped
    }

    fn drop(&mut self, why: &str) {
        *self.dropped.entry(why.to_owned()).or_default() += 1;
    }

    fn decide(
        &mut self,
        batch: Vec<Received<LoadReport>>,
        each: &mut dyn FnMut(Decided) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let verdicts = self.forecast.process(&batch);
        let mut places = Vec::with_capacity(batch.len());
        let mut forecasts = Vec::with_capacity(batch.len());
        for (index, verdict) in verdicts {
            match verdict {
                Verdict::Drop(reason) => self.drop(reason.name()),
                // It runs once and is never restored.
                Verdict::Keep(..) => {}
                Verdict::Output(forecast) => {
                    let checked = self.quotas.iter().find_map(|stage| stage.check(&forecast, None, None).err());
                    if let Some(rejection) = checked {
                        self.drop(rejection.class);
                        continue;
                    }
                    let Received { source, kafka_timestamp, trace, .. } = &batch[index];
                    let (source, trace) = (source.clone(), trace.clone());
                    forecasts.push(Received { record: forecast, source, kafka_timestamp: *kafka_timestamp, trace });
                    places.push(index);
                }
            }
        }
        let mut commands: Vec<Vec<QuotaCommand>> = places.iter().map(|_| Vec::new()).collect();
        for stage in &mut self.quotas {
            for (index, verdict) in stage.process(&forecasts) {
                if let Verdict::Output(command) = verdict {
                    commands[index].push(command);
                }
            }
        }
        let mut reports: Vec<Option<Received<LoadReport>>> = batch.into_iter().map(Some).collect();
        for ((place, forecast), commands) in places.into_iter().zip(forecasts).zip(commands) {
            let whole = commands.len() == self.quotas.len();
            match reports[place].take().filter(|_| whole) {
                Some(received) => each(Decided { received, forecast: forecast.record, commands })?,
                None => self.drop("repeated"),
            }
        }
        ControlFlow::Continue(())
    }
}
