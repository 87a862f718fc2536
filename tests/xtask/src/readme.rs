//! The program in the README is compiled, and pages that list features list all of them.

use std::{collections::BTreeSet, fs};

use crate::features::page::{FACADE, rows};

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

/// The facade's README says of each feature what it brings, and whether it is on by default.
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

/// The features of a crate that one feature enables, itself included.
fn closure(manifest: &serde_json::Value, feature: &str) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    let mut open = vec![feature.to_owned()];
    while let Some(feature) = open.pop() {
        if manifest["features"].get(&feature).is_some() && taken.insert(feature.clone()) {
            let next = crate::layering::list(&manifest["features"], &feature).iter();
            open.extend(next.filter_map(|feature| feature.as_str()).map(str::to_owned));
        }
    }
    taken
}

/// The guide has a row for each feature of each crate, says which are on by default, and names examples that enable them.
#[test]
fn the_guide_of_features_names_every_one() {
    let page = fs::read_to_string(crate::root().join("docs/guide/features.md")).expect("the guide");
    let members = crate::layering::members();
    let rows = rows(&page);
    let told: BTreeSet<_> = rows
        .iter()
        .filter(|row| row.features.len() == 1)
        .map(|row| (row.package.clone(), row.features[0].clone()))
        .collect();
    let mut expected = BTreeSet::new();
    for (name, package) in members.iter().filter(|(_, package)| crate::layering::is_published(package)) {
        let features = package["features"].as_object().expect("features");
        let by_default = closure(package, "default");
        for feature in features.keys().filter(|feature| *name == FACADE || *feature != "default") {
            expected.insert(((*name).to_owned(), feature.clone()));
            let row = rows.iter().find(|row| row.package == *name && row.features == [feature.clone()]);
            let is_marked = row.is_some_and(|row| row.text.contains("(default)"));
            assert!(
                *name == FACADE || is_marked == by_default.contains(feature),
                "{name}: {feature} by default?"
            );
        }
        if features.is_empty() {
            let without = page.lines().any(|line| line.contains("have no features") && line.contains(name));
            assert!(without, "{name} has no features, and the guide does not say so");
        }
    }
    assert_eq!(told, expected, "what the guide has, and what the manifests say");
    let default = closure(members[FACADE], "default");
    let row = rows.iter().find(|row| row.features == ["default"]).expect("what is there by default");
    for feature in default.iter().filter(|feature| *feature != "default") {
        assert!(row.text.contains(&format!("`{feature}`")), "{feature} is there by default");
    }
    for row in rows.iter().filter(|row| row.package == FACADE) {
        for example in row.text.split("examples/").skip(1).filter_map(|rest| rest.split(')').next()) {
            let taken: BTreeSet<_> = crate::layering::list(members[example], "dependencies")
                .iter()
                .filter(|dependency| dependency["name"] == FACADE)
                .flat_map(|dependency| crate::layering::list(dependency, "features"))
                .flat_map(|feature| closure(members[FACADE], feature.as_str().expect("a name")))
                .collect();
            let missing: Vec<_> = row.features.iter().filter(|feature| !taken.contains(*feature)).collect();
            assert!(missing.is_empty(), "{example} does not take {missing:?}");
        }
    }
}

/// A page with an example names the features of the facade that the example needs and that are not on by default.
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
