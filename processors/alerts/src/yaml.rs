//! YAML as far as a rule file needs it: mappings, lists and texts, each with its place.
//!
//! ```text
//! text ─> saphyr-parser (events with places) ─> Node
//! ```
//!
//! Anchors, aliases and tags are refused: no rule file needs them, and an alias can blow a small file up to gigabytes.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use crate::error::{Place, Problem};

/// Lists and mappings in one another at most.
const DEEPEST: usize = 16;
/// Characters of a file at most.
const LONGEST: usize = 1 << 20;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
    /// Characters of the file that it takes up.
    pub(crate) extent: (usize, usize),
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A text as it stands, quoted or not; `None`: nothing was written.
    Text(Option<String>),
    List(Vec<Node>),
    /// Keys with their places, in order.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text; `None` for what is none.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => text.as_deref(),
            _ => None,
        }
    }
}

/// Reads the one document of a file; `None` where it holds nothing.
pub(crate) fn read(text: &str) -> Result<Option<Node>, Problem> {
    if text.len() > LONGEST {
        let message = format!("the file has {} bytes; rule files have at most {LONGEST}", text.len());
        return Err(Problem { place: Place { line: 1, column: 1 }, message });
    }
    let mut reader = Reader { parser: Parser::new_from_str(text) };
    let mut document = None;
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamEnd => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
            _ if document.is_some() => return Err(problem(span, "a second document; a rule file is a single one")),
            event => document = Some(reader.node(event, span, 0)?),
        }
    }
    Ok(document)
}

struct Reader<'t> {
    parser: Parser<'t, saphyr_parser::StrInput<'t>>,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Problem> {
        self.parser.next_event().transpose().map_err(|e| {
            let place = Place { line: e.marker().line(), column: e.marker().col() + 1 };
            Problem { place, message: format!("this is not YAML: {}", e.info()) }
        })
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Problem> {
        if depth > DEEPEST {
            return Err(problem(span, "lists and mappings stand too deep in one another"));
        }
        let value = match event {
            Event::Scalar(text, style, 0, None) => Value::Text(scalar(&text, style)),
            Event::SequenceStart(0, None) => self.list(depth)?,
            Event::MappingStart(0, None) => self.map(depth)?,
            _ => return Err(problem(span, "anchors, aliases and tags of YAML are not taken; write the value out")),
        };
        Ok(Node { value, place: place(span), extent: (span.start.index(), span.end.index()) })
    }

    fn list(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut items = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.node(event, span, depth + 1)?);
        }
        Ok(Value::List(items))
    }

    fn map(&mut self, depth: usize) -> Result<Value, Problem> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        while let Some((event, span)) = self.next()? {
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, span, depth + 1)?;
            let Some(name) = key.text() else { return Err(problem(span, "a key must be a text")) };
            if entries.iter().any(|(known, _)| known.text() == Some(name)) {
                return Err(problem(span, &format!("the key {name:?} stands twice")));
            }
            let Some((event, span)) = self.next()? else { break };
            let value = self.node(event, span, depth + 1)?;
            entries.push((key, value));
        }
        Ok(Value::Map(entries))
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Option<String> {
    let nothing = style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL");
    (!nothing).then(|| text.to_owned())
}

fn place(span: Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

fn problem(span: Span, message: &str) -> Problem {
    Problem { place: place(span), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn texts_lists_and_mappings_have_their_places() {
        let node = read("a: 1\nb:\n  - x\n  - 'y'\n").unwrap().unwrap();
        let Value::Map(entries) = node.value else { panic!("a mapping") };
        assert_eq!(entries[0].1.text(), Some("1"));
        let Value::List(items) = &entries[1].1.value else { panic!("a list") };
        assert_eq!((items[1].text(), items[1].place), (Some("y"), Place { line: 4, column: 5 }));
    }

    #[test]
    fn what_no_rule_file_needs_is_refused_at_its_place() {
        assert!(refused("a: &x 1\nb: *x\n").starts_with("1:4: anchors"));
        assert!(refused("a: 1\na: 2\n").starts_with("2:1: the key \"a\" stands twice"));
        assert!(refused("a: 1\n---\nb: 2\n").starts_with("3:1: a second document"));
        assert!(refused("a: [1, 2\n").contains("this is not YAML"));
        assert!(refused(&"- ".repeat(40)).contains("too deep"));
    }
}
