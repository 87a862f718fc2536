//! The status page, as people see it: in Chromium, before a gateway under load.

use harness::{TempDir, peer};
use tokio::process::Command;

#[tokio::test]
async fn the_status_page_shows_what_happens() {
    let folder = TempDir::new();
    let mut command = Command::new(peer::program("node"));
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/status_page.mjs"))
        .arg(harness::gateway_binary())
        .arg(peer::program("chromium"))
        .arg(folder.path())
        .env("NODE_PATH", peer::node_modules())
        .env("HOME", folder.path())
        .kill_on_drop(true);
    if let Some(images) = std::env::var_os("STATUS_PAGE_IMAGES") {
        command.arg(images);
    }
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    // Each step says its name, so that one that was left out is missed.
    assert!(said.lines().count() >= 12, "{said}");
}
