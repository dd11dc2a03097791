//! Which nodes an edge may report for and watch. Pure.
//!
//! ```toml
//! [[grant]]
//! edge = "site-7"                    # exact, or a prefix as "site-*"
//! nodes = ["{name}", "{name}-*", "shared-7"]
//! ```
//!
//! An edge is known by its names: of its certificate, or of its token. `{name}` stands for the name by which the grant was found.

use serde::Deserialize;

/// All grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grants(Vec<Grant>);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    edge: Pattern,
    nodes: Vec<Pattern>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    grant: Vec<Grant>,
}

/// A name, or what names begin with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Pattern {
    text: String,
    is_prefix: bool,
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (text, is_prefix) = match text.strip_suffix('*') {
            Some(prefix) => (prefix.to_owned(), true),
            None => (text, false),
        };
        if text.contains('*') {
            return Err(format!("{text:?} has a * that is not at its end"));
        }
        let strange = text.replace("{name}", "").contains(['{', '}']);
        if strange {
            return Err(format!("{text:?} has a brace that is not of {{name}}"));
        }
        if text.is_empty() && !is_prefix {
            return Err("an empty name grants nothing".into());
        }
        Ok(Self { text, is_prefix })
    }
}

impl Pattern {
    fn fits(&self, text: &str, candidate: &str) -> bool {
        if self.is_prefix { candidate.starts_with(text) } else { candidate == text }
    }
}

impl Default for Grants {
    /// Each edge may do all for the node that is named as it is, and nothing else.
    fn default() -> Self {
        let pattern = |text: &str, is_prefix| Pattern { text: text.into(), is_prefix };
        Self(vec![Grant { edge: pattern("", true), nodes: vec![pattern("{name}", false)] }])
    }
}

impl Grants {
    /// Reads a file's text.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        toml::from_str::<File>(text).map(|file| Self(file.grant)).map_err(|e| {
            let line = e.span().map(|s| text[..s.start.min(text.len())].matches('\n').count() + 1);
            line.map_or_else(|| e.message().to_owned(), |line| format!("line {line}: {}", e.message()))
        })
    }

    /// Whether an edge of these names may speak for a node.
    pub(super) fn allow<'n>(&self, mut names: impl Iterator<Item = &'n str>, node: &str) -> bool {
        names.any(|name| {
            let of_name = |grant: &&Grant| !name.is_empty() && grant.edge.fits(&grant.edge.text, name);
            self.0
                .iter()
                .filter(of_name)
                .any(|grant| grant.nodes.iter().any(|nodes| nodes.fits(&nodes.text.replace("{name}", name), node)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allow(grants: &Grants, name: &str, node: &str) -> bool {
        grants.allow([name].into_iter(), node)
    }

    #[test]
    fn exact_prefix_and_template() {
        let text = "[[grant]]\nedge = \"a\"\nnodes = [\"one\", \"two-*\"]\n\
                    [[grant]]\nedge = \"site-*\"\nnodes = [\"{name}\", \"{name}.*\"]\n";
        let grants = Grants::parse(text).unwrap();
        for (name, node, wanted) in [
            ("a", "one", true),
            ("a", "one-more", false),
            ("a", "two-1", true),
            ("a", "two", false),
            ("b", "one", false),
            ("site-7", "site-7", true),
            ("site-7", "site-7.x", true),
            ("site-7", "site-8", false),
            ("site-7", "site-77", false),
            ("site", "site", false),
        ] {
            assert_eq!(allow(&grants, name, node), wanted, "{name} {node}");
        }
        assert!(grants.allow(["b", "a"].into_iter(), "one"), "any of its names will do");
        assert!(!grants.allow(std::iter::empty(), "one"));
    }

    #[test]
    fn without_a_file_an_edge_speaks_for_the_node_of_its_name() {
        let grants = Grants::default();
        assert!(allow(&grants, "edge-1", "edge-1"));
        assert!(!allow(&grants, "edge-1", "edge-2") && !allow(&grants, "", ""));
        assert!(!allow(&Grants::parse("").unwrap(), "edge-1", "edge-1"), "an empty file grants nothing");
    }

    #[test]
    fn wrong_patterns_are_named_with_their_line() {
        for (text, why) in [
            ("[[grant]]\nedge = \"a*b\"\nnodes = []\n", "line 2"),
            ("[[grant]]\nedge = \"a\"\nnodes = [\"{nmae}\"]\n", "{name}"),
            ("[[grant]]\nedge = \"a\"\nnode = []\n", "unknown field `node`"),
            ("[[grant]]\nedge = \"\"\nnodes = []\n", "empty name"),
        ] {
            let said = Grants::parse(text).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    proptest! {
        /// What an edge calls itself is never read as a pattern.
        #[test]
        fn a_name_grants_no_more_than_itself(name in "[a-z*{}]{1,6}", node in "[a-z*{}]{1,6}") {
            let grants = Grants::default();
            prop_assert_eq!(allow(&grants, &name, &node), name == node);
        }
    }
}
