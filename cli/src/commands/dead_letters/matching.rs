//! Which letters are meant: `--match FIELD=VALUE`, all of which must hold. Pure.

use std::str::FromStr;

use tidegate_schemas::Topic;
use tidegate_schemas::dead_letters::Letter;
use tidegate_sinks::view::text_or_hex;

use crate::exit::{self, failure};

/// What can be matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Class,
    Topic,
    Key,
    Stage,
}

impl Field {
    const ALL: [(&'static str, Self); 4] =
        [("class", Self::Class), ("topic", Self::Topic), ("key", Self::Key), ("stage", Self::Stage)];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name)
    }
}

/// One `--match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    field: Field,
    value: String,
}

impl FromStr for Match {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Field::ALL.map(|(name, _)| name).join(", ");
        let Some((name, value)) = text.split_once('=') else {
            return Err(format!("it wants FIELD=VALUE, where FIELD is one of {known}"));
        };
        match Field::ALL.iter().find(|(known, _)| *known == name) {
            Some((_, field)) => Ok(Self { field: *field, value: value.to_owned() }),
            None => Err(format!("{name:?} cannot be matched; what can is {known}")),
        }
    }
}

/// `--match`, as often as it was given.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Matches {
    /// Only letters whose class, topic, key or stage is this, for example class=clock-ahead; several: all must hold
    #[arg(long = "match", value_name = "FIELD=VALUE")]
    all: Vec<Match>,
}

impl Matches {
    /// Whether none was given.
    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Refuses what no letter can be.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let names = |at: usize| self.all.iter().skip(at + 1).any(|other| other.field == self.all[at].field);
        match (0..self.all.len()).find(|at| names(*at)) {
            Some(twice) => {
                let name = self.all[twice].field.name();
                Err(failure(exit::USAGE, format!("--match {name}=… was given twice, and a letter has one {name}")))
            }
            None => Ok(()),
        }
    }

    /// Whether all hold for a letter. A topic is matched with or without the prefix, a key as `list` shows it.
    pub(super) fn hold(&self, letter: &Letter, prefix: &str) -> bool {
        let why = &letter.why;
        self.all.iter().all(|Match { field, value }| match field {
            Field::Class => why.class == *value,
            Field::Stage => why.stage == *value,
            Field::Key => letter.key.as_deref().is_some_and(|key| text_or_hex(key) == *value),
            Field::Topic => {
                why.topic == *value || Topic::from_name(value, prefix).is_some_and(|t| t.name(prefix) == why.topic)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use tidegate_schemas::dead_letters::SetAside;

    use super::*;

    fn matches(all: &[&str]) -> Matches {
        Matches { all: all.iter().map(|text| text.parse().unwrap()).collect() }
    }

    fn letter() -> Letter {
        let text = str::to_owned;
        let why =
            SetAside { class: text("framing"), stage: text("forecast"), topic: text("t.load"), ..SetAside::default() };
        Letter { why, key: Some(b"node=1".to_vec()), ..Letter::default() }
    }

    #[test]
    fn all_must_hold() {
        let hold = |all: &[&str]| matches(all).hold(&letter(), "t.");
        assert!(hold(&[]));
        assert!(hold(&["class=framing", "stage=forecast", "topic=load", "key=node=1"]));
        assert!(hold(&["topic=t.load"]));
        for other in ["class=fram", "stage=quota", "topic=quotas", "topic=other.load", "key=node"] {
            assert!(!hold(&["class=framing", other]), "{other}");
        }
    }

    #[test]
    fn a_key_is_matched_as_it_is_shown() {
        let of = |key: Option<&[u8]>, wanted| {
            let letter = Letter { key: key.map(<[u8]>::to_vec), ..letter() };
            matches(&[wanted]).hold(&letter, "t.")
        };
        assert!(of(Some(&[0xff, 0]), "key=hex:ff00"));
        assert!(of(Some(b""), "key="));
        assert!(!of(None, "key="), "no key is not an empty one");
    }

    #[test]
    fn what_cannot_be_matched_is_named_with_what_can() {
        for wrong in ["class", "colour=red", "=x", ""] {
            let said = wrong.parse::<Match>().unwrap_err();
            assert!(said.contains("class, topic, key, stage"), "{said}");
        }
        let said = matches(&["class=a", "key=b", "class=c"]).check().unwrap_err().to_string();
        assert!(said.contains("class=… was given twice"), "{said}");
        assert!(matches(&["class=a", "key=b"]).check().is_ok());
    }
}
