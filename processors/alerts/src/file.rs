//! A rule file: Prometheus' groups and rules, read from YAML and compiled; all that is wrong is told, each at its place.
//!
//! ```text
//! yaml.rs ─> Node ─> groups ─> rules ─┬─> expr/      ─> Plan
//!                                     └─> template/  ─> Template
//! ```

use crate::duration;
use crate::error::{Place, Problem};
use crate::expr::Compiler;
use crate::labels::NAMES;
use crate::rules::{Group, Rule};
use crate::template::Template;
use crate::yaml::{self, Node, Value};

/// Interval of a group that says none, as Prometheus' own default.
const INTERVAL_MS: i64 = 60_000;

/// Reads a file's groups; what is wrong goes to `problems`.
pub(crate) fn read(text: &str, compiler: &mut Compiler, problems: &mut Vec<Problem>) -> Vec<Group> {
    let mut reader = Reader { text, compiler, problems };
    let document = match yaml::read(text) {
        Ok(Some(document)) => document,
        Ok(None) => {
            reader.wrong(Place { line: 1, column: 1 }, "the file is empty; a rule file begins with groups:");
            return Vec::new();
        }
        Err(problem) => {
            reader.problems.push(problem);
            return Vec::new();
        }
    };
    reader.file(&document)
}

struct Reader<'r> {
    text: &'r str,
    compiler: &'r mut Compiler,
    problems: &'r mut Vec<Problem>,
}

impl Reader<'_> {
    fn wrong(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Problem { place, message: message.into() });
    }

    /// The place of the first of some words within a value, or of the value.
    fn place_of(&self, node: &Node, words: Option<&str>) -> Place {
        let (begin, end) = node.extent;
        let Some(words) = words.filter(|words| !words.is_empty()) else { return node.place };
        let at = |index: usize| self.text.char_indices().nth(index).map_or(self.text.len(), |(at, _)| at);
        let (begin, end) = (at(begin), at(end));
        let Some(found) = find_word(&self.text[begin..end], words) else { return node.place };
        let before = &self.text[..begin + found];
        let line_begin = before.rfind('\n').map_or(0, |at| at + 1);
        Place { line: before.matches('\n').count() + 1, column: before[line_begin..].chars().count() + 1 }
    }

    fn file(&mut self, document: &Node) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (key, value) in self.entries(document, "a rule file is a mapping that begins with groups:") {
            if key.text() != Some("groups") {
                self.unknown(key, "a rule file has groups");
                continue;
            }
            for group in self.items(value, "groups is a list") {
                let Some((name, group)) = self.group(group) else { continue };
                if groups.iter().any(|known| known.name == group.name) {
                    self.wrong(name, format!("the group {:?} stands twice", group.name));
                }
                groups.push(group);
            }
        }
        groups
    }

    fn group(&mut self, node: &Node) -> Option<(Place, Group)> {
        let mut group = Group { name: String::new(), interval_ms: INTERVAL_MS, rules: Vec::new() };
        let mut name_at = node.place;
        for (key, value) in self.entries(node, "a group is a mapping with name: and rules:") {
            match key.text().unwrap_or_default() {
                "name" => {
                    name_at = value.place;
                    group.name = self.wanted_text(value, "the name of the group").unwrap_or_default();
                }
                "interval" => match self.duration(value) {
                    Some(ms) if ms >= 1000 => group.interval_ms = ms,
                    Some(_) => self.wrong(value.place, "an interval is at least 1s"),
                    None => {}
                },
                "limit" if matches!(value.text(), None | Some("0")) => {}
                "limit" => self.wrong(key.place, "a limit of alerts is not supported; leave it out"),
                "rules" => {
                    for rule in self.items(value, "rules is a list") {
                        group.rules.extend(self.rule(rule));
                    }
                }
                _ => self.unknown(key, "a group has name, interval and rules"),
            }
        }
        if group.name.is_empty() {
            self.wrong(name_at, "the group has no name");
            return None;
        }
        Some((name_at, group))
    }

    fn rule(&mut self, node: &Node) -> Option<Rule> {
        let before = self.problems.len();
        let (mut name, mut plan) = (String::new(), None);
        let (mut for_ms, mut keep_ms) = (0, 0);
        let (mut labels, mut annotations) = (Vec::new(), Vec::new());
        for (key, value) in self.entries(node, "a rule is a mapping with alert: and expr:") {
            match key.text().unwrap_or_default() {
                "alert" => name = self.wanted_text(value, "the name of the alert").unwrap_or_default(),
                "expr" => {
                    let Some(text) = self.wanted_text(value, "the expression") else { continue };
                    match self.compiler.compile(&text) {
                        Ok(compiled) => plan = Some(compiled),
                        Err(refusal) => {
                            let place = self.place_of(value, refusal.words.as_deref());
                            self.wrong(place, refusal.message);
                        }
                    }
                }
                "for" => for_ms = self.duration(value).unwrap_or(0),
                "keep_firing_for" => keep_ms = self.duration(value).unwrap_or(0),
                "labels" => labels = self.templates(value, true),
                "annotations" => annotations = self.templates(value, false),
                "record" => self.wrong(key.place, "recording rules are not supported; only rules with alert:"),
                _ => self.unknown(key, "a rule has alert, expr, for, keep_firing_for, labels and annotations"),
            }
        }
        if self.problems.len() == before {
            if name.is_empty() {
                self.wrong(node.place, "the rule has no alert: with its name");
            } else if plan.is_none() {
                self.wrong(node.place, format!("the alert {name} has no expr:"));
            }
        }
        Some(Rule { name, place: node.place, plan: plan?, number: 0, for_ms, keep_ms, labels, annotations })
    }

    fn templates(&mut self, node: &Node, are_labels: bool) -> Vec<(String, Template)> {
        let mut templates = Vec::new();
        for (key, value) in self.entries(node, "labels and annotations are mappings of texts") {
            let name = key.text().unwrap_or_default().to_owned();
            if !is_label_name(&name) {
                self.wrong(key.place, format!("{name:?} is no name: letters, digits and _, no digit first"));
                continue;
            }
            if are_labels && (NAMES.contains(&name.as_str()) || name == "alertname" || name.starts_with("__")) {
                self.wrong(key.place, format!("the label {name} comes from the series; a rule cannot set it"));
                continue;
            }
            let Some(text) = self.text_or_nothing(value) else { continue };
            match Template::parse(&text) {
                Ok(template) if are_labels && template.has_value() => {
                    let message =
                        "a label that holds the value would make another alert at every evaluation; use an annotation";
                    self.wrong(value.place, message);
                }
                Ok(template) => templates.push((name, template)),
                Err((words, message)) => {
                    let place = self.place_of(value, Some(&words));
                    self.wrong(place, message);
                }
            }
        }
        templates
    }

    fn entries<'n>(&mut self, node: &'n Node, wanted: &str) -> &'n [(Node, Node)] {
        match &node.value {
            Value::Map(entries) => entries,
            Value::Text(None) => &[],
            _ => {
                self.wrong(node.place, wanted);
                &[]
            }
        }
    }

    fn items<'n>(&mut self, node: &'n Node, wanted: &str) -> &'n [Node] {
        match &node.value {
            Value::List(items) => items,
            Value::Text(None) => &[],
            _ => {
                self.wrong(node.place, wanted);
                &[]
            }
        }
    }

    fn wanted_text(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = node.text().filter(|text| !text.trim().is_empty()).map(str::to_owned);
        if text.is_none() {
            self.wrong(node.place, format!("{what} must be a text"));
        }
        text
    }

    fn text_or_nothing(&mut self, node: &Node) -> Option<String> {
        match &node.value {
            Value::Text(text) => Some(text.clone().unwrap_or_default()),
            _ => {
                self.wrong(node.place, "this must be a text");
                None
            }
        }
    }

    fn duration(&mut self, node: &Node) -> Option<i64> {
        let parsed = node.text().and_then(duration::parse);
        if parsed.is_none() {
            self.wrong(node.place, "this must be a duration as 30s, 5m or 1h30m, at most 7d");
        }
        parsed
    }

    fn unknown(&mut self, key: &Node, there_are: &str) {
        let name = key.text().unwrap_or_default().to_owned();
        self.wrong(key.place, format!("{name:?} is not known here; {there_are}"));
    }
}

fn is_label_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Where words stand that are not a part of longer ones.
fn find_word(text: &str, words: &str) -> Option<usize> {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    let stands_alone = |at: usize| {
        let before = text[..at].chars().next_back().is_some_and(joins) && words.starts_with(joins);
        let after = text[at + words.len()..].chars().next().is_some_and(joins) && words.ends_with(joins);
        !before && !after
    };
    let all = || text.match_indices(words).map(|(at, _)| at);
    all().find(|at| stands_alone(*at)).or_else(|| all().next())
}
