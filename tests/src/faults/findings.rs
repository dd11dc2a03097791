//! What the checker found, by count and with the first of each as an example.

use std::collections::BTreeMap;

/// Examples of each kind that are kept.
const EXAMPLES: usize = 5;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// A report without forecast, command or delivery; an acknowledged record that is gone; poison that is nowhere.
    Lost,
    /// A second decision of one report under another name.
    DuplicateAfterDedupe,
    /// A decision that repeats another, where there must be none.
    Duplicate,
    /// A node's decisions are not in the order of its reports.
    Order,
    /// A decision that is not that of the undisturbed run, or whose cause is another report.
    Value,
    /// A commit ahead of an output.
    CommitAhead,
    /// A process did what it must not.
    Process,
}

impl Wrong {
    fn words(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::DuplicateAfterDedupe => "decided twice under two names",
            Self::Duplicate => "repeated under exactly-once",
            Self::Order => "out of order",
            Self::Value => "of a wrong value",
            Self::CommitAhead => "commits ahead of an output",
            Self::Process => "processes that misbehaved",
        }
    }
}

/// Counts and examples.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    found: BTreeMap<Wrong, (u64, Vec<String>)>,
}

impl Findings {
    /// Adds one.
    pub fn add(&mut self, wrong: Wrong, example: impl FnOnce() -> String) {
        let (count, examples) = self.found.entry(wrong).or_default();
        *count += 1;
        if examples.len() < EXAMPLES {
            examples.push(example());
        }
    }

    /// How many there are of a kind.
    #[must_use]
    pub fn count(&self, wrong: Wrong) -> u64 {
        self.found.get(&wrong).map_or(0, |(count, _)| *count)
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// A line for each kind and each example.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let of_kind = |(wrong, (count, examples)): (&Wrong, &(u64, Vec<String>))| {
            let head = format!("{count} {}, e.g.", wrong.words());
            std::iter::once(head).chain(examples.iter().map(|example| format!("  {example}"))).collect::<Vec<_>>()
        };
        self.found.iter().flat_map(of_kind).collect()
    }
}
