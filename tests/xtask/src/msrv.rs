//! No dependency of what ships needs a newer compiler than the workspace promises: docs/MSRV.md.
//!
//! No older compiler is available to build with, so the test trusts the `rust-version` of each dependency. A crate that
//! declares none counts as old enough.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::layering::{is_published, list, members, metadata, text};

/// Everything that is built for the published crates and the binary, with all features, build scripts and macros too.
fn shipped() -> Vec<&'static Value> {
    let nodes: BTreeMap<_, _> =
        list(&metadata()["resolve"], "nodes").iter().map(|node| (text(node, "id"), node)).collect();
    let ships = |(name, package): &(&str, &Value)| is_published(package) || *name == "gateway";
    let mut open: Vec<_> =
        members().into_iter().filter(ships).map(|(_, package)| text(package, "id")).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            let built = list(nodes[id], "deps").iter().filter(|dependency| is_built(dependency));
            open.extend(built.map(|dependency| text(dependency, "pkg")));
        }
    }
    list(metadata(), "packages").iter().filter(|package| seen.contains(text(package, "id"))).collect()
}

/// Whether the dependency is more than one of tests.
fn is_built(dependency: &Value) -> bool {
    list(dependency, "dep_kinds").iter().any(|kind| kind["kind"] != "dev")
}

/// The packages that declare a newer compiler, each with its version.
fn newer(packages: &[&Value], promised: &str) -> Vec<String> {
    let asks = |package: &&&Value| version(text(package, "rust_version")) > version(promised);
    let named = |package: &&Value| format!("{} {}", text(package, "name"), text(package, "rust_version"));
    packages.iter().filter(asks).map(named).collect()
}

/// `1.89` or `1.89.0`, as numbers; an absent one is the oldest.
fn version(text: &str) -> Vec<u32> {
    let mut parts: Vec<_> = text.split('.').map(|part| part.parse().unwrap_or_default()).collect();
    parts.resize(3, 0);
    parts
}

#[test]
fn nothing_that_ships_asks_for_a_newer_compiler() {
    let promised: BTreeSet<_> = members().values().map(|package| text(package, "rust_version")).collect();
    let [promised] = promised.into_iter().collect::<Vec<_>>()[..] else {
        panic!("the workspace's members promise different compilers")
    };
    let shipped = shipped();
    for known in ["hyper", "rustls", "clap", "pin-project-lite"] {
        assert!(shipped.iter().any(|package| text(package, "name") == known), "the walk has not found {known}");
    }
    let newer = newer(&shipped, promised);
    assert!(newer.is_empty(), "{promised} is promised, and asked for are: {}", newer.join(", "));
}

#[test]
fn a_dependency_that_asks_for_more_is_named() {
    let package = |version: Option<&str>| serde_json::json!({"name": "a", "rust_version": version});
    let packages = [package(None), package(Some("1.9")), package(Some("1.89.0")), package(Some("1.89.1"))];
    assert_eq!(newer(&packages.iter().collect::<Vec<_>>(), "1.89"), ["a 1.89.1"]);
}
