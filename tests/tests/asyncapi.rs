//! The AsyncAPI document: what AsyncAPI's own parser says of it, and that the copy in docs is what this build prints.

use std::process::Command;

use tidegate_tests::process::PATIENCE;
use tidegate_tests::{binary, node, places};

fn printed(flags: &[&str]) -> String {
    binary::run(&[&["schemas", "asyncapi"], flags].concat(), PATIENCE).expect_success().stdout
}

#[test]
fn asyncapis_parser_takes_it_with_every_schema() {
    let Some(folder) = node::with(&places::repository().join("tests/asyncapi")) else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    let check = |text: &str| {
        std::fs::write(file.path(), text).unwrap();
        Command::new("node").arg("check.mjs").arg(file.path()).current_dir(&folder).output().unwrap()
    };
    let document = printed(&["--prefix", "other."]);
    let said = check(&document);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), "8 channels, 8 messages");
    // It does look: at the document, and at the Avro schemas in it.
    for (good, bad) in
        [("\"action\": \"send\"", "\"action\": \"sent\""), ("\"type\": \"record\"", "\"type\": \"recorder\"")]
    {
        let broken = document.replacen(good, bad, 1);
        assert_ne!(broken, document);
        assert!(!check(&broken).status.success(), "{bad}");
    }
}

#[test]
fn the_copies_in_docs_are_those_of_this_build() {
    let docs = places::repository().join("docs");
    let again = "print it again: tidegate schemas asyncapi > docs/asyncapi.json; tidegate schemas asyncapi --html docs/asyncapi.html";
    assert_eq!(std::fs::read_to_string(docs.join("asyncapi.json")).unwrap(), printed(&[]), "{again}");
    let page = tempfile::NamedTempFile::new().unwrap();
    printed(&["--html", page.path().to_str().unwrap()]);
    assert_eq!(
        std::fs::read_to_string(docs.join("asyncapi.html")).unwrap(),
        std::fs::read_to_string(page.path()).unwrap(),
        "{again}"
    );
}
