//! Sends letters back and marks each one once the broker has taken it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tidegate_broker::{Acknowledge, BrokerError, NO_TICKET, Outgoing, Publisher, Stop};
use tidegate_schemas::dead_letters::{Header, Letter, borrowed};

use super::super::topic::LetterTopic;
use crate::commands::{counted, drain, tell};
use crate::exit::{self, failure};

/// How long a stopped command waits for what it has sent.
const LAST_WAIT: Duration = Duration::from_secs(8);

/// A letter that went back, or would.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Gone {
    partition: i32,
    offset: i64,
    class: String,
    to: String,
}

impl Gone {
    pub(super) fn of(letter: &Letter) -> Self {
        let (partition, offset) = (letter.place.partition, letter.place.offset);
        Self { partition, offset, class: letter.why.class.clone(), to: letter.goes_to() }
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = format!("{}/{}", self.partition, self.offset);
        write!(f, "{place:<8}  {:<19}  would go to {}", self.class, self.to)
    }
}

/// Delivery reports by ticket, as they come.
#[derive(Debug, Default)]
struct Reports(Mutex<Vec<(usize, Result<(), String>)>>);

impl Reports {
    fn push(&self, ticket: usize, result: Result<(), String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((ticket, result));
    }

    fn take(&self) -> Vec<(usize, Result<(), String>)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Acknowledge for Reports {
    fn delivered(&self, ticket: usize) {
        if ticket != NO_TICKET {
            self.push(ticket, Ok(()));
        }
    }

    fn failed(&self, ticket: usize, error: BrokerError) {
        self.push(ticket, Err(error.to_string()));
    }
}

/// A letter on its way, and its mark.
struct Pending {
    gone: Gone,
    partition: i32,
    mark: Vec<Header>,
}

/// Sends letters back.
pub(super) struct Sender {
    publisher: Publisher,
    reports: Arc<Reports>,
    dead_letters: String,
    stop: Stop,
    pending: HashMap<usize, Pending>,
    sent: usize,
    gone: Vec<Gone>,
    /// Letters, and marks, that the broker refused, with why the first of them.
    refused: (u64, Option<String>),
    unmarked: (u64, Option<String>),
}

impl Sender {
    pub(super) fn new(topic: &LetterTopic) -> anyhow::Result<Self> {
        let reports = Arc::new(Reports::default());
        let publisher = Publisher::new(&topic.kafka, Arc::<Reports>::clone(&reports))?;
        Ok(Self {
            publisher,
            reports,
            dead_letters: topic.name.clone(),
            stop: topic.stop.clone(),
            pending: HashMap::new(),
            sent: 0,
            gone: Vec::new(),
            refused: (0, None),
            unmarked: (0, None),
        })
    }

    /// Sends a letter, and marks those that the broker has taken by now.
    pub(super) fn send(&mut self, letter: &Letter) -> anyhow::Result<()> {
        self.sent += 1;
        let ticket = NO_TICKET + self.sent;
        let headers = letter.replayed_headers(&self.dead_letters);
        let record = Outgoing {
            topic: &letter.why.topic,
            partition: Some(letter.why.partition),
            key: letter.key.as_deref(),
            payload: letter.value.as_deref(),
            timestamp: None,
            headers: &borrowed(&headers),
        };
        let pending = Pending { gone: Gone::of(letter), partition: letter.place.partition, mark: letter.mark() };
        self.publisher.send_with(&record, ticket, || std::thread::sleep(Duration::from_millis(1)))?;
        self.pending.insert(ticket, pending);
        self.mark_taken()
    }

    /// Marks what the broker has taken since the last call.
    fn mark_taken(&mut self) -> anyhow::Result<()> {
        for (ticket, result) in self.reports.take() {
            let pending = self.pending.remove(&ticket);
            match (pending, result) {
                (Some(pending), Ok(())) => {
                    let record = Outgoing {
                        topic: &self.dead_letters,
                        partition: Some(pending.partition),
                        headers: &borrowed(&pending.mark),
                        ..Outgoing::default()
                    };
                    self.publisher.send(&record)?;
                    self.gone.push(pending.gone);
                }
                (Some(_), Err(why)) => count(&mut self.refused, why),
                (None, Err(why)) => count(&mut self.unmarked, why),
                (None, Ok(())) => {}
            }
        }
        Ok(())
    }

    /// Waits until the broker has taken everything, marks included; gives the letters that went back.
    ///
    /// # Errors
    /// Where a letter or a mark was refused, or a signal ended the wait.
    pub(super) fn finish(mut self) -> anyhow::Result<Vec<Gone>> {
        let mut stopped = None;
        while !self.pending.is_empty() {
            self.mark_taken()?;
            if self.stop.is_set() && stopped.get_or_insert_with(Instant::now).elapsed() > LAST_WAIT {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let marked = drain(&self.publisher, || self.stop.is_set())?;
        self.mark_taken()?;
        let replayed = counted(u64::try_from(self.gone.len())?, "letter");
        let wrong = match (&self.refused, &self.unmarked) {
            ((count, Some(why)), _) => format!("{} were not taken: {why}", counted(*count, "letter")),
            (_, (count, Some(why))) => {
                format!(
                    "{} were replayed and could not be marked, so a replay would send them again: {why}",
                    counted(*count, "letter")
                )
            }
            _ if !marked || !self.pending.is_empty() => {
                "stopped before the broker had everything; what it has without a mark would be sent again".to_owned()
            }
            _ => return Ok(self.gone),
        };
        tell(format!("{replayed} replayed"));
        Err(failure(exit::UNAVAILABLE, wrong))
    }
}

fn count((count, first): &mut (u64, Option<String>), why: String) {
    *count += 1;
    first.get_or_insert(why);
}
