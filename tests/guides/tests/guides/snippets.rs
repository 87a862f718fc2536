//! Code in Rust is compiled, all of it, by the documentation tests of this package.

use std::fs;

use crate::page::{pages, root};

#[test]
fn every_snippet_of_rust_is_compiled() {
    let list = fs::read_to_string(root().join("tests/guides/src/lib.rs")).unwrap();
    let mut problems = Vec::new();
    let (mut compiled, mut run) = (0, 0);
    for page in pages() {
        for block in &page.blocks {
            let place = format!("{}:{}", page.name, block.line);
            match &*block.language {
                "rust" | "rust,no_run" => {
                    compiled += 1;
                    run += usize::from(block.language == "rust");
                    // The README's is an example, and xtask compares the two.
                    if page.name != "README.md" && !list.contains(&format!("\"{}\"", page.name)) {
                        problems.push(format!("{place}: tests/guides/src/lib.rs does not name the page"));
                    }
                    if block.text.lines().any(|line| line.trim_start().starts_with("# ")) {
                        problems.push(format!("{place}: a reader sees the lines that begin with `# `"));
                    }
                }
                "" | "sh" | "bash" | "shell" => {
                    problems.push(format!("{place}: say what it is: `console` is run, `text` is not code"));
                }
                language if language.starts_with("rust") => {
                    problems.push(format!("{place}: {language} is not compiled"));
                }
                _ => {}
            }
        }
        if page.text.contains("\n~~~") {
            problems.push(format!("{}: code stands between fences of backquotes", page.name));
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    assert!(compiled >= 20, "{compiled} snippets");
    println!("{compiled} snippets are compiled, and {run} of them run");
}
