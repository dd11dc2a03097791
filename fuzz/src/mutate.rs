//! Valid inputs, damaged: flipped bits, lost and repeated stretches, splices, and numbers that claim too much.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Most bytes of one damaged input beyond its origin.
const ROOM: usize = 4096;

/// Numbers that break what trusts them: zigzag varints as Avro's lengths are, and fixed ones of either byte order.
const NUMBERS: [&[u8]; 14] = [
    // Avro: -1, 2^31 - 1, -2^31, 2^40, i64::MAX, i64::MIN, and one that never ends.
    b"\x01",
    b"\xfe\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x80\x40",
    b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    // 16 MiB in an Avro length; 1 GiB in a protocol-buffers one, as snappy has.
    b"\x80\x80\x80\x10",
    b"\x80\x80\x80\x80\x04",
    // Fixed: 2^31 - 1, 2^40, infinity and NaN as f64.
    b"\xff\xff\xff\x7f",
    b"\x00\x00\x00\x00\x00\x01\x00\x00",
    b"\x00\x00\x00\x00\x00\x00\xf0\x7f",
    b"\x00\x00\x00\x00\x00\x00\xf8\x7f",
    b"\x00\x00\x00\x00\x00\x00\x00\x00",
];

/// Texts that break what trusts them.
const TEXTS: [&[u8]; 24] = [
    b"-1",
    b"0",
    b"-0",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"1e308",
    b"1e999",
    b"4.9e-324",
    b"NaN",
    b"inf",
    b"\"",
    b"'",
    b"\"\"\"",
    b",",
    b"=",
    b"[[",
    b"{",
    b"\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x8c\x8a",
    b"\xff",
    b"9999999999999999999999999d",
];

/// Damages the members of a corpus.
#[derive(Debug)]
pub(crate) struct Mutator<'a> {
    seed: [u8; 32],
    corpus: &'a [Vec<u8>],
}

impl<'a> Mutator<'a> {
    /// The sequence of inputs that target and seed stand for.
    pub(crate) fn new(target: &str, seed: u64, corpus: &'a [Vec<u8>]) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        for (at, byte) in target.bytes().enumerate() {
            bytes[16 + at % 16] = bytes[16 + at % 16].rotate_left(3) ^ byte;
        }
        Self { seed: bytes, corpus }
    }

    /// Writes the input of this index to `out`, which is cleared first.
    pub(crate) fn write(&self, index: u64, out: &mut Vec<u8>) {
        let mut seed = self.seed;
        seed[8..16].copy_from_slice(&index.to_le_bytes());
        let rng = &mut ChaCha8Rng::from_seed(seed);
        out.clear();
        if rng.random_range(0..64) == 0 {
            let length = rng.random_range(0..200);
            out.extend((0..length).map(|_| rng.random::<u8>()));
            return;
        }
        let origin = &self.corpus[rng.random_range(0..self.corpus.len())];
        out.extend_from_slice(origin);
        // Mostly one or two: damage upon damage is refused at the first place and reaches no further.
        let steps = 1 + rng.random::<u8>().trailing_ones();
        for _ in 0..steps {
            self.damage(rng, out);
        }
        out.truncate(origin.len() + ROOM);
    }

    fn damage(&self, rng: &mut ChaCha8Rng, out: &mut Vec<u8>) {
        let at = rng.random_range(0..=out.len());
        let stretch = at..(at + length(rng)).min(out.len());
        match rng.random_range(0..12) {
            0..=2 => {
                if let Some(byte) = out.get_mut(at) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
            3 => {
                if let Some(byte) = out.get_mut(at) {
                    *byte = rng.random();
                }
            }
            4 => out.truncate(at),
            5 => drop(out.drain(stretch)),
            6 => out.extend_from_within(stretch),
            7 => {
                let repeated = out[stretch.clone()].to_vec();
                drop(out.splice(stretch.start..stretch.start, repeated));
            }
            8 => {
                let other = &self.corpus[rng.random_range(0..self.corpus.len())];
                let from = rng.random_range(0..=other.len());
                let taken = from..(from + length(rng)).min(other.len());
                drop(out.splice(stretch, other[taken].iter().copied()));
            }
            9 => overwrite(out, at, NUMBERS[rng.random_range(0..NUMBERS.len())]),
            10 => {
                let number = NUMBERS[rng.random_range(0..NUMBERS.len())];
                let replaced = at..(at + rng.random_range(0..3)).min(out.len());
                drop(out.splice(replaced, number.iter().copied()));
            }
            _ => {
                let text = TEXTS[rng.random_range(0..TEXTS.len())];
                let replaced = word(out, at, rng.random_range(0..3) == 0);
                drop(out.splice(replaced, text.iter().copied()));
            }
        }
    }
}

/// Length of a stretch: mostly short, at times all there is.
fn length(rng: &mut ChaCha8Rng) -> usize {
    let most = [4, 4, 16, 64, 256, 1 << 16][rng.random_range(0..6)];
    rng.random_range(1..=most)
}

fn overwrite(out: &mut [u8], at: usize, number: &[u8]) {
    let end = (at + number.len()).min(out.len());
    out[at..end].copy_from_slice(&number[..end - at]);
}

/// The number or word round a place; nothing where one is only to be put in there.
fn word(out: &[u8], at: usize, only_there: bool) -> std::ops::Range<usize> {
    if only_there {
        return at..at;
    }
    let part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+' | b'_');
    let start = out[..at].iter().rposition(|byte| !part(byte)).map_or(0, |before| before + 1);
    let end = out[at..].iter().position(|byte| !part(byte)).map_or(out.len(), |after| at + after);
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(target: &str, seed: u64) -> Vec<Vec<u8>> {
        let corpus = [b"node_id,timestamp_ms,cpu\nn,1000,0.5\n".to_vec(), b"short".to_vec()];
        let mutator = Mutator::new(target, seed, &corpus);
        let input = |index| {
            let mut out = vec![1, 2, 3];
            mutator.write(index, &mut out);
            out
        };
        (0..2_000).map(input).collect()
    }

    #[test]
    fn inputs_are_a_function_of_target_seed_and_index() {
        assert_eq!(inputs("a", 1), inputs("a", 1));
        assert_ne!(inputs("a", 1), inputs("a", 2));
        assert_ne!(inputs("a", 1), inputs("b", 1));
    }

    #[test]
    fn inputs_differ_and_stay_small() {
        let mut all = inputs("a", 1);
        assert!(all.iter().all(|input| input.len() <= 200 + ROOM));
        all.sort();
        all.dedup();
        // A corpus of two short texts, mostly damaged once, gives some inputs twice.
        assert!(all.len() > 1_000, "{}", all.len());
    }
}
