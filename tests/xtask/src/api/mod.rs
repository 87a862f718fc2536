//! No type of another crate stands in a public signature of ours.
//!
//! 1. The crates in [`ALLOWED`] may: they are small and stable, and a program that uses Tower has them anyway.
//! 2. Every other crate can have a breaking release of its own, which would become one of ours.
//! 3. [`EXCEPTIONS`] names the few that one of our crates shows on purpose, with the reason. An
//!    exception that nothing needs any more fails the step.
//! 4. The signatures come from rustdoc's JSON, which the step `doc` writes beside its pages, of all features.
//! 5. Items marked `#[doc(hidden)]` are no part of the public API, and rustdoc leaves them out.

pub(crate) mod rustdoc;

mod leaks;

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{Context, command::Result, step::Outcome, test};

use leaks::{Leak, leaks};

/// Crates whose types may stand in any public signature.
const ALLOWED: &[&str] =
    &["alloc", "bytes", "core", "http", "http_body", "std", "tower_layer", "tower_service"];

/// Crates whose macros write hidden types into the bounds of an `impl`. No caller can name such a type.
const MACROS: &[&str] = &["pin_project_lite"];

/// A crate that one of ours shows in its public signatures on purpose.
struct Exception {
    ours: &'static str,
    foreign: &'static str,
    /// Why it is worth it. Printed when nothing needs the exception any more.
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        ours: "gatewright_auth",
        foreign: "serde_json",
        reason: "a claim is a JSON value of whatever shape the issuer gave it",
    },
    Exception {
        ours: "gatewright_core",
        foreign: "serde_json",
        reason: "a claim is a JSON value of whatever shape the issuer gave it",
    },
    Exception {
        ours: "gatewright_core",
        foreign: "tokio",
        reason: "an upgraded connection is a stream of bytes, for which tokio's traits are the common ones",
    },
    Exception {
        ours: "gatewright_rate_limit",
        foreign: "tower_governor",
        reason: "the feature `tower-governor` takes that crate's keys",
    },
    Exception {
        ours: "gatewright_core",
        foreign: "axum_core",
        reason: "the feature `axum` makes `Principal` an extractor of that crate",
    },
];

pub(crate) fn check(context: &Context) -> Result<Outcome> {
    test::doc(context)?;
    let mut problems = Vec::new();
    let mut needed = vec![false; EXCEPTIONS.len()];
    for ours in published(context)? {
        let file = rustdoc::json(context, &ours);
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let json: Value =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let found = leaks(&json).map_err(|problem| format!("{}: {problem}", file.display()))?;
        println!("{ours}: {} public items", found.items);
        for leak in found.leaks {
            match exception(&ours, &leak) {
                Some(index) => needed[index] = true,
                None => problems.push(leak.to_string()),
            }
        }
    }
    let unneeded = EXCEPTIONS.iter().zip(&needed).filter(|(_, needed)| !**needed);
    problems.extend(unneeded.map(|(Exception { ours, foreign, reason }, _)| {
        format!("nothing in {ours} shows {foreign} any more: remove the exception ({reason})")
    }));
    if problems.is_empty() { Ok(Outcome::Passed) } else { Err(problems.join("\n")) }
}

/// The index of the exception that covers a leak.
fn exception(ours: &str, leak: &Leak) -> Option<usize> {
    EXCEPTIONS.iter().position(|exception| exception.ours == ours && exception.foreign == leak.foreign)
}

/// Whether the types of this crate may stand in any signature.
fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name) || MACROS.contains(&name) || rustdoc::is_ours(name)
}

/// The names of the crates that are published, as code writes them.
pub(crate) fn published(context: &Context) -> Result<Vec<String>> {
    let folder = context.root.join("crates");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names: Vec<_> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().replace('-', "_"))
        .map(|name| if name == rustdoc::FACADE { name } else { format!("{}_{name}", rustdoc::FACADE) })
        .collect();
    names.sort();
    Ok(names)
}

/// The folder of rustdoc's JSON.
pub(crate) fn folder(context: &Context) -> PathBuf {
    context.target.join("api")
}
