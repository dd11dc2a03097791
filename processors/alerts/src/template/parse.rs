//! Reading a template: `{{ … }}` apart from the text around them, then words, then terms.

use super::functions::Function;
use super::{Piece, Term};
use crate::labels::NAMES;

/// Brackets in one another at most.
const DEEPEST: usize = 8;

/// Pieces of a template, or the words that are wrong and what is wrong with them.
pub(super) fn parse(text: &str) -> Result<Vec<Piece>, (String, String)> {
    let (mut pieces, mut rest, mut trim) = (Vec::new(), text, false);
    loop {
        let (before, action) = match rest.split_once("{{") {
            Some((before, action)) => (before, Some(action)),
            None => (rest, None),
        };
        let mut before = if trim { before.trim_start() } else { before };
        let Some(action) = action else {
            pieces.push(Piece::Text(before.to_owned()));
            return Ok(pieces);
        };
        let Some(end) = end_of(action) else {
            return Err(("{{".to_owned(), "a {{ is not closed, or a text in it is not closed".to_owned()));
        };
        let mut inside = &action[..end];
        rest = &action[end + 2..];
        if let Some(trimmed) = inside.strip_prefix("- ") {
            (inside, before) = (trimmed, before.trim_end());
        }
        let trimmed = inside.strip_suffix(" -");
        (inside, trim) = (trimmed.unwrap_or(inside), trimmed.is_some());
        pieces.push(Piece::Text(before.to_owned()));
        let term = words(inside).and_then(|words| pipeline(&words, 0));
        pieces.push(Piece::Term(term.map_err(|message| (inside.trim().to_owned(), message))?));
    }
}

/// Where the action ends: at the first `}}` outside quotes.
fn end_of(action: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in action.char_indices() {
        match quote {
            Some(q) => {
                if c == q && !escaped {
                    quote = None;
                }
                escaped = c == '\\' && !escaped && q == '"';
            }
            None if c == '"' || c == '`' => quote = Some(c),
            None if action[at..].starts_with("}}") => return Some(at),
            None => {}
        }
    }
    None
}

#[derive(Debug, Clone, PartialEq)]
enum Word {
    Name(String),
    Text(String),
    Pipe,
    Open,
    Close,
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\n' | '\r' => {}
            '|' => words.push(Word::Pipe),
            '(' => words.push(Word::Open),
            ')' => words.push(Word::Close),
            '"' | '`' => words.push(Word::Text(quoted(c, &mut chars)?)),
            first => {
                let mut name = String::from(first);
                while let Some(c) = chars.next_if(|c| !c.is_whitespace() && !"|()\"`".contains(*c)) {
                    name.push(c);
                }
                words.push(Word::Name(name));
            }
        }
    }
    Ok(words)
}

fn quoted(quote: char, chars: &mut impl Iterator<Item = char>) -> Result<String, String> {
    let mut text = String::new();
    loop {
        match chars.next() {
            None => return Err("a text in quotes is not closed".to_owned()),
            Some(c) if c == quote => return Ok(text),
            Some('\\') if quote == '"' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some(c @ ('"' | '\\')) => text.push(c),
                _ => return Err("texts in templates know \\n, \\t, \\\" and \\\\".to_owned()),
            },
            Some(c) => text.push(c),
        }
    }
}

/// `term | function …`: what stands before a pipe is the last argument of what stands behind it.
fn pipeline(words: &[Word], depth: usize) -> Result<Term, String> {
    if depth > DEEPEST {
        return Err("brackets stand too deep in one another".to_owned());
    }
    let mut piped = None;
    let (mut open, mut begin) = (0_usize, 0);
    for at in 0..=words.len() {
        match words.get(at) {
            Some(Word::Open) => open += 1,
            Some(Word::Close) => open = open.checked_sub(1).ok_or("a bracket is closed that is not open")?,
            None | Some(Word::Pipe) if open == 0 => {
                piped = Some(command(&words[begin..at], piped, depth)?);
                begin = at + 1;
            }
            _ => {}
        }
    }
    piped.ok_or_else(|| "a bracket is not closed".to_owned())
}

fn command(words: &[Word], piped: Option<Term>, depth: usize) -> Result<Term, String> {
    let Some(first) = words.first() else { return Err("{{ }} is empty, or a pipe leads nowhere".to_owned()) };
    if let Word::Name(name) = first
        && is_function(name)
    {
        let mut arguments = arguments(&words[1..], depth)?;
        arguments.extend(piped);
        return Function::of(name, arguments);
    }
    let mut terms = arguments(words, depth)?;
    if terms.len() > 1 || piped.is_some() {
        let said = match first {
            Word::Name(name) => name.as_str(),
            _ => "a text",
        };
        return Err(format!("{said} is no function: it takes no arguments and no pipe leads into it"));
    }
    terms.pop().ok_or_else(|| "{{ }} is empty".to_owned())
}

fn is_function(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
}

fn arguments(words: &[Word], depth: usize) -> Result<Vec<Term>, String> {
    let (mut terms, mut at) = (Vec::new(), 0);
    while let Some(word) = words.get(at) {
        at += 1;
        terms.push(match word {
            Word::Text(text) => Term::Text(text.clone()),
            Word::Name(name) => operand(name)?,
            Word::Open => {
                let end = closing(&words[at..]).ok_or("a bracket is not closed")?;
                let inside = pipeline(&words[at..at + end], depth + 1)?;
                at += end + 1;
                inside
            }
            Word::Close | Word::Pipe => return Err("a bracket is closed that is not open".to_owned()),
        });
    }
    Ok(terms)
}

/// Index of the bracket that closes one which was opened before.
fn closing(words: &[Word]) -> Option<usize> {
    let mut open = 1;
    for (at, word) in words.iter().enumerate() {
        match word {
            Word::Open => open += 1,
            Word::Close => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(at);
        }
    }
    None
}

fn operand(name: &str) -> Result<Term, String> {
    if matches!(name, "$value" | ".Value") {
        return Ok(Term::Value);
    }
    if let Some(label) = name.strip_prefix("$labels.").or_else(|| name.strip_prefix(".Labels.")) {
        let at = NAMES.iter().position(|known| *known == label);
        return at
            .map(Term::Label)
            .ok_or_else(|| format!("there is no label {label:?}; series have {}", NAMES.join(", ")));
    }
    match name.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(Term::Number(number)),
        _ => Err(format!("templates know no {name}; there are $value and $labels.NAME")),
    }
}
