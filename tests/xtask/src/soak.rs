//! `cargo xtask soak`: the acceptance tests at their whole size.
//!
//! They print figures. Put these into the notes on the work for which they were run, with the machine and the date.

use crate::{
    Context,
    command::{Result, run},
    fuzz, prerequisites,
    step::{Outcome, Step},
};

pub(crate) const STEPS: &[Step] = &[
    Step { name: "prerequisites", run: prerequisites::install },
    Step { name: "build", run: build },
    Step { name: "wire", run: wire },
    Step { name: "limits", run: limits },
    Step { name: "bodies", run: bodies },
    Step { name: "models", run: models },
    Step { name: "fuzz", run: fuzz::long },
];

const PROFILE: &str = "release";

/// Only the gateway is measured; most of the tests around it need no optimisation.
fn build(context: &Context) -> Result<Outcome> {
    run(context.cargo().args(["build", "--package", "gateway", "--profile", PROFILE]))?;
    Ok(Outcome::Passed)
}

fn wire(context: &Context) -> Result<Outcome> {
    test(context, "wire", &["wire"])
}

/// How much is admitted over sockets, and what a million callers need.
fn limits(context: &Context) -> Result<Outcome> {
    test(context, "limits", &["limits"])?;
    test(context, "gatewright-rate-limit", &["addresses", "load", "memory"])
}

/// A million responses and as many uploads of random origins and clients.
fn bodies(context: &Context) -> Result<Outcome> {
    // Without optimisation, its clients and origins would be slower than the gateway: 670 responses a second, not 2,700.
    test_with(context, &["--profile", PROFILE], "soak", &["soak"])
}

/// A million connections of each HTTP/1 engine, compared with their models.
fn models(context: &Context) -> Result<Outcome> {
    for package in ["gatewright-server", "gatewright-client"] {
        let mut command = context.cargo();
        command.args(["test", "--package", package, "--lib", "--profile", PROFILE, "http1::tests::model"]);
        // These have 500 cases by default, and proptest counts them as 256.
        command.env("PROPTEST_CASES", "512000");
        run(&mut command)?;
    }
    Ok(Outcome::Passed)
}

/// One test at a time, so that tests do not share memory and time.
fn test(context: &Context, package: &str, tests: &[&str]) -> Result<Outcome> {
    test_with(context, &[], package, tests)
}

fn test_with(context: &Context, options: &[&str], package: &str, tests: &[&str]) -> Result<Outcome> {
    let mut command = context.cargo();
    command.args(["test", "--package", package]).args(options);
    command.args(tests.iter().flat_map(|test| ["--test", test]));
    command.args(["--", "--include-ignored", "--test-threads=1", "--nocapture"]);
    command.env("GATEWRIGHT_SOAK", "1");
    command.env("GATEWRIGHT_BIN", context.target.join(PROFILE).join("gatewright"));
    run(&mut command)?;
    Ok(Outcome::Passed)
}
