//! Needless work, planted to see that the gates find it.
//!
//! All plants go into one copy of the sources, which is built once. An environment variable says which one is active.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Figures, build, count, figures};
use crate::{Context, command::Result};

/// The variable that names the active plant.
pub(super) const AWAKE: &str = "GATE_PLANT";

/// Needless work for the beginning of a service's `call`.
const PLANTS: &[(&str, &str)] = &[
    ("an allocation", "drop(std::hint::black_box(Box::new(0_u64)));"),
    ("a clone of the headers", "drop(std::hint::black_box(request.headers().clone()));"),
];

/// Where the work is planted, and the case that runs through that place.
const PLACES: &[(&str, &str)] = &[
    ("crates/proxy/src/service.rs", "proxy"),
    ("crates/router/src/service.rs", "router"),
    ("crates/trace/src/service.rs", "trace"),
];

/// Activates one plant after the other, and fails when the gate of its place lets it pass.
pub(super) fn check(context: &Context) -> Result<()> {
    let folder = context.target.join("gates/planted");
    copy_sources(context, &folder)?;
    for (file, case) in PLACES {
        let path = folder.join(file);
        let source = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let planted = plant(&source, case).ok_or_else(|| format!("{file} has not one `fn call(`"))?;
        fs::write(&path, planted).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    // A separate target folder: cargo would mistake builds of the copy for builds of the tree.
    let binary = build(context, &folder, &context.target.join("gates/planted-target"))?;
    let mut passed = Vec::new();
    for (file, case) in PLACES {
        let count = |plant: &str| -> Result<Figures> {
            Ok(vec![((*case).to_owned(), count(context, &binary, case, plant)?)])
        };
        let asleep = count("")?;
        for (what, _) in PLANTS {
            let comparison = figures::compare(&asleep, &count(&name(case, what))?);
            println!("{what} in {file}:");
            comparison.problems().iter().for_each(|problem| println!("  {problem}"));
            if comparison.problems().is_empty() {
                passed.push(format!("{case}: {what} was planted in {file}, and the gate has let it pass"));
            }
        }
    }
    if passed.is_empty() { Ok(()) } else { Err(passed.join("\n")) }
}

fn name(case: &str, what: &str) -> String {
    format!("{case}: {what}")
}

/// The source with the plants at the beginning of its one `call`, whose parameter is `request`.
fn plant(source: &str, case: &str) -> Option<String> {
    let [before, after] = source.split("fn call(").collect::<Vec<_>>().try_into().ok()?;
    let (signature, body) = after.split_once("{\n")?;
    let mut statements = format!(
        "static AWAKE: std::sync::OnceLock<String> = std::sync::OnceLock::new();\n\
         let awake = AWAKE.get_or_init(|| std::env::var(\"{AWAKE}\").unwrap_or_default());\n"
    );
    for (what, statement) in PLANTS {
        statements += &format!("if awake == \"{}\" {{ {statement} }}\n", name(case, what));
    }
    Some(format!("{before}fn call({signature}{{\n{statements}{body}"))
}

/// Copies the files of the tree. Files of an earlier copy that are gone from the tree do no harm.
fn copy_sources(context: &Context, folder: &Path) -> Result<()> {
    for file in context.files()? {
        let (from, to): (PathBuf, PathBuf) = (context.root.join(&file), folder.join(&file));
        let parent = to.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        // An unchanged file keeps its time, so that it is not built again.
        if fs::read(&from).ok() != fs::read(&to).ok() {
            fs::copy(&from, &to).map_err(|error| format!("{}: {error}", to.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plants_go_to_the_beginning_of_the_one_call() {
        let source = "fn call(&mut self, request: R) -> F {\n    go(request)\n}\n";
        let planted = plant(source, "proxy").expect("planted");
        let (before, after) = planted.split_once("static AWAKE").expect("planted");
        assert_eq!(before, "fn call(&mut self, request: R) -> F {\n");
        assert!(after.contains("if awake == \"proxy: an allocation\""), "{after}");
        assert!(after.ends_with("}\n    go(request)\n}\n"), "{after}");
        assert_eq!(plant("fn poll() {\n}\n", "proxy"), None);
        assert_eq!(plant(&source.repeat(2), "proxy"), None);
    }

    #[test]
    fn every_place_has_its_call() {
        for (file, case) in PLACES {
            let source = fs::read_to_string(crate::root().join(file)).expect("a source");
            assert!(plant(&source, case).is_some(), "{file}");
        }
    }
}
