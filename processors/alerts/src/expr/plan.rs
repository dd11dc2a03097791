//! A compiled expression.

use crate::labels::Kept;
use crate::series::Series;

/// What is evaluated.
#[derive(Debug, Clone)]
pub(crate) enum Plan {
    Number(f64),
    /// `time()`
    Time,
    /// The newest samples.
    Select(Selector),
    /// `timestamp(SELECTOR)`
    Timestamp(Selector),
    OverTime(OverTime, Selector, i64),
    Negate(Box<Plan>),
    Absolute(Box<Plan>),
    Arithmetic(Arithmetic, Box<[Plan; 2]>),
    Compare {
        by: Comparison,
        as_number: bool,
        sides: Box<[Plan; 2]>,
    },
    Set(SetOperation, Box<[Plan; 2]>),
    Aggregate(Aggregation, Kept, Box<Plan>),
}

/// Which samples.
#[derive(Debug, Clone)]
pub(crate) struct Selector {
    /// Series of one metric name, in their order.
    pub(crate) series: Vec<Series>,
    /// Number of its matchers on node and pool, where it has any.
    pub(crate) filter: Option<usize>,
    pub(crate) offset_ms: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OverTime {
    Rate,
    Increase,
    Average,
    Maximum,
    Minimum,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetOperation {
    And,
    Or,
    Unless,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregation {
    Sum,
    Average,
    Maximum,
    Minimum,
    Count,
}

impl Plan {
    /// Whether it is one number, without labels.
    pub(crate) fn is_scalar(&self) -> bool {
        match self {
            Self::Number(_) | Self::Time => true,
            Self::Negate(of) | Self::Absolute(of) => of.is_scalar(),
            Self::Arithmetic(_, sides) | Self::Compare { sides, .. } => sides.iter().all(Self::is_scalar),
            _ => false,
        }
    }

    /// Whether it can be evaluated of each node alone: no aggregate takes several of them together.
    pub(crate) fn is_of_a_node(&self) -> bool {
        match self {
            Self::Aggregate(_, kept, of) => kept.node && of.is_of_a_node(),
            Self::Negate(of) | Self::Absolute(of) => of.is_of_a_node(),
            Self::Arithmetic(_, sides) | Self::Compare { sides, .. } | Self::Set(_, sides) => {
                sides.iter().all(Self::is_of_a_node)
            }
            Self::Number(_) | Self::Time | Self::Select(_) | Self::Timestamp(_) | Self::OverTime(..) => true,
        }
    }

    /// How far back it looks, in ms.
    pub(crate) fn reach_ms(&self) -> i64 {
        match self {
            Self::Number(_) | Self::Time => 0,
            Self::Select(s) | Self::Timestamp(s) => {
                let lookback = s.series.iter().map(|series| series.lookback_ms()).max();
                s.offset_ms + lookback.unwrap_or(0)
            }
            Self::OverTime(_, s, range) => s.offset_ms + range,
            Self::Negate(of) | Self::Absolute(of) | Self::Aggregate(_, _, of) => of.reach_ms(),
            Self::Arithmetic(_, sides) | Self::Compare { sides, .. } | Self::Set(_, sides) => {
                sides.iter().map(Self::reach_ms).max().unwrap_or(0)
            }
        }
    }
}
