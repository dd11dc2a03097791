//! The durations of an expression before it is parsed: each wants a unit.
//!
//! A bare number in the place of a duration means seconds for Prometheus 3 and is an error for Prometheus 2, and one that is too
//! large or negative ends the parser in a panic (promql-parser 0.11, `Duration::from_secs_f64`). Found by fuzzing.

const UNITS: &str = "smhdwy";

/// The first duration that has no unit, where there is one: `[5]`, `[5m:5]`, `offset 5`.
pub(super) fn without_unit(text: &str) -> Option<&str> {
    let mut quote = None;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some('"' | '\''), '\\') => drop(chars.next()),
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '[') => {
                let inside = text[at + 1..].split(']').next().unwrap_or_default();
                let parts = inside.split(':').map(str::trim).filter(|part| !part.is_empty());
                if let Some(wrong) = parts.into_iter().find(|part| !has_unit(part)) {
                    return Some(wrong);
                }
            }
            (None, 'o' | 'O') if is_offset(text, at) => {
                let rest = text[at + "offset".len()..].trim_start().trim_start_matches(['+', '-']).trim_start();
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.').unwrap_or(rest.len());
                if !has_unit(&rest[..end]) {
                    return Some(&text[at..at + "offset".len()]);
                }
            }
            _ => {}
        }
    }
    None
}

/// The word `offset`, and no part of another.
fn is_offset(text: &str, at: usize) -> bool {
    let is_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let is_word = text.get(at..at + 6).is_some_and(|word| word.eq_ignore_ascii_case("offset"));
    is_word && !text[..at].ends_with(is_of_name) && !text[at + 6..].starts_with(is_of_name)
}

/// Whether it is digits and letters, of which the last is a unit: no number of any kind, no comment.
fn has_unit(duration: &str) -> bool {
    let is_plain = duration.chars().all(|c| c.is_ascii_alphanumeric());
    is_plain && duration.ends_with(|c| UNITS.contains(c)) && !duration.starts_with("0x") && !duration.starts_with("0X")
}

#[cfg(test)]
mod tests {
    use super::without_unit;

    #[test]
    fn numbers_in_the_place_of_durations_are_found_and_nothing_else() {
        for (text, wrong) in [
            ("rate(a[18446744073709551616])", "18446744073709551616"),
            ("rate(a[5])", "5"),
            ("rate(a[5m:1e30])", "1e30"),
            ("rate(a[1e300 #s\n])", "1e300 #s"),
            ("rate(a[0xffs])", "0xffs"),
            ("rate(a[Inf])", "Inf"),
            ("a offset 5", "offset"),
            ("a OFFSET - 1e300", "OFFSET"),
            ("a offset #5m\n 1e300", "offset"),
        ] {
            assert_eq!(without_unit(text), Some(wrong), "{text}");
        }
        for fine in [
            "rate(a[5m]) > 5",
            "rate(a[1h30m] offset 5m) > 1e300",
            "a{node=\"offset 5 [5]\", pool='\\'[5]'} > 18446744073709551616",
            "max_over_time(a[5m:]) offset -5m",
            "my_offset > 5",
            "offsets > 5",
        ] {
            assert_eq!(without_unit(fine), None, "{fine}");
        }
    }
}
