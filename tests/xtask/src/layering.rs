//! Who may import whom, and what a published crate must say about itself.
//!
//! 1. `core` and `http1` import none of our crates. `client` and `server` import both.
//! 2. A layer's crate imports `core` and `client`. Layers never import each other, not even in tests: they meet in the types
//!    of `core`.
//! 3. `admin` looks at layers: it imports `core`, `trace`, `proxy` and `router`. `config` imports all layers and `admin`, and the facade `gatewright` imports all crates.
//! 4. Examples and tests import only the facade, which proves that the public API is enough. The test harness and this
//!    crate are not part of the product, and tests may use them.
//! 5. A published crate has a description, an example and the other facts below.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::OnceLock,
};

use serde_json::Value;

pub(crate) fn metadata() -> &'static Value {
    static METADATA: OnceLock<Value> = OnceLock::new();
    METADATA.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
            .current_dir(crate::root());
        let printed = crate::command::output(&mut command).expect("cargo metadata");
        serde_json::from_str(&printed).expect("JSON")
    })
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Members of the workspace by name.
pub(crate) fn members() -> BTreeMap<&'static str, &'static Value> {
    let ids: BTreeSet<_> = list(metadata(), "workspace_members").iter().filter_map(Value::as_str).collect();
    let packages = list(metadata(), "packages").iter();
    packages
        .filter(|package| ids.contains(text(package, "id")))
        .map(|package| (text(package, "name"), package))
        .collect()
}

/// The folder of a member, from the root: `crates/core`.
fn folder(package: &Value) -> &str {
    let manifest = text(package, "manifest_path").trim_end_matches("/Cargo.toml");
    manifest.strip_prefix(text(metadata(), "workspace_root")).unwrap_or(manifest).trim_start_matches('/')
}

pub(crate) fn is_published(package: &Value) -> bool {
    folder(package).starts_with("crates/")
}

/// Whether the crate in one folder may depend on the crate in another, both ours.
fn may_import(importer: &str, imported: &str) -> bool {
    let shared = ["crates/core", "crates/client"];
    match (importer, imported) {
        ("crates/core" | "crates/http1", _) => false,
        ("crates/client", imported) => matches!(imported, "crates/core" | "crates/http1"),
        ("crates/server", "crates/http1") => true,
        ("crates/admin", imported) => {
            matches!(imported, "crates/core" | "crates/trace" | "crates/proxy" | "crates/router")
        }
        ("crates/config", imported) => imported.starts_with("crates/") && imported != "crates/gatewright",
        ("crates/gatewright", imported) => imported.starts_with("crates/"),
        (layer, imported) if layer.starts_with("crates/") => shared.contains(&imported),
        ("tests/harness" | "tests/xtask", _) => false,
        (_, imported) => imported == "crates/gatewright" || imported == "tests/harness",
    }
}

#[test]
fn layers_import_only_what_they_may() {
    let members = members();
    assert!(members.len() >= 13, "the workspace has its members: {members:?}");
    let mut wrong = Vec::new();
    for package in members.values() {
        for dependency in list(package, "dependencies") {
            let Some(ours) = members.get(text(dependency, "name")) else { continue };
            if !may_import(folder(package), folder(ours)) {
                wrong.push(format!("{} must not depend on {}", folder(package), folder(ours)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rule_refuses_what_it_should() {
    let refused = [
        ("crates/core", "crates/client"),
        ("crates/core", "crates/http1"),
        ("crates/http1", "crates/core"),
        ("crates/proxy", "crates/http1"),
        ("crates/client", "crates/proxy"),
        ("crates/proxy", "crates/router"),
        ("crates/router", "crates/gatewright"),
        ("crates/rewrite", "crates/config"),
        ("crates/config", "crates/gatewright"),
        ("crates/admin", "crates/config"),
        ("crates/trace", "crates/admin"),
        ("examples/axum-embed", "crates/core"),
        ("examples/gateway", "crates/config"),
        ("tests/wire", "crates/server"),
        ("tests/harness", "crates/gatewright"),
    ];
    for (importer, imported) in refused {
        assert!(!may_import(importer, imported), "{importer} -> {imported}");
    }
    for (importer, imported) in [
        ("crates/proxy", "crates/client"),
        ("crates/server", "crates/http1"),
        ("crates/client", "crates/http1"),
        ("crates/admin", "crates/trace"),
        ("crates/config", "crates/admin"),
        ("tests/wire", "tests/harness"),
    ] {
        assert!(may_import(importer, imported), "{importer} -> {imported}");
    }
}

#[test]
fn a_published_crate_says_what_it_is() {
    let root = crate::root();
    let mut missing = Vec::new();
    for (name, package) in members() {
        let published = package["publish"] != Value::Array(Vec::new());
        assert_eq!(
            published,
            is_published(package),
            "{name}: crates are published, examples and tests are not"
        );
        let folder = root.join(folder(package));
        let (readme, page) = (folder.join(text(package, "readme")), folder.join("src/lib.rs"));
        let licenses = ["LICENSE-MIT", "LICENSE-APACHE"].map(|file| folder.join(file));
        let rules = [
            ("a description", text(package, "description").len() > 20),
            ("a license", text(package, "license") == "MIT OR Apache-2.0"),
            ("a rust-version", !text(package, "rust_version").is_empty()),
            ("one to five keywords", !published || (1..=5).contains(&list(package, "keywords").len())),
            ("categories", !published || !list(package, "categories").is_empty()),
            ("a repository", !published || !text(package, "repository").is_empty()),
            ("an example in its README.md", !published || holds(&readme, "\n```rust")),
            ("a test of that example", !published || holds(&page, "include_str!(\"../README.md\")")),
            ("an example on its first page", !published || holds(&page, "\n//! # Example\n")),
            ("the texts of its licenses", !published || licenses.iter().all(|file| file.is_file())),
            (
                "all features on docs.rs",
                !published || package["metadata"]["docs"]["rs"]["all-features"] == true,
            ),
            ("a name with our prefix", !published || name.starts_with("gatewright")),
        ];
        missing
            .extend(rules.iter().filter(|(_, holds)| !holds).map(|(rule, _)| format!("{name} lacks {rule}")));
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

fn holds(file: &std::path::Path, text: &str) -> bool {
    std::fs::read_to_string(file).is_ok_and(|content| content.contains(text))
}
