//! Recordings: whole files, and single blocks, whose checksums would stop most damage at the door.

use apache_avro::{Codec, Schema, Writer};
use tidegate_schemas::recording::{self, RecordHeader, Recording, RecordingWriter, SCHEMA_TEXT};

use super::samples;
use crate::Target;

fn recorded() -> Vec<Recording> {
    let of_value = |(offset, value)| Recording {
        topic: "tidegate.load".into(),
        partition: 1,
        offset,
        timestamp: Some(1_767_571_200_000),
        key: Some(b"node-0001".to_vec()),
        headers: vec![RecordHeader { key: "traceparent".into(), value: Some(b"00-4b".to_vec()) }],
        value: Some(value),
    };
    (0..).zip(samples::framed()).map(of_value).collect()
}

/// The recording that a file holds, read to its end or to its damage.
fn read(file: &[u8]) -> bool {
    recording::read(file).is_ok_and(|mut records| records.all(|record| record.is_ok()))
}

fn file(codec: Codec) -> Vec<u8> {
    let schema = Schema::parse_str(SCHEMA_TEXT).unwrap();
    let mut writer = Writer::builder().schema(&schema).writer(Vec::new()).codec(codec).build().unwrap();
    for record in recorded() {
        writer.append_ser(&record).unwrap();
    }
    settled(writer.into_inner().unwrap())
}

/// A file with a sync marker of its own instead of a drawn one, so that a seed stands for the same inputs at all times.
fn settled(mut file: Vec<u8>) -> Vec<u8> {
    let drawn = file[file.len() - 16..].to_vec();
    for at in 0..file.len() - 15 {
        if file[at..at + 16] == drawn[..] {
            file[at..at + 16].copy_from_slice(b"-- sync marker -");
        }
    }
    file
}

pub(super) const RECORDINGS: Target =
    Target { name: "recordings", usual: 10_000, corpus: files, decoder: || Box::new(read) };

fn files() -> Vec<Vec<u8>> {
    let mut ours = RecordingWriter::new(Vec::new()).unwrap();
    for record in recorded() {
        ours.append(&record).unwrap();
        ours.flush().unwrap();
    }
    vec![settled(ours.finish().unwrap()), file(Codec::Null), file(Codec::Deflate(Default::default()))]
}

/// What stands before the first block: the header with its sync marker, and the bytes of the records.
fn parts() -> (Vec<u8>, Vec<u8>) {
    let whole = file(Codec::Null);
    let marker = whole[whole.len() - 16..].to_vec();
    let header = whole.windows(16).position(|window| window == marker).unwrap() + 16;
    // Then the number of records and of bytes, two bytes each at most here, and the marker again.
    let block = &whole[header..whole.len() - 16];
    let (_, rest) = varint(block);
    let (length, records) = varint(rest);
    assert_eq!(length, records.len());
    (whole[..header].to_vec(), records.to_vec())
}

fn varint(bytes: &[u8]) -> (usize, &[u8]) {
    let end = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap();
    let number = bytes[..=end].iter().rev().fold(0_usize, |number, byte| number << 7 | usize::from(byte & 0x7f));
    (number >> 1, &bytes[end + 1..])
}

fn push_varint(out: &mut Vec<u8>, number: usize) {
    let mut rest = number << 1;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// A file of one block, whose length and checksum are right whatever it holds.
fn with_block(header: &[u8], count: usize, block: &[u8]) -> Vec<u8> {
    let mut file = header.to_vec();
    push_varint(&mut file, count);
    push_varint(&mut file, block.len());
    file.extend_from_slice(block);
    file.extend_from_slice(&header[header.len() - 16..]);
    file
}

pub(super) const RECORDED_BLOCKS: Target = Target {
    name: "recorded_blocks",
    usual: 10_000,
    corpus: || vec![parts().1],
    decoder: || {
        let (header, _) = parts();
        let count = recorded().len();
        Box::new(move |block| read(&with_block(&header, count, block)))
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuzz_recordings() {
        RECORDINGS.run();
    }

    #[test]
    fn fuzz_recorded_blocks() {
        RECORDED_BLOCKS.run();
    }

    #[test]
    fn a_block_that_claims_gigabytes_is_refused_and_costs_nothing() {
        let snappy = file(Codec::Snappy);
        let marker = snappy[snappy.len() - 16..].to_vec();
        let header = snappy.windows(16).position(|window| window == marker).unwrap() + 16;
        // Snappy's own length: 4 GiB - 1, then nothing but a checksum.
        let bomb = with_block(&snappy[..header], 1, b"\xff\xff\xff\xff\x0f\0\0\0\0");
        let mut claim = snappy[..header].to_vec();
        push_varint(&mut claim, 1);
        push_varint(&mut claim, 1 << 40);
        for file in [bomb, claim] {
            let said = recording::read(&file[..]).unwrap().next().unwrap().unwrap_err().to_string();
            assert!(said.starts_with("the recording is damaged: "), "{said}");
        }
    }
}
