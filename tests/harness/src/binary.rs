//! The binary under test, built once a run.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The path of `gatewright`: `GATEWRIGHT_BIN` when set, else what `cargo build -p gateway` puts beside the tests.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| env::var_os("GATEWRIGHT_BIN").map_or_else(build, PathBuf::from))
}

fn build() -> PathBuf {
    // target/PROFILE/deps/TEST
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).expect("a test binary in target/PROFILE/deps").to_owned();
    let target = profile.parent().unwrap();

    // nextest runs each test in a process of its own: the first of a run builds, the others wait for it.
    let lock = fs::File::create(target.join("gateway-under-test.lock")).unwrap();
    lock.lock().unwrap();
    let run = env::var("NEXTEST_RUN_ID").ok();
    let stamp = target.join("gateway-under-test.run");
    if run.is_none() || fs::read_to_string(&stamp).ok() != run {
        cargo_build(target, &profile);
        fs::write(&stamp, run.unwrap_or_default()).unwrap();
    }
    profile.join(if cfg!(windows) { "gatewright.exe" } else { "gatewright" })
}

fn cargo_build(target: &Path, profile: &Path) {
    let name = match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--package", "gateway", "--profile", name, "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .unwrap();
    assert!(status.success(), "the gateway does not build");
}
