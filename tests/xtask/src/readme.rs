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
