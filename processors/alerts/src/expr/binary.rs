//! Operators between two sides: numbers, series, or one of each. Series match where all their labels are the same.

use super::evaluate::{Found, Yield};
use super::plan::{Arithmetic, Comparison, SetOperation};

pub(super) fn arithmetic(how: Arithmetic, left: Yield, right: Yield) -> Yield {
    let apply = |a: f64, b: f64| match how {
        Arithmetic::Add => a + b,
        Arithmetic::Subtract => a - b,
        Arithmetic::Multiply => a * b,
        Arithmetic::Divide => a / b,
        Arithmetic::Remainder => a % b,
        Arithmetic::Power => a.powf(b),
    };
    combine(left, right, |a, b| Some(apply(a, b)), apply)
}

pub(super) fn compare(by: Comparison, as_number: bool, left: Yield, right: Yield) -> Yield {
    #[expect(clippy::float_cmp, reason = "== of the language is exact")]
    let holds = |a: f64, b: f64| match by {
        Comparison::Equal => a == b,
        Comparison::NotEqual => a != b,
        Comparison::Greater => a > b,
        Comparison::Less => a < b,
        Comparison::GreaterOrEqual => a >= b,
        Comparison::LessOrEqual => a <= b,
    };
    let number = |a: f64, b: f64| if holds(a, b) { 1.0 } else { 0.0 };
    if as_number {
        return combine(left, right, |a, b| Some(number(a, b)), number);
    }
    match (left, right) {
        // What is kept is the side with the labels, whichever it is.
        (Yield::Scalar(a), Yield::Vector(found)) => {
            Yield::Vector(found.into_iter().filter(|(_, b)| holds(a, *b)).collect())
        }
        (left, right) => combine(left, right, |a, b| holds(a, b).then_some(a), number),
    }
}

pub(super) fn set(how: SetOperation, left: Yield, right: Yield) -> Yield {
    let (Yield::Vector(left), Yield::Vector(right)) = (left, right) else { return Yield::Vector(Vec::new()) };
    let mut found = Vec::new();
    merge(left, right, |key, a, b| {
        let kept = match how {
            SetOperation::And => a.filter(|_| b.is_some()),
            SetOperation::Or => a.or(b),
            SetOperation::Unless => a.filter(|_| b.is_none()),
        };
        found.extend(kept.map(|x| (key, x)));
    });
    Yield::Vector(found)
}

fn combine(
    left: Yield,
    right: Yield,
    of_series: impl Fn(f64, f64) -> Option<f64>,
    of_numbers: impl Fn(f64, f64) -> f64,
) -> Yield {
    Yield::Vector(match (left, right) {
        (Yield::Scalar(a), Yield::Scalar(b)) => return Yield::Scalar(of_numbers(a, b)),
        (Yield::Scalar(a), Yield::Vector(found)) => each(found, |b| of_series(a, b)),
        (Yield::Vector(found), Yield::Scalar(b)) => each(found, |a| of_series(a, b)),
        (Yield::Vector(left), Yield::Vector(right)) => {
            let mut found = Vec::new();
            merge(left, right, |key, a, b| {
                let both = a.zip(b).and_then(|(a, b)| of_series(a, b));
                found.extend(both.map(|x| (key, x)));
            });
            found
        }
    })
}

fn each(found: Found, change: impl Fn(f64) -> Option<f64>) -> Found {
    found.into_iter().filter_map(|(key, x)| Some((key, change(x)?))).collect()
}

/// Goes through both sides in the order of their labels.
fn merge(left: Found, right: Found, mut take: impl FnMut(crate::labels::Key, Option<f64>, Option<f64>)) {
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    loop {
        let key = match (left.peek(), right.peek()) {
            (Some((a, _)), Some((b, _))) => *a.min(b),
            (Some((key, _)), None) | (None, Some((key, _))) => *key,
            (None, None) => return,
        };
        let a = left.next_if(|(k, _)| *k == key).map(|(_, x)| x);
        let b = right.next_if(|(k, _)| *k == key).map(|(_, x)| x);
        take(key, a, b);
    }
}
