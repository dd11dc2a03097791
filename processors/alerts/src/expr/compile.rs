//! From PromQL's syntax tree to a [`Plan`]; what is not supported is refused, with the words that are.

use promql_parser::label::{MatchOp, Matcher};
use promql_parser::parser::{
    AggregateExpr, BinaryExpr, Call, Expr, LabelModifier, Offset, VectorMatchCardinality, VectorSelector, parse,
};

use super::plan::{Aggregation, Arithmetic, Comparison, OverTime, Plan, Selector, SetOperation};
use super::{durations, text};
use crate::duration::LONGEST_MS;
use crate::labels::{Kept, NAMES};
use crate::series::{ABOUT, Series};

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The words of it that are wrong, where there are any.
    pub(crate) words: Option<String>,
    pub(crate) message: String,
}

/// Compiles the expressions of a rule set, and gathers what they ask for.
#[derive(Debug, Default)]
pub(crate) struct Compiler {
    /// Matchers on node and pool, by the number that selectors have.
    pub(crate) filters: Vec<Vec<Matcher>>,
    /// How far back each series is looked at; `None`: not at all.
    pub(crate) depth_ms: [Option<i64>; crate::series::SERIES],
}

type Compiled = Result<Plan, Refusal>;

impl Compiler {
    /// Compiles the expression of an alert.
    pub(crate) fn compile(&mut self, text: &str) -> Compiled {
        text::check(text).map_err(|message| Refusal { words: None, message })?;
        if let Some(wrong) = durations::without_unit(text) {
            return refuse(Some(wrong), "a duration wants a unit, as 5m or 30s");
        }
        let parsed = parse(text).map_err(|e| Refusal { words: None, message: format!("this is not PromQL: {e}") })?;
        let plan = self.plan(&parsed)?;
        if plan.is_scalar() {
            return refuse(None, "the expression yields a number without labels: it would be one alert for nobody");
        }
        Ok(plan)
    }

    fn plan(&mut self, expr: &Expr) -> Compiled {
        match expr {
            Expr::Paren(paren) => self.plan(&paren.expr),
            Expr::NumberLiteral(number) => Ok(Plan::Number(number.val)),
            Expr::VectorSelector(selector) => {
                let selector = self.selector(selector, None)?;
                Ok(Plan::Select(selector))
            }
            Expr::Unary(unary) => Ok(Plan::Negate(Box::new(self.plan(&unary.expr)?))),
            Expr::Binary(binary) => self.binary(binary),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate),
            Expr::Call(call) => self.call(call),
            Expr::MatrixSelector(matrix) => {
                refuse(matrix.vs.name.as_deref(), "a range stands inside rate, increase or a function …_over_time")
            }
            Expr::Subquery(_) => refuse(Some("["), "subqueries are not supported; a range stands behind a series"),
            Expr::StringLiteral(_) => refuse(None, "a text is no expression of an alert"),
            Expr::Extension(_) => refuse(None, "this is not supported"),
        }
    }

    fn call(&mut self, call: &Call) -> Compiled {
        let name = call.func.name;
        let arguments = &call.args.args;
        let over_time = match name {
            "rate" => OverTime::Rate,
            "increase" => OverTime::Increase,
            "avg_over_time" => OverTime::Average,
            "max_over_time" => OverTime::Maximum,
            "min_over_time" => OverTime::Minimum,
            "time" => return Ok(Plan::Time),
            "abs" if arguments.len() == 1 => return Ok(Plan::Absolute(Box::new(self.plan(&arguments[0])?))),
            "timestamp" => match arguments.first().map(|a| unwrapped(a)) {
                Some(Expr::VectorSelector(selector)) => {
                    return Ok(Plan::Timestamp(self.selector(selector, None)?));
                }
                _ => return refuse(Some(name), "timestamp wants a series, as timestamp(node_load)"),
            },
            _ => {
                return refuse(
                    Some(name),
                    &format!(
                        "the function {name} is not supported; there are rate, increase, avg_over_time, max_over_time, \
                         min_over_time, abs, time and timestamp"
                    ),
                );
            }
        };
        let Some(Expr::MatrixSelector(matrix)) = arguments.first().map(|a| unwrapped(a)) else {
            return refuse(Some(name), &format!("{name} wants a series with a range, as {name}(requests_total[5m])"));
        };
        let range = i64::try_from(matrix.range.as_millis()).ok().filter(|ms| (1..=LONGEST_MS).contains(ms));
        let Some(range) = range else {
            return refuse(Some(name), "a range is longer than nothing and at most 7d");
        };
        let selector = self.selector(&matrix.vs, Some(range))?;
        Ok(Plan::OverTime(over_time, selector, range))
    }

    fn selector(&mut self, selector: &VectorSelector, range: Option<i64>) -> Result<Selector, Refusal> {
        let Some(name) = selector.name.as_deref() else {
            return refuse(Some("{"), "a selector wants the name of a series before its matchers");
        };
        let mut series = Series::named(name);
        if series.is_empty() {
            return refuse(Some(name), &format!("there is no series {name}; there are {}", all_series()));
        }
        if range.is_some() && series.contains(&Series::LastReport) {
            return refuse(
                Some(name),
                &format!("{name} has no range: it is there at every moment, with its last value"),
            );
        }
        if selector.at.is_some() {
            return refuse(Some("@"), "the modifier @ is not supported");
        }
        if !selector.matchers.or_matchers.is_empty() {
            return refuse(Some(name), "matchers with `or` are not supported");
        }
        let offset_ms = match &selector.offset {
            None => 0,
            Some(Offset::Pos(offset)) if offset.as_millis() <= LONGEST_MS as u128 => offset.as_millis() as i64,
            Some(_) => return refuse(Some("offset"), "an offset looks back, and at most 7d"),
        };
        let mut on_nodes = Vec::new();
        for matcher in &selector.matchers.matchers {
            match matcher.name.as_str() {
                "node" | "pool" => on_nodes.push(matcher.clone()),
                own @ ("quantile" | "state") => series.retain(|series| {
                    let value = series.label().filter(|(label, _)| *label == own).map_or("", |(_, value)| value);
                    matcher.is_match(value)
                }),
                "__name__" if matcher.op == MatchOp::Equal => {}
                other => return refuse(Some(other), &unknown_label(other)),
            }
        }
        for series in &series {
            let depth = offset_ms + range.unwrap_or(0);
            let known = &mut self.depth_ms[*series as usize];
            *known = Some(known.map_or(depth, |known| known.max(depth)));
        }
        let filter = (!on_nodes.is_empty()).then(|| self.filter(on_nodes));
        Ok(Selector { series, filter, offset_ms })
    }

    fn filter(&mut self, matchers: Vec<Matcher>) -> usize {
        self.filters.iter().position(|known| *known == matchers).unwrap_or_else(|| {
            self.filters.push(matchers);
            self.filters.len() - 1
        })
    }

    fn aggregate(&mut self, aggregate: &AggregateExpr) -> Compiled {
        let name = aggregate.op.to_string();
        let how = match name.as_str() {
            "sum" => Aggregation::Sum,
            "avg" => Aggregation::Average,
            "max" => Aggregation::Maximum,
            "min" => Aggregation::Minimum,
            "count" => Aggregation::Count,
            _ => {
                let message =
                    format!("the aggregation {name} is not supported; there are sum, avg, max, min and count");
                return refuse(Some(&name), &message);
            }
        };
        let (listed, keeps) = match &aggregate.modifier {
            Some(LabelModifier::Include(labels)) => (labels.labels.as_slice(), true),
            Some(LabelModifier::Exclude(labels)) => (labels.labels.as_slice(), false),
            None => (&[][..], true),
        };
        if let Some(other) = listed.iter().find(|label| !NAMES.contains(&label.as_str())) {
            return refuse(Some(other), &unknown_label(other));
        }
        let has = |label: &str| listed.iter().any(|listed| listed == label) == keeps;
        let kept = Kept { node: has("node"), pool: has("pool"), quantile: has("quantile"), state: has("state") };
        if !kept.pool {
            let message = format!(
                "{name} is taken within one pool, whose nodes meet in one partition: write {name} by (pool) (…), or by (node, pool)"
            );
            return refuse(Some(&name), &message);
        }
        let of = self.plan(&aggregate.expr)?;
        if of.is_scalar() {
            return refuse(Some(&name), &format!("{name} wants series, not a number"));
        }
        Ok(Plan::Aggregate(how, kept, Box::new(of)))
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Compiled {
        let symbol = binary.op.to_string();
        let mut as_number = false;
        if let Some(modifier) = &binary.modifier {
            as_number = modifier.return_bool;
            let one_to_one =
                matches!(modifier.card, VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany);
            let filled = modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some();
            if modifier.matching.is_some() || !one_to_one || filled {
                let message = "on, ignoring, group_left, group_right and fill are not supported: both sides match on the same \
                               labels; an aggregate brings them there, as max by (node, pool) (node_forecast_peak)";
                return refuse(Some(&symbol), message);
            }
        }
        let sides = Box::new([self.plan(&binary.lhs)?, self.plan(&binary.rhs)?]);
        let scalars = sides.iter().filter(|side| side.is_scalar()).count();
        if let Some(set) = set_operation(&symbol) {
            if scalars > 0 {
                return refuse(Some(&symbol), &format!("{symbol} stands between series, not numbers"));
            }
            return Ok(Plan::Set(set, sides));
        }
        if let Some(by) = comparison(&symbol) {
            // The parser has seen to it that a comparison of two numbers has bool.
            return Ok(Plan::Compare { by, as_number, sides });
        }
        let Some(how) = arithmetic(&symbol) else {
            return refuse(Some(&symbol), &format!("the operator {symbol} is not supported"));
        };
        Ok(Plan::Arithmetic(how, sides))
    }
}

fn arithmetic(symbol: &str) -> Option<Arithmetic> {
    Some(match symbol {
        "+" => Arithmetic::Add,
        "-" => Arithmetic::Subtract,
        "*" => Arithmetic::Multiply,
        "/" => Arithmetic::Divide,
        "%" => Arithmetic::Remainder,
        "^" => Arithmetic::Power,
        _ => return None,
    })
}

fn comparison(symbol: &str) -> Option<Comparison> {
    Some(match symbol {
        "==" => Comparison::Equal,
        "!=" => Comparison::NotEqual,
        ">" => Comparison::Greater,
        "<" => Comparison::Less,
        ">=" => Comparison::GreaterOrEqual,
        "<=" => Comparison::LessOrEqual,
        _ => return None,
    })
}

fn set_operation(symbol: &str) -> Option<SetOperation> {
    Some(match symbol {
        "and" => SetOperation::And,
        "or" => SetOperation::Or,
        "unless" => SetOperation::Unless,
        _ => return None,
    })
}

/// What stands in brackets.
fn unwrapped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Paren(paren) => unwrapped(&paren.expr),
        expr => expr,
    }
}

fn refuse<T>(words: Option<&str>, message: &str) -> Result<T, Refusal> {
    Err(Refusal { words: words.map(str::to_owned), message: message.to_owned() })
}

fn unknown_label(label: &str) -> String {
    format!("there is no label {label}; series have {}", NAMES.join(", "))
}

fn all_series() -> String {
    let mut names: Vec<&str> = ABOUT.iter().map(|(_, name, _)| *name).collect();
    names.dedup();
    names.join(", ")
}
