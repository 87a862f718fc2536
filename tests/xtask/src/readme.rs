//! The program in the README is one that is compiled.

use std::fs;

const PROGRAM: &str = "examples/axum-embed/examples/stack.rs";

#[test]
fn the_readme_shows_an_example_that_is_compiled() {
    let read = |file: &str| fs::read_to_string(crate::root().join(file)).expect("a file of the tree");
    let (readme, program) = (read("README.md"), read(PROGRAM));
    let shown = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a program");
    let (_, program) = program.split_once("\n\n").expect("its documentation");
    assert!(shown == program, "README.md and {PROGRAM} differ: copy one into the other");
    let lines = shown.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 25, "{lines} lines are more than a newcomer reads at a glance");
}

/// What the facade's README has to say of each feature: what it brings, and whether it is there by default.
#[test]
fn the_facades_readme_names_every_feature() {
    let manifest = crate::layering::members()["gatewright"];
    let features = manifest["features"].as_object().expect("features");
    let by_default: Vec<_> = crate::layering::list(&manifest["features"], "default").iter().collect();
    let expected = features.keys().filter(|name| *name != "default").map(|name| {
        let default = by_default.iter().any(|feature| **feature == **name);
        (name.clone(), default)
    });
    let readme = fs::read_to_string(crate::root().join("crates/gatewright/README.md")).expect("a README");
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")).map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert!(cells.len() == 4 && cells[1].len() > 5, "a row of three cells, with a word about it: {row}");
        (cells[0].trim_end_matches('`').to_owned(), cells[2] == "yes")
    });
    assert_eq!(
        rows.collect::<Vec<_>>(),
        expected.collect::<Vec<_>>(),
        "what is there, and what the manifest says"
    );
}

/// A page with an example says which features of the facade it needs that are not there by default.
#[test]
fn an_example_names_the_features_that_it_needs() {
    const NEEDS: &[(&str, &str)] = &[
        ("Jwks::remote", "auth-remote"),
        ("::discover(", "auth-remote"),
        ("Introspection::", "auth-remote"),
        ("Basic::from_", "basic"),
        ("RedisStore", "redis"),
        ("gatewright::server", "server"),
        ("gatewright::config", "config"),
        ("principal: Principal", "axum"),
    ];
    let mut missing = Vec::new();
    let mut seen = 0;
    for folder in ["docs/guide", "crates/gatewright", "."] {
        for entry in fs::read_dir(crate::root().join(folder)).expect("a folder").flatten() {
            let path = entry.path();
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let page = fs::read_to_string(&path).expect("a page");
            let shows_code = page.contains("```rust") || page.contains("In code");
            for (code, feature) in NEEDS.iter().filter(|(code, _)| shows_code && page.contains(code)) {
                seen += 1;
                if !page.contains(&format!("`{feature}`")) && !page.contains(&format!("\"{feature}\"")) {
                    missing.push(format!("{} shows `{code}` and does not name `{feature}`", path.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(seen > 0, "some page shows what needs a feature");
}
