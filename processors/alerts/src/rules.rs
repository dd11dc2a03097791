//! The rules of some files, compiled together: what the evaluation needs to know of them.

use promql_parser::label::Matcher;

use crate::error::{AlertsError, Place, Problem};
use crate::expr::{Compiler, Plan};
use crate::file;
use crate::labels::Labels;
use crate::series::{SERIES, SILENCE_MS};
use crate::template::Template;

/// The rules that are on where nothing else is said.
pub const DEFAULT_FILE: &str = include_str!("../rules/default.yml");

/// Compiled rules.
#[derive(Debug, Default)]
pub struct Rules {
    pub(crate) groups: Vec<Group>,
    /// Matchers on node and pool, by the number that selectors have.
    pub(crate) filters: Vec<Vec<Matcher>>,
    /// How far back each series is looked at; `None`: not at all.
    pub(crate) depth_ms: [Option<i64>; SERIES],
}

/// Rules that are evaluated together.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) interval_ms: i64,
    pub(crate) rules: Vec<Rule>,
}

/// An alert rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    /// Where it stands in its file.
    pub(crate) place: Place,
    pub(crate) plan: Plan,
    /// Its number among all rules.
    pub(crate) number: u32,
    pub(crate) for_ms: i64,
    pub(crate) keep_ms: i64,
    pub(crate) labels: Vec<(String, Template)>,
    pub(crate) annotations: Vec<(String, Template)>,
}

impl Rules {
    /// Reads rule files, given as names and texts.
    ///
    /// # Errors
    /// The first file that is refused, with all that is wrong in it.
    pub fn parse<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Result<Self, AlertsError> {
        let mut compiler = Compiler::default();
        let mut groups: Vec<Group> = Vec::new();
        for (name, text) in files {
            let mut problems = Vec::new();
            let read = file::read(text, &mut compiler, &mut problems);
            let mut known: Vec<&Rule> = groups.iter().flat_map(|group| &group.rules).collect();
            for rule in read.iter().flat_map(|group| &group.rules) {
                if known.iter().any(|other| other.name == rule.name && other.labels == rule.labels) {
                    let message = format!(
                        "the alert {} stands twice with the same labels: nobody could tell them apart",
                        rule.name
                    );
                    problems.push(Problem { place: rule.place, message });
                }
                known.push(rule);
            }
            if !problems.is_empty() {
                problems.sort_by_key(|problem| problem.place);
                return Err(AlertsError::File { file: name.to_owned(), problems });
            }
            groups.extend(read);
        }
        groups.retain(|group| !group.rules.is_empty());
        for (number, rule) in (0..).zip(groups.iter_mut().flat_map(|group| &mut group.rules)) {
            rule.number = number;
        }
        Ok(Self { groups, filters: compiler.filters, depth_ms: compiler.depth_ms })
    }

    /// The names of the rules with how often each stands in the files, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all().map(|rule| rule.name.as_str())
    }

    /// Event time before an evaluation on which its outcome depends, in ms: what is read again after a restart.
    #[must_use]
    pub fn reach_ms(&self) -> i64 {
        let held = self.all().map(|rule| rule.for_ms + rule.keep_ms).max().unwrap_or(0);
        let interval = self.groups.iter().map(|group| group.interval_ms).max().unwrap_or(0);
        self.look_ms() + held + interval
    }

    /// Whether some rule takes the nodes of a pool together.
    pub(crate) fn have_pools(&self) -> bool {
        self.all().any(|rule| !rule.plan.is_of_a_node())
    }

    /// How long alerts can go on after their last sample.
    pub(crate) fn afterlife_ms(&self) -> i64 {
        self.look_ms() + self.all().map(|rule| rule.keep_ms).max().unwrap_or(0)
    }

    /// How long a silent node can matter to an expression.
    pub(crate) fn patience_ms(&self) -> i64 {
        self.look_ms().max(SILENCE_MS)
    }

    /// How far back expressions look.
    pub(crate) fn look_ms(&self) -> i64 {
        self.all().map(|rule| rule.plan.reach_ms()).max().unwrap_or(0)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }
}

impl Rule {
    /// The labels of an alert of which the expression has these.
    pub(crate) fn labels(&self, found: &Labels) -> Labels {
        let mut labels = found.clone();
        labels.extend(expand(&self.labels, found, 0.0).filter(|(_, text)| !text.is_empty()));
        labels.insert("alertname".to_owned(), self.name.clone());
        labels
    }

    /// Its annotations.
    pub(crate) fn annotations(&self, found: &Labels, value: f64) -> Labels {
        expand(&self.annotations, found, value).collect()
    }
}

fn expand<'a>(
    templates: &'a [(String, Template)],
    labels: &'a Labels,
    value: f64,
) -> impl Iterator<Item = (String, String)> + 'a {
    templates.iter().map(move |(name, template)| (name.clone(), template.expand(labels, value)))
}
