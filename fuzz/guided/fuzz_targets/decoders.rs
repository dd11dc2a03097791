//! All targets of `fuzz/` under libFuzzer: `TIDEGATE_FUZZ_TARGET` names the one to run.
//!
//! ```text
//! corpus folder ─> libFuzzer, led by the code's coverage ─> the target's decoder, its allocations counted ─> a file for the input that failed
//! ```

#![no_main]

use std::cell::RefCell;
use std::path::PathBuf;

use libfuzzer_sys::fuzz_target;
use tidegate_fuzz::{Decode, Target, allowed, held};

thread_local! {
    static DECODER: RefCell<Decode> = RefCell::new((target().decoder)());
}

fuzz_target!(
    init: write_corpus(),
    |bytes: &[u8]| {
        DECODER.with_borrow_mut(|decode| {
            let held = held(|| _ = decode(bytes));
            assert!(held <= allowed(bytes), "it holds {held} bytes");
        });
    }
);

/// Puts the target's valid inputs into the corpus folder, before libFuzzer reads it.
fn write_corpus() {
    let Some(folder) = std::env::args().skip(1).map(PathBuf::from).find(|argument| argument.is_dir()) else { return };
    for (at, valid) in (target().corpus)().iter().enumerate() {
        let file = folder.join(format!("valid-{at}"));
        std::fs::write(&file, valid).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    }
}

/// The target that was asked for.
fn target() -> Target {
    let wanted = std::env::var("TIDEGATE_FUZZ_TARGET").unwrap_or_default();
    let targets = || tidegate_fuzz::targets::TARGETS.iter().chain(tidegate::fuzz::TARGETS);
    targets().find(|target| target.name == wanted).copied().unwrap_or_else(|| {
        let names: Vec<&str> = targets().map(|target| target.name).collect();
        panic!("TIDEGATE_FUZZ_TARGET is {wanted:?}; it must be one of {}", names.join(", "))
    })
}
