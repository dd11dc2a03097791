//! Letters in words: a line, a JSON object, a dump of bytes. Pure.

use serde_json::{Value, json};
use tidegate_schemas::dead_letters::{Letter, SetAside};
use tidegate_sinks::view::text_or_hex;

use crate::event_time;

/// Characters of a message in a line.
const FIRST_WORDS: usize = 80;
/// Bytes in a line of a dump.
const PER_LINE: usize = 16;

/// A letter in one line: place, when, class, source, key, first words; and what is known of replays.
pub(super) fn line(letter: &Letter, is_replayed: bool) -> String {
    let (place, class) = (letter.place.to_string(), &letter.why.class);
    let (source, said) = (source(&letter.why), first_words(&letter.why.message));
    let note = note(letter, is_replayed);
    let when = when(letter.when);
    format!("{place:<8}  {when}  {class:<19}  {source}  {}  {said}{note}", key(letter))
}

fn note(letter: &Letter, is_replayed: bool) -> String {
    match (letter.attempts(), is_replayed) {
        (0, false) => String::new(),
        (0, true) => "  [replayed]".to_owned(),
        (attempts, false) => format!("  [failed again, attempt {attempts}]"),
        (attempts, true) => format!("  [failed again, attempt {attempts}; replayed]"),
    }
}

/// A Kafka timestamp.
pub(super) fn when(ms: Option<i64>) -> String {
    ms.map_or_else(|| "no timestamp".to_owned(), event_time::show)
}

/// Where a record stood.
pub(super) fn source(why: &SetAside) -> String {
    format!("{}/{}/{}", why.topic, why.partition, why.offset)
}

/// The key as it is matched; `-`: none.
pub(super) fn key(letter: &Letter) -> String {
    letter.key.as_deref().map_or_else(|| "-".to_owned(), text_or_hex)
}

/// The beginning of a message, in whole words where there are any, on one line.
fn first_words(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((end, _)) = message.char_indices().nth(FIRST_WORDS) else { return message };
    let cut = &message[..end];
    format!("{} …", cut.rfind(' ').map_or(cut, |space| &cut[..space]))
}

/// A letter as an object, without its bytes.
pub(super) fn object(letter: &Letter, is_replayed: bool) -> Value {
    let SetAside { class, message, stage, topic, partition, offset, timestamp, truncated } = &letter.why;
    json!({
        "partition": letter.place.partition,
        "offset": letter.place.offset,
        "timestamp": letter.when,
        "class": class,
        "message": message,
        "stage": stage,
        "source": { "topic": topic, "partition": partition, "offset": offset, "timestamp": timestamp },
        "key": letter.key.as_deref().map(text_or_hex),
        "bytes": letter.value.as_deref().map(<[u8]>::len),
        "truncated": truncated,
        "attempts": letter.attempts(),
        "replayed_from": letter.replayed_from(),
        "replayed": is_replayed,
    })
}

/// Bytes as `hexdump -C` shows them, a line each 16.
pub(super) fn dump(bytes: &[u8]) -> Vec<String> {
    let line = |(at, chunk): (usize, &[u8])| {
        let hex: String = (0..PER_LINE)
            .map(|i| {
                let gap = if i == PER_LINE / 2 { " " } else { "" };
                chunk.get(i).map_or_else(|| format!("{gap}   "), |byte| format!("{gap}{byte:02x} "))
            })
            .collect();
        let shown = |byte: &u8| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' };
        let text: String = chunk.iter().map(shown).collect();
        format!("{:08x}  {hex} |{text}|", at * PER_LINE)
    };
    bytes.chunks(PER_LINE).enumerate().map(line).collect()
}

/// Counts in words, `2 clock-ahead, 1 framing`, the largest first.
pub(super) fn totals<'a>(counts: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    counts.iter().map(|(name, count)| format!("{count} {name}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use tidegate_schemas::dead_letters::{Place, REPLAYED_ATTEMPTS};

    use super::*;

    fn letter() -> Letter {
        let text = str::to_owned;
        let why = SetAside {
            class: text("clock-ahead"),
            message: text(
                "the event time is 120000 ms ahead of the record's Kafka timestamp,\nand 60000 ms are allowed",
            ),
            stage: text("forecast"),
            topic: text("t.load"),
            partition: 1,
            offset: 523,
            timestamp: None,
            truncated: None,
        };
        let (place, when) = (Place { partition: 1, offset: 42 }, Some(1_767_571_200_000));
        Letter { place, when, why, key: Some(b"node-0".to_vec()), ..Letter::default() }
    }

    #[test]
    fn a_letter_reads_as_a_line() {
        let mut again = letter();
        again.headers.push((REPLAYED_ATTEMPTS.into(), Some(b"2".to_vec())));
        again.key = None;
        let lines = [line(&letter(), false), line(&letter(), true), line(&again, false), line(&again, true)];
        insta::assert_snapshot!("lines", lines.join("\n"));
    }

    #[test]
    fn messages_are_cut_between_words_and_characters() {
        assert_eq!(first_words("short\n and  plain"), "short and plain");
        assert_eq!(first_words(&"é".repeat(81)), format!("{} …", "é".repeat(80)));
        assert_eq!(first_words(&"abcdefg ".repeat(20)), format!("{} …", "abcdefg ".repeat(10).trim_end()));
    }

    #[test]
    fn bytes_are_dumped_whole() {
        assert_eq!(dump(b""), Vec::<String>::new());
        let bytes: Vec<u8> = (0..=255).step_by(14).collect();
        insta::assert_snapshot!("dump", dump(&bytes).join("\n"));
    }

    #[test]
    fn totals_begin_with_the_largest() {
        assert_eq!(totals([("a", 1), ("c", 2), ("b", 2)]), "2 b, 2 c, 1 a");
        assert_eq!(totals([]), "");
    }
}
