//! Many cases in one test.

use std::fmt::Debug;

/// Counts cases and keeps what failed, so that one run shows every failure of a table.
#[derive(Debug, Default)]
pub struct Tally {
    cases: usize,
    failures: Vec<String>,
}

impl Tally {
    /// No cases yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One case: `found` is shown when it does not hold.
    pub fn check(&mut self, case: impl AsRef<str>, holds: bool, found: impl Debug) {
        self.cases += 1;
        if !holds {
            self.failures.push(format!("{}: {found:?}", case.as_ref()));
        }
    }

    /// One case: both are shown when they differ.
    pub fn equal<T: Debug + PartialEq>(&mut self, case: impl AsRef<str>, found: T, expected: T) {
        let holds = found == expected;
        self.check(case, holds, format_args!("expected {expected:?}, found {found:?}"));
    }

    /// Panics when a case failed, or when there were fewer than `at_least`.
    pub fn finish(self, at_least: usize) {
        let Self { cases, failures } = self;
        assert!(failures.is_empty(), "{} of {cases} cases failed:\n{}", failures.len(), failures.join("\n"));
        assert!(cases >= at_least, "{cases} cases, {at_least} are asked for");
    }
}
