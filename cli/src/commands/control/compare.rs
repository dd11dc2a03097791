//! Wanted controls compared with those that hold: what is to be done. Pure, and safe to run again: what is as wanted is
//! left alone, with the beginning that it has.

use serde::Serialize;
use tidegate_schemas::controls::Controls;
use tidegate_schemas::records::Control;

use super::file::{Entry, SaidOfFile};

/// What becomes of one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Change {
    /// Nothing was said of it.
    Add,
    /// Something else was said of it.
    Replace,
    /// It is taken back.
    Clear,
    /// It is as wanted.
    Unchanged,
}

/// What is to be done for one target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Step {
    pub(super) target: String,
    pub(super) change: Change,
    /// What holds afterwards; a clear where it is taken back.
    pub(super) control: Control,
    /// What was said before.
    pub(super) present: Option<Control>,
}

impl Step {
    /// The record that does it.
    pub(super) fn to_publish(&self) -> Option<&Control> {
        (self.change != Change::Unchanged).then_some(&self.control)
    }
}

/// Compares. `next`: when a control of a target begins that is given no beginning. `prune`: who clears the targets that
/// are not wanted, if they are to be cleared.
///
/// # Errors
/// The first entry that cannot be, in words.
pub(super) fn compare(
    wanted: &[Entry],
    present: &Controls,
    next: impl Fn(&str) -> i64,
    prune: Option<&SaidOfFile>,
) -> Result<Vec<Step>, String> {
    let mut steps = Vec::with_capacity(wanted.len());
    for entry in wanted {
        let before = present.last(&entry.target).filter(|c| !c.is_clear());
        let control = match before.filter(|before| is_as_wanted(entry, before)) {
            Some(before) => before.clone(),
            None => entry.control(next(&entry.target)),
        };
        super::show::check(&control, true).map_err(|e| format!("line {}: {}: {e}", entry.line, entry.target))?;
        let change = match before {
            None => Change::Add,
            Some(before) if *before == control => Change::Unchanged,
            Some(_) => Change::Replace,
        };
        steps.push(Step { target: entry.target.clone(), change, control, present: before.cloned() });
    }
    if let Some(said) = prune {
        let (by, why) = said.whole().ok_or(
            "--prune clears what the file does not name, and a clear says who and why too: give `by` and `why` at the top of the file, or --by and --why",
        )?;
        let is_named = |target: &str| wanted.iter().any(|entry| entry.target == target);
        for (target, said) in present.by_target() {
            let at = next(target);
            let holds = |c: &&Control| !c.is_clear() && c.until.is_none_or(|until| until > at);
            if let Some(before) = said.last().filter(holds).filter(|_| !is_named(target)) {
                let control = clear(target, at, by, why);
                let step =
                    Step { target: target.into(), change: Change::Clear, control, present: Some(before.clone()) };
                steps.push(step);
            }
        }
    }
    Ok(steps)
}

/// Whether `present` is what the entry would make if it had begun when `present` did.
fn is_as_wanted(entry: &Entry, present: &Control) -> bool {
    entry.control(present.timestamp) == *present
}

/// The record that takes back what was said of a target.
pub(super) fn clear(target: &str, timestamp: i64, by: &str, why: &str) -> Control {
    Control { target: target.into(), timestamp, by: by.into(), why: why.into(), ..Control::default() }
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    const FILE: &str = "
        by = 'alice'
        why = 'release'
        [[control]]
        target = 'a'
        override = 1500
        until = '2h'
        [[control]]
        target = 'pool:x'
        freeze = true
        from = 5_000
    ";

    fn run(text: &str, present: &Controls, at: i64, prune: bool) -> Vec<Step> {
        let wanted = file::parse(text, None, None).unwrap();
        compare(&wanted.entries, present, |_| at, prune.then_some(&wanted.said)).unwrap()
    }

    fn apply(present: &mut Controls, steps: &[Step]) {
        steps.iter().filter_map(Step::to_publish).for_each(|c| present.take(c.clone()));
    }

    fn changes(steps: &[Step]) -> Vec<(&str, Change)> {
        steps.iter().map(|step| (step.target.as_str(), step.change)).collect()
    }

    #[test]
    fn a_second_run_changes_nothing_and_what_the_file_lacks_is_left_alone() {
        let mut present = Controls::default();
        present.take(Control { override_quota: Some(1.0), ..clear("other", 10, "bob", "his own") });
        let first = run(FILE, &present, 1_000, false);
        assert_eq!(changes(&first), [("a", Change::Add), ("pool:x", Change::Add)]);
        assert_eq!((first[0].control.timestamp, first[0].control.until), (1_000, Some(7_201_000)));
        assert_eq!(first[1].control.timestamp, 5_000);
        apply(&mut present, &first);
        let second = run(FILE, &present, 9_999_999_999, false);
        assert_eq!(changes(&second), [("a", Change::Unchanged), ("pool:x", Change::Unchanged)]);
        assert!(second.iter().all(|step| step.to_publish().is_none()));
        assert!(present.of_node("other", 20).is_some());
    }

    #[test]
    fn another_word_replaces_and_prune_clears_the_rest() {
        let mut present = Controls::default();
        let first = run(FILE, &present, 1_000, false);
        apply(&mut present, &first);
        present.take(Control { freeze: true, until: Some(1_500), ..clear("ended", 10, "bob", "long ago") });
        let text = "by = 'alice'\nwhy = 'release'\n[[control]]\ntarget = 'a'\noverride = 900\n";
        let steps = run(text, &present, 2_000, true);
        assert_eq!(changes(&steps), [("a", Change::Replace), ("pool:x", Change::Clear)]);
        apply(&mut present, &steps);
        assert_eq!(present.of_node("a", 2_000).and_then(|c| c.override_quota), Some(900.0));
        assert_eq!(present.of_pool("x", 6_000), None, "cleared before it began");
        assert_eq!(changes(&run(text, &present, 3_000, true)), [("a", Change::Unchanged)]);
    }

    #[test]
    fn an_entry_that_cannot_be_is_named_with_its_line() {
        let text = "by = 'a'\nwhy = 'b'\n[[control]]\ntarget = 'a'\nfreeze = true\nfrom = 5000\nuntil = 4000\n";
        let wanted = file::parse(text, None, None).unwrap();
        let said = compare(&wanted.entries, &Controls::default(), |_| 0, None).unwrap_err();
        assert_eq!(
            said,
            "line 3: a: it would end (until) at 1970-01-01T00:00:04.000Z, not after its beginning (from) at 1970-01-01T00:00:05.000Z"
        );
    }
}
