//! `docs/reference/config.md` is what the tables say.
//!
//! Run with `UPDATE=1` to write it anew.

use std::{fs, path::Path};

use gatewright_config::{Config, reference};

#[test]
fn the_reference_is_what_the_tables_say() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/config.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&page, reference()).expect("writes the page");
    }
    let found = fs::read_to_string(&page).expect("the page");
    assert!(
        found == reference(),
        "the page is out of date: UPDATE=1 cargo test -p gatewright-config --test reference"
    );
}

#[test]
fn the_example_at_its_top_is_taken() {
    let page = reference();
    let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    assert!(Config::parse("gateway.yaml", yaml).expect("is right").warnings().is_empty());
}
