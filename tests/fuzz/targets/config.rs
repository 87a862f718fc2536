//! The configuration file: whatever is in it, it is read or refused with places that lie within it.

#![no_main]

use gatewright::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    // A file that is named would be read: the machine's own files are no part of the input.
    if text.contains("file") || text.contains("env:") {
        return;
    }
    let Err(problems) = Config::parse("gateway.yaml", text) else { return };
    assert!(!problems.is_empty(), "a refusal says why");
    let lines = text.lines().count().max(1);
    for problem in problems.iter() {
        assert!(!problem.message().is_empty());
        if let Some(place) = problem.place() {
            assert!((1..=lines + 1).contains(&place.line()), "line {} of {lines}", place.line());
            assert!(place.column() >= 1);
        }
    }
    // The drawing of source lines must survive any of them.
    assert!(!problems.to_string().is_empty());
});
