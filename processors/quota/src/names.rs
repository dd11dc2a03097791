//! Names that settings, controls and commands share: the policies, the modes, the resource that counts.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// A name that is none of those known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is no {what}; it must be {known}")]
pub struct UnknownName {
    given: String,
    what: &'static str,
    known: &'static str,
}

/// `Display`, `FromStr` and `ALL` from one list of names; serde reads them by `FromStr` too, for its sentence.
macro_rules! named {
    ($type:ident, $what:literal, $known:literal, $($variant:ident => $name:literal),+) => {
        impl $type {
            /// All, in the order of their names in messages.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in settings, controls and commands.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl TryFrom<String> for $type {
            type Error = UnknownName;

            fn try_from(text: String) -> Result<Self, UnknownName> {
                text.parse()
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                let found = Self::ALL.iter().copied().find(|x| x.name() == text);
                found.ok_or_else(|| UnknownName { given: text.to_owned(), what: $what, known: $known })
            }
        }
    };
}

/// How a forecast becomes a quota, before the guard rails.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum PolicyName {
    /// [`crate::threshold`]
    #[default]
    Threshold,
    /// [`crate::headroom`]
    Headroom,
}
named!(PolicyName, "policy", "threshold or headroom", Threshold => "threshold", Headroom => "headroom");

/// Whether edges enforce what is decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Mode {
    /// They do.
    #[default]
    Enforce,
    /// Commands are published to be seen, and edges do not enforce them.
    Recommend,
}
named!(Mode, "mode", "enforce or recommend", Enforce => "enforce", Recommend => "recommend");

/// The resource whose load and forecast count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub enum Counted {
    /// The busier of the two, each figure for itself: peak of the peaks, load of the loads.
    #[default]
    Max,
    /// CPU alone.
    Cpu,
    /// Memory alone.
    Memory,
}
named!(Counted, "resource", "max, cpu or memory", Max => "max", Cpu => "cpu", Memory => "memory");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_and_others_are_refused_with_the_known_ones() {
        for policy in PolicyName::ALL {
            assert_eq!(policy.to_string().parse(), Ok(*policy));
        }
        assert_eq!(
            "headrom".parse::<PolicyName>().unwrap_err().to_string(),
            "\"headrom\" is no policy; it must be threshold or headroom"
        );
        assert_eq!("recommend".parse(), Ok(Mode::Recommend));
        assert_eq!("memory".parse(), Ok(Counted::Memory));
    }
}
