//! Damaged inputs for a decoder: none may make it panic, or allocate what the input does not pay for.
//!
//! ```text
//! corpus of valid inputs ─> mutate (seed, index) ─> decode, its allocations counted ─> Outcome, or the input that failed
//! ```
//!
//! An input is a function of target, seed and index, so a failure is repeated by its numbers. The targets stand in
//! [`targets`], those of what only the binary reads in `cli/src/fuzz.rs`. [`Target::run`] runs few inputs in `cargo test`;
//! `cargo xtask fuzz` sets the variables of [`Options`] and runs many. `fuzz/guided/` gives the same targets to libFuzzer,
//! whose inputs follow the code's coverage.

mod measure;
mod mutate;
mod options;
pub mod targets;

use std::time::Instant;

use measure::{Run, run};
use mutate::Mutator;

pub use measure::allowed;
pub use options::Options;

/// What a target's run found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Damaged inputs that were decoded or refused.
    pub inputs: u64,
    /// How many of them were accepted all the same.
    pub accepted: u64,
    /// The largest number of bytes that one of them held at a time.
    pub largest: u64,
}

/// A decoder with what it remembers from input to input: takes bytes and says whether it accepted them.
pub type Decode = Box<dyn FnMut(&[u8]) -> bool>;

/// A decoder of outside bytes, as tests and libFuzzer run it.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name; that of its test is `fuzz_` and this.
    pub name: &'static str,
    /// Damaged inputs that `cargo test` gives it.
    pub usual: u64,
    /// Valid inputs, from which damaged ones are made.
    pub corpus: fn() -> Vec<Vec<u8>>,
    /// Makes the decoder.
    pub decoder: fn() -> Decode,
}

impl Target {
    /// Gives damaged inputs to the decoder, as many as [`Options::of_environment`] says, by default [`Target::usual`].
    ///
    /// It is given every member of the corpus first, which it must accept, so that a decoder which refuses everything is no
    /// success.
    ///
    /// # Panics
    /// At the first input that makes the decoder panic or hold more than 64 MiB beyond the input's size, with that input
    /// and the numbers that repeat it; where a member of the corpus is refused, or the variables cannot be read.
    pub fn run(&self) -> Outcome {
        let Self { name, usual, .. } = *self;
        let (corpus, mut decode) = ((self.corpus)(), (self.decoder)());
        let options = Options::of_environment(usual);
        assert!(!corpus.is_empty(), "{name}: its corpus is empty");
        for (at, valid) in corpus.iter().enumerate() {
            assert!(decode(valid), "{name}: the valid input {at} of its corpus is refused");
        }
        let mutator = Mutator::new(name, options.seed, &corpus);
        let (mut input, mut outcome, began) = (Vec::new(), Outcome::default(), Instant::now());
        for index in options.first..options.first.saturating_add(options.inputs) {
            mutator.write(index, &mut input);
            options.keep(&input);
            let Run { accepted, largest } = run(&mut decode, &input);
            let Some(accepted) = accepted else { failed(name, &options, index, &input, "it panics") };
            if largest > allowed(&input) {
                failed(name, &options, index, &input, &format!("it holds {largest} bytes"));
            }
            outcome.inputs += 1;
            outcome.accepted += u64::from(accepted);
            outcome.largest = outcome.largest.max(largest);
        }
        tell(name, outcome, began.elapsed().as_secs_f64());
        outcome
    }
}

/// The most bytes that a piece of work holds at a time, by this thread: for regression tests of one input, and for libFuzzer.
pub fn held(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).bytes_max
}

/// One line for whoever looks: libtest shows it with `--nocapture`.
#[expect(clippy::print_stdout, reason = "the result of a run is for the terminal")]
fn tell(target: &str, outcome: Outcome, seconds: f64) {
    let Outcome { inputs, accepted, largest } = outcome;
    let rate = inputs as f64 / seconds.max(1e-9);
    let mib = largest as f64 / f64::from(1 << 20);
    println!("fuzz {target}: {inputs} inputs, 0 panics, {accepted} accepted, {rate:.0} inputs/s, at most {mib:.2} MiB");
}

fn failed(target: &str, options: &Options, index: u64, input: &[u8], what: &str) -> ! {
    let seed = options.seed;
    let shown: String = input.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
    panic!(
        "{target}: {what}; again: cargo xtask fuzz --target {target} --seed {seed} --first {index} --inputs 1\n\
         its {} bytes: b\"{shown}\"",
        input.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    fn message(decoder: fn() -> Decode) -> String {
        let corpus = || vec![b"\x04\x00\x00\x00abcd".to_vec()];
        let target = Target { name: "self", usual: 20_000, corpus, decoder };
        let run = std::panic::catch_unwind(|| target.run());
        *run.unwrap_err().downcast::<String>().unwrap()
    }

    /// What a length of 4 bytes, little-endian, claims.
    fn claimed(bytes: &[u8]) -> usize {
        bytes.first_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length) as usize)
    }

    #[test]
    fn a_panic_is_found_and_told_with_its_numbers() {
        let said =
            message(|| Box::new(|bytes| claimed(bytes) < 5 || bytes.get(4 + claimed(bytes)..).unwrap().is_empty()));
        assert!(said.starts_with("self: it panics; again: cargo xtask fuzz --target self --seed "), "{said}");
    }

    #[test]
    fn a_length_field_that_is_believed_is_found() {
        let said = message(|| Box::new(|bytes| black_box(vec![0_u8; claimed(bytes) & 0x0fff_ffff]).len() < usize::MAX));
        assert!(said.starts_with("self: it holds "), "{said}");
    }

    #[test]
    fn a_decoder_that_refuses_all_is_no_success() {
        assert_eq!(message(|| Box::new(|_| false)), "self: the valid input 0 of its corpus is refused");
    }
}
