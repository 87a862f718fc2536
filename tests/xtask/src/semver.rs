//! Whether the public API still keeps what the last release promised: cargo-semver-checks, in the long run.
//!
//! The last release is the last tag of git. `SEMVER_BASELINE` names another commit to compare with. Before the first
//! release there is no promise to keep.

use std::env;

use crate::{
    Context,
    command::{Result, output, run},
};

const TOOL: &str = "cargo-semver-checks";

pub(crate) fn check(context: &Context) -> Result<()> {
    let Some(baseline) = baseline(context) else {
        println!("the API is compared with nothing: no release is tagged, and SEMVER_BASELINE names no commit");
        return Ok(());
    };
    if context.cargo_tool(TOOL).is_none() {
        // Nobody publishes it ready-made.
        let folder = context.target.join("tools/venv");
        run(context.cargo().args(["install", "--locked", TOOL, "--root"]).arg(folder))?;
    }
    let tool = context.cargo_tool(TOOL).ok_or("cargo-semver-checks is not where cargo installs it")?;
    run(context.command(tool).args(["semver-checks", "--workspace", "--baseline-rev", &baseline]))
}

/// The commit to compare with.
fn baseline(context: &Context) -> Option<String> {
    let named = env::var("SEMVER_BASELINE").ok().filter(|commit| !commit.is_empty());
    named.or_else(|| {
        let tag = output(context.command("git").args(["describe", "--tags", "--abbrev=0"])).ok()?;
        Some(tag.trim().to_owned())
    })
}
