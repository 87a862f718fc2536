//! Each crate alone: it builds with its default features, with none and with each single feature; and how many crates it
//! brings along.
//!
//! Within the workspace, the features of dependencies are unified. A crate that forgets to name a feature still builds
//! there, thanks to another crate that names it, and fails for a user who takes the crate alone.

pub(crate) mod page;

use std::fs;

use serde_json::Value;

use crate::{
    Context,
    command::{Result, output, run},
    step::Outcome,
};

/// How many crates may be in the tree of each, itself and macros included, without its default features.
///
/// The first four bounds are promises: a layer is cheap to take into a program. The other bounds hold the present numbers,
/// so that a new dependency is a decision and not an accident.
const LIMITS: &[(&str, usize)] = &[
    ("gatewright-rewrite", 39),
    ("gatewright-router", 39),
    ("gatewright-client", 89),
    ("gatewright-proxy", 89),
    ("gatewright-admin", 67),
    ("gatewright-http1", 29),
    ("gatewright-core", 31),
    ("gatewright-trace", 32),
    ("gatewright-server", 54),
    ("gatewright-config", 185),
    ("gatewright", 32),
    ("gatewright-auth", 119),
    ("gatewright-guard", 59),
    ("gatewright-rate-limit", 59),
];

/// The system on which most gateways run, so that the numbers are the same on every machine.
const TARGET: &str = "x86_64-unknown-linux-gnu";

const NONE: &str = "--no-default-features";

/// Counts the crates always, but builds each crate alone only in the long run, since it cannot use what other steps built.
pub(crate) fn check(context: &Context) -> Result<Outcome> {
    let crates = published(context)?;
    sizes(context, &crates)?;
    guide(context)?;
    if !context.arguments.full {
        println!("each crate alone is checked by --full");
        return Ok(Outcome::Passed);
    }
    for (name, features) in &crates {
        for selection in selections(features) {
            alone(context, name, &selection)?;
        }
    }
    Ok(Outcome::Passed)
}

/// The crates that are published, each with its features.
fn published(context: &Context) -> Result<Vec<(String, Vec<String>)>> {
    let printed = output(context.cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&printed).map_err(|error| format!("cargo metadata: {error}"))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    let crates = packages.iter().filter(|package| package["publish"].is_null()).map(|package| {
        let features =
            package["features"].as_object().into_iter().flat_map(|features| features.keys().cloned());
        (package["name"].as_str().unwrap_or_default().to_owned(), features.collect())
    });
    let mut crates: Vec<_> = crates.collect();
    crates.sort();
    Ok(crates)
}

/// Cargo's options, one set for each way to take the crate.
fn selections(features: &[String]) -> Vec<Vec<&str>> {
    let mut selections = vec![vec![]];
    if !features.is_empty() {
        selections.push(vec![NONE]);
    }
    let named = features.iter().filter(|feature| *feature != "default");
    selections.extend(named.map(|feature| vec![NONE, "--features", feature]));
    selections
}

/// Clippy checks as `cargo check` does, and fails for a warning that only this set of features causes.
fn alone(context: &Context, name: &str, selection: &[&str]) -> Result<()> {
    let mut command = context.cargo();
    command.args(["clippy", "--quiet", "--locked", "--package", name]).args(selection);
    run(command.args(["--", "-D", "warnings"]))
}

fn sizes(context: &Context, crates: &[(String, Vec<String>)]) -> Result<()> {
    println!("crates in the tree of each, itself included:\n{:24}without default features   default   all", "");
    let mut problems = Vec::new();
    for (name, _) in crates {
        let (least, default, all) = (
            size(context, name, &[NONE])?,
            size(context, name, &[])?,
            size(context, name, &["--all-features"])?,
        );
        let limit = limit(name);
        let shown = limit.map(|limit| format!("(at most {limit})")).unwrap_or_default();
        println!("{name:24}{least:>8} {shown:16}{default:>10}{all:>6}");
        problems.extend(problem(name, least, limit));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The guide says how many crates each feature brings.
fn guide(context: &Context) -> Result<()> {
    let text = fs::read_to_string(context.root.join(page::GUIDE))
        .map_err(|error| format!("{}: {error}", page::GUIDE))?;
    let mut problems = Vec::new();
    for row in page::rows(&text) {
        let features = row.features.join(",");
        let selection = if features.is_empty() { vec![NONE] } else { vec![NONE, "--features", &features] };
        let size = size(context, &row.package, &selection)?;
        if size != row.crates {
            let page::Row { package, crates, .. } = row;
            problems.push(format!(
                "{}: {package} with `{features}` brings {size} crates, not {crates}",
                page::GUIDE
            ));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn limit(name: &str) -> Option<usize> {
    LIMITS.iter().find(|(limited, _)| *limited == name).map(|(_, limit)| *limit)
}

fn problem(name: &str, size: usize, limit: Option<usize>) -> Option<String> {
    match limit {
        None => Some(format!("{name} has no limit for its tree: give it one in tests/xtask/src/features.rs")),
        Some(limit) if size > limit => Some(format!(
            "{name} takes {size} crates along, and {limit} is its limit: see cargo tree -p {name} -e normal {NONE}"
        )),
        Some(_) => None,
    }
}

/// What `cargo tree` lists, each crate and version once.
fn size(context: &Context, name: &str, selection: &[&str]) -> Result<usize> {
    let mut command = context.cargo();
    command.args(["tree", "--quiet", "--locked", "--package", name, "--edges", "normal", "--prefix", "none"]);
    command.args(["--target", TARGET, "--format", "{p}", "--no-dedupe"]).args(selection);
    let printed = output(&mut command)?;
    let mut crates: Vec<_> = printed.lines().filter(|line| !line.is_empty()).collect();
    crates.sort_unstable();
    crates.dedup();
    Ok(crates.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_taken_in_each_way_that_its_features_allow() {
        assert_eq!(selections(&[]), [vec![] as Vec<&str>]);
        let features = ["default", "tls"].map(str::to_owned);
        assert_eq!(selections(&features), [vec![], vec![NONE], vec![NONE, "--features", "tls"]]);
    }

    #[test]
    fn a_tree_that_outgrows_its_limit_fails_and_so_does_a_crate_without_one() {
        assert_eq!(problem("gatewright-router", 39, limit("gatewright-router")), None);
        let grown = problem("gatewright-router", 40, limit("gatewright-router")).expect("a problem");
        assert!(grown.contains("40 crates") && grown.contains("cargo tree -p gatewright-router"), "{grown}");
        assert!(problem("gatewright-new", 1, limit("gatewright-new")).is_some());
    }
}
