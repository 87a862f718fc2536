//! `cargo xtask screenshots`: the pictures of the guide.
//!
//! The test of the status page takes them on its way, so that they show what it has just found right.

use std::fs;

use crate::{
    Context,
    command::{Result, run},
    prerequisites,
    step::{Outcome, Step},
};

pub(crate) const STEPS: &[Step] = &[
    Step { name: "prerequisites", run: prerequisites::install },
    Step { name: "status-page", run: status_page },
];

const IMAGES: &str = "docs/guide/images";

fn status_page(context: &Context) -> Result<Outcome> {
    let images = context.root.join(IMAGES);
    fs::create_dir_all(&images).map_err(|error| format!("{}: {error}", images.display()))?;
    run(context.cargo().args(["build", "--package", "gateway"]))?;
    let mut command = context.cargo();
    command.args(["test", "--package", "interop", "--test", "interop", "status_page"]);
    command.env("GATEWRIGHT_BIN", context.debug("gatewright")).env("STATUS_PAGE_IMAGES", images);
    run(&mut command)?;
    Ok(Outcome::Passed)
}
