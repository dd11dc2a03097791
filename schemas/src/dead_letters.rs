//! Dead letters as they stand on their topic: the headers that say why a record was set aside and where it stood, those of
//! a replay, and the mark that a replay leaves beside the letter.
//!
//! ```text
//! record that fails ── SetAside::headers ──> letter: key, bytes, headers of the record; error.*, source.* behind them
//! letter ── Letter::read ──> why, whence, the record's own headers
//!        ── Letter::replayed_headers ──> the record again: its own headers, replayed.from, replayed.attempts behind them
//!        ── mark ──> on the letter's partition: replayed.letter, replayed.to; no key, no value
//! ```

use std::fmt;
use std::str::FromStr;

/// A header of a Kafka record: name and value.
pub type Header = (String, Option<Vec<u8>>);

/// Headers as a producer takes them.
#[must_use]
pub fn borrowed(headers: &[Header]) -> Vec<(&str, Option<&[u8]>)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_deref())).collect()
}

const CLASS: &str = "error.class";
const MESSAGE: &str = "error.message";
const STAGE: &str = "error.stage";
const TOPIC: &str = "source.topic";
const PARTITION: &str = "source.partition";
const OFFSET: &str = "source.offset";
const TIMESTAMP: &str = "source.timestamp";
const TRUNCATED: &str = "error.truncated";
const ALL: [&str; 7] = [CLASS, MESSAGE, STAGE, TOPIC, PARTITION, OFFSET, TIMESTAMP];

/// The headers of a letter, and what each says; [`SetAside`] has them as fields.
pub const HEADERS: [(&str, &str); 8] = [
    (CLASS, "Stable name of what is wrong."),
    (MESSAGE, "What is wrong, for people."),
    (STAGE, "Stage or sink that set the record aside."),
    (TOPIC, "Topic of the record."),
    (PARTITION, "Its partition."),
    (OFFSET, "Its offset."),
    (TIMESTAMP, "Its Kafka timestamp, ms since the Unix epoch, where it has one."),
    (TRUNCATED, "What of the record did not fit; absent where all of it did."),
];

/// Of a replayed record: `TOPIC/PARTITION/OFFSET` of its letter.
pub const REPLAYED_FROM: &str = "replayed.from";
/// Of a replayed record: how often it was replayed, this time included.
pub const REPLAYED_ATTEMPTS: &str = "replayed.attempts";
const REPLAYED_LETTER: &str = "replayed.letter";
const REPLAYED_TO: &str = "replayed.to";

/// Why a record was set aside, by whom, and where it stood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetAside {
    /// Stable name of what is wrong.
    pub class: String,
    /// What is wrong, for people.
    pub message: String,
    /// Name of the stage or sink that set it aside.
    pub stage: String,
    /// Topic of the record.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its Kafka timestamp, ms since the epoch.
    pub timestamp: Option<i64>,
    /// What of the record did not fit into the letter, in words; `None`: the letter holds all of it.
    pub truncated: Option<String>,
}

impl SetAside {
    /// The headers of the letter that say this; they stand behind those of the record.
    #[must_use]
    pub fn headers(&self) -> Vec<Header> {
        let text = |name: &str, value: &str| (name.to_owned(), Some(value.as_bytes().to_vec()));
        let mut ours = vec![
            text(CLASS, &self.class),
            text(MESSAGE, &self.message),
            text(STAGE, &self.stage),
            text(TOPIC, &self.topic),
            text(PARTITION, &self.partition.to_string()),
            text(OFFSET, &self.offset.to_string()),
            (TIMESTAMP.to_owned(), self.timestamp.map(|t| t.to_string().into_bytes())),
        ];
        ours.extend(self.truncated.as_deref().map(|what| text(TRUNCATED, what)));
        ours
    }

    /// What the headers of a letter say, and those that the record had itself. Of a name that comes more than once the last
    /// is ours. `None`: these are not the headers of a letter.
    #[must_use]
    pub fn read(headers: &[Header]) -> Option<(Self, Vec<Header>)> {
        // Only a letter that is not whole has it, and then at the end; anywhere else it is the record's own.
        let (truncated, headers) = match headers.split_last() {
            Some(((name, Some(what)), before)) if name == TRUNCATED => {
                (Some(String::from_utf8_lossy(what).into_owned()), before)
            }
            _ => (None, headers),
        };
        let said = |name| text_of(headers, name);
        let why = Self {
            class: said(CLASS)?,
            message: said(MESSAGE)?,
            stage: said(STAGE)?,
            topic: said(TOPIC)?,
            partition: said(PARTITION)?.parse().ok()?,
            offset: said(OFFSET)?.parse().ok()?,
            timestamp: said(TIMESTAMP).and_then(|t| t.parse().ok()),
            truncated,
        };
        Some((why, without_last(headers, &ALL)))
    }
}

/// Text of the last header of a name.
fn text_of(headers: &[Header], name: &str) -> Option<String> {
    let (_, value) = headers.iter().rfind(|(key, _)| key == name)?;
    value.as_deref().map(|value| String::from_utf8_lossy(value).into_owned())
}

/// The headers without the last of each name.
fn without_last(headers: &[Header], names: &[&str]) -> Vec<Header> {
    let ours: Vec<usize> = names.iter().filter_map(|name| headers.iter().rposition(|(key, _)| key == name)).collect();
    headers.iter().enumerate().filter(|(at, _)| !ours.contains(at)).map(|(_, header)| header.clone()).collect()
}

/// Where a letter stands on its topic, written `PARTITION/OFFSET`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.partition, self.offset)
    }
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('/').and_then(|(partition, offset)| {
            let place = Self { partition: partition.parse().ok()?, offset: offset.parse().ok()? };
            (place.partition >= 0 && place.offset >= 0).then_some(place)
        });
        parsed.ok_or("it wants PARTITION/OFFSET, for example 0/17")
    }
}

/// A dead letter, whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// Where it stands.
    pub place: Place,
    /// Its own Kafka timestamp: when it was set aside, ms since the epoch.
    pub when: Option<i64>,
    /// Why, and whence.
    pub why: SetAside,
    /// Key of the record.
    pub key: Option<Vec<u8>>,
    /// Bytes of the record; `None`: a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers of the record itself, in order.
    pub headers: Vec<Header>,
}

impl Letter {
    /// How often the record had been replayed before it was set aside.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        let said = text_of(&self.headers, REPLAYED_ATTEMPTS).and_then(|attempts| attempts.parse().ok());
        said.unwrap_or_else(|| u32::from(self.replayed_from().is_some()))
    }

    /// The letter that the record had been replayed from, `TOPIC/PARTITION/OFFSET`.
    #[must_use]
    pub fn replayed_from(&self) -> Option<String> {
        text_of(&self.headers, REPLAYED_FROM)
    }

    /// Where the record goes back to, `TOPIC/PARTITION`.
    #[must_use]
    pub fn goes_to(&self) -> String {
        format!("{}/{}", self.why.topic, self.why.partition)
    }

    /// Headers of the record that goes back to where it came from: its own, marked with the letter on `dead_letters` and
    /// the count of attempts. A mark of an earlier attempt gives way.
    #[must_use]
    pub fn replayed_headers(&self, dead_letters: &str) -> Vec<Header> {
        let mut headers = without_last(&self.headers, &[REPLAYED_FROM, REPLAYED_ATTEMPTS]);
        let attempts = self.attempts().saturating_add(1);
        headers.push((REPLAYED_FROM.to_owned(), Some(format!("{dead_letters}/{}", self.place).into_bytes())));
        headers.push((REPLAYED_ATTEMPTS.to_owned(), Some(attempts.to_string().into_bytes())));
        headers
    }

    /// Headers of the mark that says that this letter went back.
    #[must_use]
    pub fn mark(&self) -> Vec<Header> {
        vec![
            (REPLAYED_LETTER.to_owned(), Some(self.place.to_string().into_bytes())),
            (REPLAYED_TO.to_owned(), Some(self.goes_to().into_bytes())),
        ]
    }
}

/// The letter that a mark speaks of, and the topic and partition that it went to. `None`: not a mark.
#[must_use]
pub fn marked(headers: &[Header]) -> Option<(Place, String)> {
    if text_of(headers, CLASS).is_some() {
        return None;
    }
    Some((text_of(headers, REPLAYED_LETTER)?.parse().ok()?, text_of(headers, REPLAYED_TO)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(name: &str, value: &str) -> Header {
        (name.to_owned(), Some(value.as_bytes().to_vec()))
    }

    fn why() -> SetAside {
        SetAside {
            class: "framing".into(),
            message: "no wire format".into(),
            stage: "forecast".into(),
            topic: "t.load".into(),
            partition: 1,
            offset: 5,
            timestamp: Some(9),
            truncated: None,
        }
    }

    /// Headers of the letter of a record with these.
    fn of_letter(why: &SetAside, own: &[Header]) -> Vec<Header> {
        [own, &why.headers()].concat()
    }

    fn names() -> impl Strategy<Value = String> {
        let known = ALL.iter().chain(&[TRUNCATED, REPLAYED_FROM, REPLAYED_ATTEMPTS, REPLAYED_LETTER, "traceparent"]);
        let known: Vec<String> = known.map(|name| (*name).to_owned()).collect();
        prop_oneof![proptest::sample::select(known), "[a-z.]{0,8}"]
    }

    proptest! {
        /// Order, names that come twice, nulls, and names that are like ours.
        #[test]
        fn what_a_letter_adds_is_taken_off_again(
            own in proptest::collection::vec((names(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..5))), 0..12),
            (partition, offset, timestamp) in (any::<i32>(), any::<i64>(), proptest::option::of(any::<i64>())),
            (message, truncated) in (".{0,20}", proptest::option::of(".{0,20}")),
        ) {
            let why = SetAside { message, partition, offset, timestamp, truncated, ..why() };
            prop_assert_eq!(SetAside::read(&of_letter(&why, &own)), Some((why, own)));
        }

        #[test]
        fn other_headers_are_not_read_as_a_letter(
            own in proptest::collection::vec((names(), proptest::option::of(proptest::collection::vec(any::<u8>(), 0..5))), 0..6),
        ) {
            prop_assert_eq!(SetAside::read(&own), None);
        }
    }

    #[test]
    fn a_replayed_record_has_its_own_headers_and_one_mark() {
        let own = vec![header("a", "1"), (String::from("a"), None), header("error.class", "mine")];
        let (read, headers) = SetAside::read(&of_letter(&why(), &own)).unwrap();
        let place = Place { partition: 2, offset: 7 };
        let first = Letter { place, why: read, headers, ..Letter::default() };
        assert_eq!((first.attempts(), first.replayed_from()), (0, None));
        let sent = first.replayed_headers("t.dead-letters");
        let marks = [header(REPLAYED_FROM, "t.dead-letters/2/7"), header(REPLAYED_ATTEMPTS, "1")];
        assert_eq!(sent, [&own[..], &marks].concat());
        // It fails again.
        let place = Place { partition: 2, offset: 9 };
        let second =
            Letter { place, headers: SetAside::read(&of_letter(&why(), &sent)).unwrap().1, ..Letter::default() };
        assert_eq!((second.attempts(), second.replayed_from().as_deref()), (1, Some("t.dead-letters/2/7")));
        let marks = [header(REPLAYED_FROM, "t.dead-letters/2/9"), header(REPLAYED_ATTEMPTS, "2")];
        assert_eq!(second.replayed_headers("t.dead-letters"), [&own[..], &marks].concat());
    }

    #[test]
    fn a_mark_names_its_letter_and_is_none_itself() {
        let place = Place { partition: 2, offset: 7 };
        let letter = Letter { place, why: why(), ..Letter::default() };
        assert_eq!(marked(&letter.mark()), Some((place, "t.load/1".to_owned())));
        assert_eq!(SetAside::read(&letter.mark()), None);
        // A mark that was itself sent to a stage and set aside is a letter.
        assert_eq!(marked(&of_letter(&why(), &letter.mark())), None);
    }

    #[test]
    fn places_are_read_as_they_are_written() {
        assert_eq!("2/7".parse(), Ok(Place { partition: 2, offset: 7 }));
        for wrong in ["", "2", "2/", "/7", "-1/7", "2/-7", "2/7/1", "a/b"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}
