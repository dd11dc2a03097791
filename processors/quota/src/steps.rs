//! The way from forecast to quota, step by step, for those who ask why.
//!
//! A decision tells its steps to whoever listens: a list for `explain`, nobody in production, where it costs nothing. So an
//! explanation is the decision itself, not a second one.

/// One step; values are multiples of the base quota.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What acted: `policy`, or the guard rail or control as it is named in `limits_hit`.
    pub name: &'static str,
    /// The value that it was given.
    pub before: f64,
    /// What it made of it.
    pub after: f64,
    /// Why, in words.
    pub why: String,
}

/// Takes the steps of a decision; the words are made only for those who want them.
pub trait Steps {
    /// The next step.
    fn step(&mut self, name: &'static str, before: f64, after: f64, why: impl FnOnce() -> String);
}

/// Nobody listens.
impl Steps for () {
    fn step(&mut self, _: &'static str, _: f64, _: f64, _: impl FnOnce() -> String) {}
}

impl Steps for Vec<Step> {
    fn step(&mut self, name: &'static str, before: f64, after: f64, why: impl FnOnce() -> String) {
        self.push(Step { name, before, after, why: why() });
    }
}
