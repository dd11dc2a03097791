//! Records that are on the log where the client does not know.
//!
//! A broker that is sent a batch again by an idempotent producer says only that it has it (`DUPLICATE_SEQUENCE_NUMBER`), not
//! where: the client reports such records as delivered, at no offset. They are looked for on the log: a record of the same
//! partition with the same bytes that nobody else was told of.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::client::Raw;

use super::sender::Sent;

/// What a record is told by: partition, key, value.
type Likeness<'a> = (i32, &'a [u8], Option<&'a [u8]>);

/// Gives every acknowledged record that has no offset the place where it stands; what is not found stays as it is.
pub(super) fn find(sent: &mut [Sent], load: &[Raw]) {
    let told: BTreeSet<(i32, i64)> = sent.iter().filter_map(|sent| sent.place).filter(|place| place.1 >= 0).collect();
    let mut free: HashMap<Likeness<'_>, VecDeque<i64>> = HashMap::new();
    for raw in load.iter().filter(|raw| !told.contains(&(raw.partition, raw.offset))) {
        let of = (raw.partition, raw.key.as_deref().unwrap_or_default(), raw.value.as_deref());
        free.entry(of).or_default().push_back(raw.offset);
    }
    for sent in sent {
        let Some((partition, ..=-1)) = sent.place else { continue };
        let found = free.get_mut(&(partition, &sent.key[..], sent.value.as_deref())).and_then(VecDeque::pop_front);
        if let Some(offset) = found {
            sent.place = Some((partition, offset));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNKNOWN: i64 = -1001;

    fn sent(value: &str, place: Option<(i32, i64)>) -> Sent {
        Sent { place, key: b"a".into(), value: Some(value.into()), name: None }
    }

    fn on_log(offset: i64, value: &str) -> Raw {
        Raw { partition: 3, offset, ..Raw::new("a", value) }
    }

    #[test]
    fn what_stands_there_is_found_and_nothing_is_made_up() {
        let load = [on_log(0, "x"), on_log(1, "y"), on_log(2, "x"), on_log(3, "z")];
        let mut list = [
            sent("x", Some((3, UNKNOWN))),
            sent("x", Some((3, 0))),
            sent("z", Some((2, UNKNOWN))),
            sent("w", Some((3, UNKNOWN))),
            sent("y", None),
        ];
        find(&mut list, &load);
        let places = list.map(|sent| sent.place);
        assert_eq!(places, [Some((3, 2)), Some((3, 0)), Some((2, UNKNOWN)), Some((3, UNKNOWN)), None]);
    }
}
