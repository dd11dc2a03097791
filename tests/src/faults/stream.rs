//! Answers as they come, until there is one for each report.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tidegate_schemas::Topic;

use super::answers::{Answer, Schemas};
use super::reading::Reading;
use super::sender::Name;
use super::site::PARTITIONS;

/// The answers of one topic.
#[derive(Debug)]
pub struct Stream {
    reading: Reading,
    schemas: Schemas,
    answers: Vec<Answer>,
    names: HashSet<Name>,
}

impl Stream {
    /// Of a topic under a prefix.
    ///
    /// # Errors
    /// Where no client could be made.
    pub fn of(bootstrap: &str, topic: Topic, prefix: &str, registry: &str) -> anyhow::Result<Self> {
        let reading = Reading::of(bootstrap, &topic.name(prefix), PARTITIONS)?;
        Ok(Self { reading, schemas: Schemas::at(registry), answers: Vec::new(), names: HashSet::new() })
    }

    /// Takes what has come.
    fn advance(&mut self, wait: Duration) -> anyhow::Result<()> {
        self.reading.advance(wait)?;
        let new = self.schemas.answers(std::mem::take(&mut self.reading.records))?;
        self.names.extend(new.iter().map(|answer| answer.name.clone()));
        self.answers.extend(new);
        Ok(())
    }

    /// Waits until so many different reports are answered, or nothing new has come for so long; says whether they are.
    ///
    /// # Errors
    /// What can not be read or decoded.
    pub fn wait_for(&mut self, wanted: usize, patience: Duration) -> anyhow::Result<bool> {
        let mut last = (self.names.len(), Instant::now());
        while self.names.len() < wanted {
            self.advance(Duration::from_millis(500))?;
            if self.names.len() > last.0 {
                last = (self.names.len(), Instant::now());
            }
            if last.1.elapsed() > patience {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All answers, once nothing more has come for two seconds.
    ///
    /// # Errors
    /// What can not be read or decoded.
    pub fn into_answers(mut self) -> anyhow::Result<Vec<Answer>> {
        self.advance(Duration::from_secs(2))?;
        Ok(self.answers)
    }
}
