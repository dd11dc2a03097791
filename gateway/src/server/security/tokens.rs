//! Bearer tokens, known by their SHA-256 alone. Pure.
//!
//! ```text
//! # name   SHA-256 of the token, in hex: printf %s "$TOKEN" | sha256sum
//! site-7   9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! ```

use std::collections::HashMap;
use std::fmt;

use sha2::{Digest as _, Sha256};

/// The hash of a token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    /// Of a token as an edge shows it.
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// Whose token has which hash.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tokens(HashMap<Digest, String>);

impl Tokens {
    /// Reads a file's text; what is wrong is named by its line, never by its content.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = HashMap::new();
        for (at, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let mut words = line.split_whitespace();
            let (name, hash) = (words.next(), words.next().and_then(Digest::parse));
            match (name, hash, words.next()) {
                (Some(name), Some(hash), None) => tokens.insert(hash, name.to_owned()),
                _ => return Err(format!("line {}: it wants a name and 64 hex digits", at + 1)),
            };
        }
        Ok(Self(tokens))
    }

    /// Whose token that is.
    pub(super) fn name(&self, token: Digest) -> Option<&str> {
        self.0.get(&token).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn a_token_is_known_by_its_hash() {
        let tokens = Tokens::parse(&format!("# ours\n\nsite-7 {TEST} # until spring\n")).unwrap();
        assert_eq!(tokens.name(Digest::of("test")), Some("site-7"));
        assert_eq!(tokens.name(Digest::of("Test")), None);
        assert!(!format!("{tokens:?}").contains("9f86"));
    }

    #[test]
    fn a_token_in_clear_is_refused_and_not_repeated() {
        for wrong in ["site-7 secret".to_owned(), TEST.to_owned(), format!("a {TEST} b"), format!("a {}é", &TEST[2..])]
        {
            let said = Tokens::parse(&format!("\n{wrong}\n")).unwrap_err();
            assert_eq!(said, "line 2: it wants a name and 64 hex digits");
        }
    }
}
