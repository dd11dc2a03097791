//! The labels of one series: sorted by name, each name once.

use std::hash::{DefaultHasher, Hash, Hasher};

/// Name of the label that holds the metric's name.
pub(crate) const METRIC: &str = "__name__";
/// Labels of one series at most.
pub(crate) const MOST: usize = 128;
/// Bytes of one name and one value at most.
const MOST_BYTES: usize = 4096;

/// Labels, borrowed from a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Labels<'a> {
    /// Of pairs in any order; an empty value is as good as no label.
    ///
    /// # Errors
    /// Why they cannot be labels of a series.
    pub fn new(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, String> {
        let mut all = Vec::new();
        for (name, value) in pairs {
            if name.is_empty() {
                return Err("a label has no name".into());
            }
            if name.len().max(value.len()) > MOST_BYTES {
                return Err(format!("a label is longer than {MOST_BYTES} bytes"));
            }
            if all.len() == MOST {
                return Err(format!("a series has more than {MOST} labels"));
            }
            all.push((name, value));
        }
        all.sort_unstable();
        if let Some(twice) = all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("the label {:?} is there twice", twice[0].0));
        }
        all.retain(|(_, value)| !value.is_empty());
        let labels = Self(all);
        if labels.metric().is_empty() { Err(format!("a series has no {METRIC}")) } else { Ok(labels) }
    }

    /// The metric's name.
    #[must_use]
    pub fn metric(&self) -> &'a str {
        self.get(METRIC).unwrap_or_default()
    }

    /// The value of a label that is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.0.binary_search_by(|(own, _)| (*own).cmp(name)).ok().map(|at| self.0[at].1)
    }

    /// Takes labels away; gives a hash of what they said.
    #[must_use]
    pub fn without(&self, names: &[String]) -> (Self, u64) {
        let is_named = |name: &str| names.iter().any(|other| other == name);
        let (away, kept): (Vec<_>, Vec<_>) = self.0.iter().copied().partition(|(name, _)| is_named(name));
        (Self(kept), hash(&away))
    }

    /// A hash of all of them: the series' name in memory.
    #[must_use]
    pub fn hash(&self) -> u64 {
        hash(&self.0)
    }
}

fn hash(of: &[(&str, &str)]) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_and_an_empty_value_is_none() {
        let labels = Labels::new([("b", "2"), (METRIC, "m"), ("a", ""), ("c", "3")]).unwrap();
        assert_eq!((labels.metric(), labels.get("b"), labels.get("a")), ("m", Some("2"), None));
        let same = Labels::new([("c", "3"), ("b", "2"), (METRIC, "m")]).unwrap();
        assert_eq!(labels.hash(), same.hash());
        let (less, of_b) = labels.without(&["b".into()]);
        assert_eq!((less.get("b"), less.get("c")), (None, Some("3")));
        let other = Labels::new([("b", "9"), (METRIC, "m"), ("c", "3")]).unwrap().without(&["b".into()]);
        assert_eq!(less, other.0);
        assert_ne!(of_b, other.1);
    }

    #[test]
    fn what_cannot_be_labels_is_refused() {
        let refused = |pairs: &[(&str, &str)]| Labels::new(pairs.iter().copied()).unwrap_err();
        assert_eq!(refused(&[("a", "1")]), "a series has no __name__");
        assert_eq!(refused(&[(METRIC, "m"), ("a", "1"), ("a", "2")]), "the label \"a\" is there twice");
        assert_eq!(refused(&[(METRIC, "m"), ("", "1")]), "a label has no name");
        let long = "x".repeat(MOST_BYTES + 1);
        assert!(refused(&[(METRIC, &long)]).contains("4096 bytes"));
        let names: Vec<String> = (0..=MOST).map(|n| format!("l{n}")).collect();
        assert!(Labels::new(names.iter().map(|name| (&name[..], "1"))).unwrap_err().contains("128 labels"));
    }
}
