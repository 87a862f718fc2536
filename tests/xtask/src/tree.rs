//! What may be in the tree: known top-level names, and no text that belongs to one machine.

use std::fs;

use crate::{
    Context,
    command::{Result, output},
    step::Outcome,
};

const TOP_LEVEL: &[&str] = &[
    ".cargo",
    ".ci",
    ".clippy.toml",
    ".config",
    ".gitignore",
    ".rustfmt.toml",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "crates",
    "deny.toml",
    "docs",
    "examples",
    "tests",
];

/// Folders of a machine and hosts of registries. Each is written in two parts, so that this file passes too.
const MACHINE_BOUND: &[(&str, &str)] = &[
    ("/wo", "rk/"),
    ("/ro", "ot/"),
    ("/ho", "me/"),
    ("arti", "factory"),
    ("index.", "crates.io"),
    ("static.", "crates.io"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("registry.", "npmjs.org"),
    ("deb.", "debian.org"),
];

impl Context {
    /// The files of the tree: tracked, or new and not ignored.
    pub(crate) fn files(&self) -> Result<Vec<String>> {
        let listed = output(self.command("git").args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
            "--deduplicate",
        ]))?;
        let exists = |file: &&str| self.root.join(file).is_file();
        Ok(listed.split_terminator('\0').filter(exists).map(str::to_owned).collect())
    }
}

pub(crate) fn check(context: &Context) -> Result<Outcome> {
    let mut problems = Vec::new();
    for file in context.files()? {
        let top = file.split('/').next().unwrap_or_default();
        if !TOP_LEVEL.contains(&top) {
            problems.push(format!("{file}: {top} is not among the known names at the top of the tree"));
        }
        let content = fs::read(context.root.join(&file)).map_err(|error| format!("{file}: {error}"))?;
        problems.extend(machine_bound(&file, &String::from_utf8_lossy(&content)));
    }
    if problems.is_empty() { Ok(Outcome::Passed) } else { Err(problems.join("\n")) }
}

fn machine_bound(file: &str, content: &str) -> Vec<String> {
    let mut problems = Vec::new();
    for (number, line) in content.lines().enumerate() {
        for (first, second) in MACHINE_BOUND {
            let text = [*first, *second].concat();
            if line.contains(&text) {
                problems.push(format!("{file}:{}: {text} belongs to one machine", number + 1));
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_a_machine_is_found_with_its_line() {
        let path = ["/ho", "me/user/key.pem"].concat();
        let problems =
            machine_bound("a.rs", &format!("fine\nlet key = \"{path}\";\n/homes/ and /network/ are fine"));
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("a.rs:2: "));
    }
}
