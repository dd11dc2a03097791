//! `dead-letters show`: one letter, whole.

use serde_json::Value;
use tidegate_broker::RawRecord;
use tidegate_schemas::Topic;
use tidegate_schemas::dead_letters::{Letter, Place};
use tidegate_sinks::view::{Viewer, text_or_hex};

use super::text;
use super::topic::LetterTopic;
use crate::args::Common;
use crate::commands::{say, say_json};

/// Show one letter whole: why, whence, headers, bytes, and what they say where they decode by now
#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// The letter, as `list` names it
    #[arg(value_name = "PARTITION/OFFSET")]
    letter: Place,
}

impl Show {
    pub(super) fn run(self, common: &Common) -> anyhow::Result<()> {
        let topic = LetterTopic::open(common)?;
        let letter = topic.letter_at(self.letter)?;
        let is_replayed = topic.replayed(Some(self.letter.partition))?.contains(&self.letter);
        let decoded = decode(&letter, &topic);
        if common.json {
            return say_json(&object(&letter, is_replayed, decoded.as_ref()));
        }
        lines(&letter, is_replayed, &topic.name, decoded.as_ref()).iter().try_for_each(say)
    }
}

/// What the bytes say as a record of the topic that they came from; `None`: it is no topic of this pipeline, or there are no
/// bytes.
fn decode(letter: &Letter, topic: &LetterTopic) -> Option<Result<Value, String>> {
    let source = Topic::from_name(&letter.why.topic, &topic.kafka.prefix)?;
    source.record()?;
    let value = Some(letter.value.clone()?);
    let record = RawRecord { value, ..RawRecord::default() };
    Some(Viewer::new(source, topic.schema_ids()).value(&record).map_err(|e| e.to_string()))
}

fn object(letter: &Letter, is_replayed: bool, decoded: Option<&Result<Value, String>>) -> Value {
    let mut object = text::object(letter, is_replayed);
    let header = |(name, value): &(String, Option<Vec<u8>>)| serde_json::json!({ "name": name, "value": value.as_deref().map(text_or_hex) });
    object["headers"] = letter.headers.iter().map(header).collect();
    object["value_hex"] = letter.value.as_deref().map(const_hex::encode).into();
    object["decoded"] = decoded.and_then(|d| d.as_ref().ok()).cloned().unwrap_or_default();
    object["decode_error"] = decoded.and_then(|d| d.as_ref().err()).cloned().into();
    object
}

fn lines(letter: &Letter, is_replayed: bool, name: &str, decoded: Option<&Result<Value, String>>) -> Vec<String> {
    let why = &letter.why;
    let mut lines = vec![
        format!("letter     {name}/{}, {}", letter.place, text::when(letter.when)),
        format!("class      {}, set aside by {}", why.class, why.stage),
        format!("message    {}", why.message.replace('\n', "\n           ")),
        format!("source     {}, {}", text::source(why), text::when(why.timestamp)),
        format!("replayed   {}", if is_replayed { "yes, it went back to where it came from" } else { "no" }),
    ];
    if let Some(from) = letter.replayed_from() {
        let attempts = letter.attempts();
        lines.push(format!("           its record came from a replay of {from} (attempt {attempts}) and failed again"));
    }
    if let Some(what) = &why.truncated {
        lines.push(format!("not whole  {what}; all of it stands at the source"));
    }
    lines.push(format!("key        {}", text::key(letter)));
    let value = |value: &Option<Vec<u8>>| value.as_deref().map_or_else(|| "(null)".to_owned(), text_or_hex);
    let headers: Vec<_> = letter.headers.iter().map(|(name, of)| format!("{name} = {}", value(of))).collect();
    lines.extend(below("headers", headers));
    match letter.value.as_deref() {
        None => lines.push("bytes      no value: a tombstone".to_owned()),
        Some(bytes) => {
            lines.push(format!("bytes      {}", bytes.len()));
            lines.extend(text::dump(bytes).into_iter().map(|line| format!("           {line}")));
        }
    }
    match decoded {
        None => {}
        Some(Err(e)) => lines.push(format!("decoded    no: {e}")),
        Some(Ok(value)) => {
            let pretty = format!("{value:#}");
            lines.extend(below("decoded", pretty.lines().map(str::to_owned).collect()));
        }
    }
    lines
}

/// Lines with a title beside the first.
fn below(title: &str, all: Vec<String>) -> Vec<String> {
    if all.is_empty() {
        return vec![format!("{title:<11}none")];
    }
    let titles = std::iter::once(title).chain(std::iter::repeat(""));
    titles.zip(all).map(|(title, line)| format!("{title:<11}{line}")).collect()
}

#[cfg(test)]
mod tests {
    use tidegate_schemas::dead_letters::SetAside;

    use super::*;

    fn letter() -> Letter {
        let text = str::to_owned;
        let why = SetAside {
            class: text("framing"),
            message: text("the value is not in the Confluent wire format: it is too short"),
            stage: text("forecast"),
            topic: text("t.load"),
            partition: 1,
            offset: 523,
            timestamp: Some(1_767_571_199_990),
            truncated: None,
        };
        Letter {
            place: Place { partition: 1, offset: 42 },
            when: Some(1_767_571_200_000),
            why,
            key: Some(vec![0xff, 1]),
            value: Some(b"not avro at all".to_vec()),
            headers: vec![(text("twice"), None), (text("twice"), Some(b"2".to_vec())), (text("raw"), Some(vec![0xfe]))],
        }
    }

    #[test]
    fn a_letter_is_shown_whole() {
        let said = "the value is not in the Confluent wire format".to_owned();
        insta::assert_snapshot!("shown", lines(&letter(), false, "t.dead-letters", Some(&Err(said))).join("\n"));
    }

    #[test]
    fn what_decodes_by_now_is_shown_and_what_failed_again_is_said() {
        let mut failed = Letter { value: None, ..letter() };
        let mark = [("replayed.from", "t.dead-letters/1/40"), ("replayed.attempts", "1")];
        failed.headers = mark.iter().map(|(name, value)| ((*name).into(), Some((*value).into()))).collect();
        let decoded = serde_json::json!({ "node_id": "node-0", "cpu": 0.5 });
        insta::assert_snapshot!("shown_again", lines(&failed, true, "t.dead-letters", Some(&Ok(decoded))).join("\n"));
    }

    #[test]
    fn as_an_object_nothing_is_lost() {
        let object = object(&letter(), false, Some(&Err("why".into())));
        assert_eq!(object["value_hex"], "6e6f74206176726f20617420616c6c");
        assert_eq!(object["key"], "hex:ff01");
        assert_eq!(object["headers"][0], serde_json::json!({ "name": "twice", "value": null }));
        assert_eq!(object["headers"][2], serde_json::json!({ "name": "raw", "value": "hex:fe" }));
        assert_eq!((&object["decoded"], &object["decode_error"]), (&Value::Null, &Value::from("why")));
    }
}
