//! Numbers as Go prints them, which Prometheus' templates are made of.

/// `%v`: the shortest digits that are the number.
pub(super) fn shortest(x: f64) -> String {
    general(x, &format!("{x:e}"), 6)
}

/// `%.Pg`
pub(super) fn significant(x: f64, precision: usize) -> String {
    let precision = precision.max(1);
    general(x, &format!("{x:.*e}", precision - 1), precision as i32)
}

/// `%.Pf`
pub(super) fn fixed(x: f64, precision: usize) -> String {
    special(x).unwrap_or_else(|| format!("{x:.precision$}"))
}

/// `%.Pe`
pub(super) fn exponential(x: f64, precision: usize) -> String {
    special(x).unwrap_or_else(|| {
        let text = format!("{x:.precision$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        with_exponent(mantissa, exponent.parse().unwrap_or(0))
    })
}

fn special(x: f64) -> Option<String> {
    match x {
        x if x.is_nan() => Some("NaN".to_owned()),
        f64::INFINITY => Some("+Inf".to_owned()),
        f64::NEG_INFINITY => Some("-Inf".to_owned()),
        _ => None,
    }
}

/// From `D.DDDeX`: as it is where the exponent is below -4 or from `most` on, else written out.
fn general(x: f64, scientific: &str, most: i32) -> String {
    if let Some(text) = special(x) {
        return text;
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let digits = if digits.trim_end_matches('0').is_empty() { "0" } else { digits.trim_end_matches('0') };
    if exponent < -4 || exponent >= most {
        let (first, rest) = digits.split_at(1);
        let mantissa = if rest.is_empty() { first.to_owned() } else { format!("{first}.{rest}") };
        return format!("{sign}{}", with_exponent(&mantissa, exponent));
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat((-exponent - 1) as usize));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

fn with_exponent(mantissa: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_go_prints_them() {
        assert_eq!([0.0, 0.95, -1.5, 100_000.0].map(shortest), ["0", "0.95", "-1.5", "100000"]);
        assert_eq!([1e6, 123_456_789.0, 0.000_01].map(shortest), ["1e+06", "1.23456789e+08", "1e-05"]);
        assert_eq!([f64::NAN, f64::INFINITY].map(shortest), ["NaN", "+Inf"]);
        assert_eq!([1000.0, 99_999.0, 0.123_456].map(|x| significant(x, 4)), ["1000", "1e+05", "0.1235"]);
        assert_eq!((fixed(2.345, 1), exponential(1234.5, 2)), ("2.3".to_owned(), "1.23e+03".to_owned()));
    }
}
