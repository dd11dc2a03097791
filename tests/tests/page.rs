//! The live page in a real headless Chromium: nodes appear, the chart moves, a click selects, no console error.

use tidegate_tests::parts::{self, Part};
use tidegate_tests::{page, places, python};

#[test]
fn the_page_works_in_a_browser() {
    if let Err(why) = parts::probe(Part::Chromium) {
        return parts::missing(Part::Chromium, &why);
    }
    let Some(python) = python::with(&places::repository().join("tests/page/requirements.txt")) else { return };
    let said = page::drive(&python, None).unwrap_or_else(|e| panic!("{e:#}"));
    println!("{said}");
}
