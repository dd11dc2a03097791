//! The functions of templates.

use super::numbers::{exponential, fixed, shortest, significant};
use super::{Out, Term};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Function {
    Humanize,
    Humanize1024,
    HumanizeDuration,
    HumanizePercentage,
    ToUpper,
    ToLower,
    Printf(Vec<Part>),
}

/// A part of printf's format.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text(String),
    /// `%v`, `%s`
    Plain,
    /// `%f`, `%e`, `%g` with a precision.
    Number(char, Option<usize>),
}

impl Function {
    /// The function of a name with its arguments, the piped one last.
    pub(super) fn of(name: &str, mut arguments: Vec<Term>) -> Result<Term, String> {
        let function = match name {
            "humanize" => Self::Humanize,
            "humanize1024" => Self::Humanize1024,
            "humanizeDuration" => Self::HumanizeDuration,
            "humanizePercentage" => Self::HumanizePercentage,
            "toUpper" => Self::ToUpper,
            "toLower" => Self::ToLower,
            "printf" => {
                if arguments.is_empty() {
                    return Err("printf wants a format".to_owned());
                }
                let Term::Text(text) = arguments.remove(0) else {
                    return Err("printf wants its format as a text in quotes".to_owned());
                };
                Self::Printf(format_of(&text, &arguments)?)
            }
            _ => {
                return Err(format!(
                    "templates know no {name:?}; there are $value, $labels.NAME, humanize, humanize1024, humanizeDuration, \
                     humanizePercentage, printf, toUpper and toLower"
                ));
            }
        };
        if !matches!(function, Self::Printf(_)) {
            let [argument] = arguments.as_slice() else {
                return Err(format!("{name} wants 1 argument, not {}", arguments.len()));
            };
            let wants_text = matches!(function, Self::ToUpper | Self::ToLower);
            if wants_text == argument.is_number() {
                return Err(format!("{name} wants a {}", if wants_text { "text" } else { "number" }));
            }
        }
        Ok(Term::Call(function, arguments))
    }

    pub(super) fn call(&self, arguments: &[Out]) -> Out {
        let number = || arguments.first().map_or(f64::NAN, Out::number);
        let text = || arguments.first().cloned().map(Out::text).unwrap_or_default();
        Out::Text(match self {
            Self::Humanize => humanize(number(), 1000.0, ["k", "M", "G", "T", "P", "E", "Z", "Y"], true),
            Self::Humanize1024 => humanize(number(), 1024.0, ["ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"], false),
            Self::HumanizeDuration => duration(number()),
            Self::HumanizePercentage => format!("{}%", significant(number() * 100.0, 4)),
            Self::ToUpper => text().to_uppercase(),
            Self::ToLower => text().to_lowercase(),
            Self::Printf(parts) => printf(parts, arguments),
        })
    }
}

fn humanize(mut x: f64, step: f64, large: [&str; 8], has_small: bool) -> String {
    let mut prefix = "";
    if x == 0.0 || !x.is_finite() {
        return significant(x, 4);
    }
    if x.abs() >= 1.0 {
        for larger in large {
            if x.abs() < step {
                break;
            }
            (prefix, x) = (larger, x / step);
        }
    } else if has_small {
        (prefix, x) = small(x);
    }
    format!("{}{prefix}", significant(x, 4))
}

fn small(mut x: f64) -> (&'static str, f64) {
    let mut prefix = "";
    for smaller in ["m", "u", "n", "p", "f", "a", "z", "y"] {
        if x.abs() >= 1.0 {
            break;
        }
        (prefix, x) = (smaller, x * 1000.0);
    }
    (prefix, x)
}

fn duration(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return if x == 0.0 { "0s".to_owned() } else { significant(x, 4) };
    }
    if x.abs() < 1.0 {
        let (prefix, x) = small(x);
        return format!("{}{prefix}s", significant(x, 4));
    }
    let (sign, x) = if x < 0.0 { ("-", -x) } else { ("", x) };
    let whole = x as i64;
    let (s, m, h, d) = (whole % 60, whole / 60 % 60, whole / 3600 % 24, whole / 86_400);
    match (d, h, m) {
        (0, 0, 0) => format!("{sign}{}s", significant(x, 4)),
        (0, 0, _) => format!("{sign}{m}m {s}s"),
        (0, ..) => format!("{sign}{h}h {m}m {s}s"),
        _ => format!("{sign}{d}d {h}h {m}m {s}s"),
    }
}

/// Reads a format, and holds it against the arguments.
fn format_of(text: &str, arguments: &[Term]) -> Result<Vec<Part>, String> {
    let (mut parts, mut wanted) = (Vec::new(), arguments.iter());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        parts.push(Part::Text(rest[..at].to_owned()));
        let after = &rest[at + 1..];
        let end = after.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(after.len());
        let verb = after[end..].chars().next().ok_or("the format of printf ends in the middle of a verb")?;
        rest = &after[end + verb.len_utf8()..];
        if verb == '%' && end == 0 {
            parts.push(Part::Text("%".to_owned()));
            continue;
        }
        let precision = match &after[..end] {
            "" => None,
            digits => match digits.strip_prefix('.').and_then(|d| d.parse().ok()) {
                Some(precision @ 0..=20) => Some(precision),
                _ => return Err(format!("printf takes %.0f to %.20f, not %{digits}{verb}")),
            },
        };
        let argument = wanted.next().ok_or("printf has fewer arguments than its format asks for")?;
        parts.push(match (verb, argument.is_number(), precision) {
            ('f' | 'e' | 'g', true, _) => Part::Number(verb, precision),
            ('v', ..) | ('s', false, _) if precision.is_none() => Part::Plain,
            _ => {
                let is = if argument.is_number() { "a number: use %f, %e, %g or %v" } else { "a text: use %s or %v" };
                return Err(format!("printf's %{verb} does not fit here; the argument is {is}"));
            }
        });
    }
    if wanted.next().is_some() {
        return Err("printf has more arguments than its format asks for".to_owned());
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn printf(parts: &[Part], arguments: &[Out]) -> String {
    let mut arguments = arguments.iter();
    let mut next = || arguments.next().cloned().unwrap_or(Out::Text(String::new()));
    let text = |part: &Part| match part {
        Part::Text(text) => text.clone(),
        Part::Plain => next().text(),
        Part::Number('f', precision) => fixed(next().number(), precision.unwrap_or(6)),
        Part::Number('e', precision) => exponential(next().number(), precision.unwrap_or(6)),
        Part::Number(_, Some(precision)) => significant(next().number(), *precision),
        Part::Number(_, None) => shortest(next().number()),
    };
    parts.iter().map(text).collect()
}
