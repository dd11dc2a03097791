//! Records as they came, beside what they hold.

use tidegate_broker::RawRecord;

use crate::case::Wanted;

/// A record with what it holds.
#[derive(Debug, Clone)]
pub(crate) struct Held<T> {
    pub(crate) raw: RawRecord,
    pub(crate) record: T,
}

/// The wanted one among records of a node, each with an event time and a sequence.
pub(crate) fn chosen<'a, T: 'a>(
    held: impl Iterator<Item = &'a Held<T>>,
    wanted: Wanted,
    name: impl Fn(&T) -> (i64, i64),
) -> Option<&'a Held<T>> {
    let fits = |held: &&'a Held<T>| match (wanted, name(&held.record)) {
        (Wanted::Last, _) => true,
        (Wanted::At(at_ms), (time, _)) => time <= at_ms,
        (Wanted::Sequence(wanted), (_, sequence)) => sequence == wanted,
    };
    held.filter(fits).max_by_key(|held| name(&held.record).1)
}
