//! Templates of labels and annotations: the part of Prometheus' templates that alerts use.
//!
//! ```text
//! "{{ $labels.node }} at {{ $value | humanizePercentage }}" ─> Template::parse ─> pieces ─> Template::expand
//! ```
//!
//! `$labels.NAME`, `$value`, texts, numbers, pipes, brackets, and the functions in `functions.rs`. All else is refused when the file is
//! read, wrong kinds of arguments included, so that expanding cannot fail.

mod functions;
mod numbers;
mod parse;

use functions::Function;

use crate::labels::{Labels, NAMES};

/// A template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq)]
enum Piece {
    Text(String),
    Term(Term),
}

#[derive(Debug, Clone, PartialEq)]
enum Term {
    Value,
    /// Index in [`NAMES`].
    Label(usize),
    Text(String),
    Number(f64),
    Call(Function, Vec<Term>),
}

/// What a term comes to.
#[derive(Debug, Clone, PartialEq)]
enum Out {
    Text(String),
    Number(f64),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, and the words of it that are.
    pub(crate) fn parse(text: &str) -> Result<Self, (String, String)> {
        parse::parse(text).map(Self)
    }

    /// Whether the value stands in it.
    pub(crate) fn has_value(&self) -> bool {
        fn has(term: &Term) -> bool {
            match term {
                Term::Value => true,
                Term::Call(_, arguments) => arguments.iter().any(has),
                _ => false,
            }
        }
        self.0.iter().any(|piece| matches!(piece, Piece::Term(term) if has(term)))
    }

    /// The text for the labels and the value of an alert.
    pub(crate) fn expand(&self, labels: &Labels, value: f64) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Term(term) => term.out(labels, value).text(),
        };
        self.0.iter().map(text).collect()
    }
}

impl Term {
    fn out(&self, labels: &Labels, value: f64) -> Out {
        match self {
            Self::Value => Out::Number(value),
            Self::Label(at) => Out::Text(labels.get(NAMES[*at]).cloned().unwrap_or_default()),
            Self::Text(text) => Out::Text(text.clone()),
            Self::Number(number) => Out::Number(*number),
            Self::Call(function, arguments) => {
                let outs: Vec<Out> = arguments.iter().map(|a| a.out(labels, value)).collect();
                function.call(&outs)
            }
        }
    }

    fn is_number(&self) -> bool {
        match self {
            Self::Value | Self::Number(_) => true,
            Self::Label(_) | Self::Text(_) | Self::Call(..) => false,
        }
    }
}

impl Out {
    fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => numbers::shortest(number),
        }
    }

    fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Text(_) => f64::NAN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str, value: f64) -> String {
        let labels = Labels::from([("node".to_owned(), "edge-1".to_owned())]);
        Template::parse(text).unwrap().expand(&labels, value)
    }

    #[test]
    fn what_alerts_write_is_expanded_as_prometheus_does() {
        assert_eq!(expand("{{ $labels.node }} is at {{ $value }}", 0.93), "edge-1 is at 0.93");
        assert_eq!(expand("{{$value|humanizePercentage}} of {{ .Labels.node | toUpper }}", 0.9333), "93.33% of EDGE-1");
        assert_eq!(expand("a {{- $value -}} b", 1e6), "a1e+06b");
        assert_eq!(expand("{{ printf \"%.1f%% %s\" $value $labels.node }}", 12.34), "12.3% edge-1");
        assert_eq!(expand("{{ $value | printf \"%g\" }}/{{ humanize 1234567.0 }}", 0.5), "0.5/1.235M");
        assert_eq!(expand("{{ humanizeDuration (97) }} pool '{{ $labels.pool }}'", 0.0), "1m 37s pool ''");
        assert_eq!(expand("no template", 0.0), "no template");
    }

    #[test]
    fn what_is_not_supported_is_refused_in_words() {
        for (text, said) in [
            ("{{ $value", "{{ is not closed"),
            ("{{ }}", "is empty"),
            ("{{ $labels.instance }}", "no label \"instance\""),
            ("{{ query \"up\" }}", "\"query\""),
            ("{{ if $value }}x{{ end }}", "\"if\""),
            ("{{ printf \"%d\" $value }}", "%d"),
            ("{{ printf \"%s\" $value }}", "%s"),
            ("{{ printf \"%.1f\" }}", "arguments"),
            ("{{ humanize $labels.node }}", "wants a number"),
            ("{{ $value $value }}", "$value"),
            ("{{ $externalLabels.x }}", "$externalLabels"),
            ("{{ \"abc }}", "not closed"),
        ] {
            let (_, message) = Template::parse(text).unwrap_err();
            assert!(message.contains(said), "{text}: {message}");
        }
    }
}
