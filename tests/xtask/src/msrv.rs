//! No dependency that ships asks for a newer compiler than the workspace promises: docs/MSRV.md.
//!
//! No older compiler is at hand to build with, so the dependencies' own word is taken. A crate that declares no
//! `rust-version` is taken for old enough.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::layering::{is_published, list, members, metadata, text};

/// What is built into the crates that are published and into the binary: with all features, build scripts and macros too.
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

/// Whether it is more than a dependency of tests.
fn is_built(dependency: &Value) -> bool {
    list(dependency, "dep_kinds").iter().any(|kind| kind["kind"] != "dev")
}

/// The packages that declare a newer compiler, each with it.
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
