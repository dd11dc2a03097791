//! The text of an expression before it is parsed: what bounds the work that a file can ask for.

/// Characters of an expression at most.
const LONGEST: usize = 4096;
/// Brackets in one another at most.
const DEEPEST: usize = 32;
/// Operators at most: each may stand one level deeper than the last.
const OPERATORS: usize = 400;

/// Whether an expression may be parsed.
pub(super) fn check(text: &str) -> Result<(), String> {
    if text.len() > LONGEST {
        return Err(format!("the expression has {} bytes; it may have {LONGEST}", text.len()));
    }
    let (mut open, mut operators) = (0_usize, 0_usize);
    for c in text.chars() {
        match c {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ if "+-*/%^=<>!".contains(c) => operators += 1,
            _ => {}
        }
        if open > DEEPEST {
            return Err(format!("brackets stand more than {DEEPEST} deep in one another"));
        }
    }
    operators +=
        text.split_whitespace().filter(|w| matches!(w.to_ascii_lowercase().as_str(), "and" | "or" | "unless")).count();
    if operators > OPERATORS {
        return Err(format!("the expression has more than {OPERATORS} operators"));
    }
    Ok(())
}
