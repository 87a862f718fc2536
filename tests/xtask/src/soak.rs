//! `cargo xtask soak`: the acceptance tests at their whole size.
//!
//! They print their figures, which belong into docs/reference/soak.md together with the machine and the date.

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
    Step { name: "fuzz", run: fuzz::long },
];

const PROFILE: &str = "release";

/// What is measured is the gateway; the tests around it need no optimisation.
fn build(context: &Context) -> Result<Outcome> {
    run(context.cargo().args(["build", "--package", "gateway", "--profile", PROFILE]))?;
    Ok(Outcome::Passed)
}

/// One test at a time, so that memory and time are its own.
fn wire(context: &Context) -> Result<Outcome> {
    let mut command = context.cargo();
    command.args(["test", "--package", "wire", "--test", "wire"]);
    command.args(["--", "--include-ignored", "--test-threads=1", "--nocapture"]);
    command.env("GATEWRIGHT_SOAK", "1");
    command.env("GATEWRIGHT_BIN", context.target.join(PROFILE).join("gatewright"));
    run(&mut command)?;
    Ok(Outcome::Passed)
}
