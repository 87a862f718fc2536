//! What it costs to have many API keys:
//! `cargo test --release -p gatewright-auth --test many_keys -- --ignored --nocapture`.
//!
//! Instructions are counted by valgrind's callgrind, in this program run again; without optimisation there are fewer keys,
//! since valgrind takes its time.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test that cannot go on should say so and stop")]

use std::{env, fs, hint::black_box, process::Command, time::Duration};

use gatewright_auth::{ApiKeys, Attempt, Authenticate, NewApiKey, Outcome};
use http::{HeaderValue, Request, request::Parts};

const FEW: usize = 10;
const MANY: usize = if cfg!(debug_assertions) { 10_000 } else { 100_000 };
const LOOKUPS: u64 = 1000;

/// Where this program, run again, finds the keys.
const FILE: &str = "GATEWRIGHT_MANY_KEYS";

/// A file of so many keys, each with all that one may have; and the secrets of ten of them, one a line.
fn write_keys(count: usize, folder: &std::path::Path) -> std::path::PathBuf {
    let (mut entries, mut secrets) = (String::new(), String::new());
    for number in 0..count {
        let key = NewApiKey::builder(format!("key-{number}"))
            .owner(format!("owner-{}", number / 10))
            .scope("orders:read")
            .scope("payments:write")
            .expires("2099-06-30")
            .limit("100/min burst 20");
        let key = key.generate().unwrap();
        entries.push_str(key.entry());
        if number % (count / 10) == 0 {
            secrets.push_str(key.secret());
            secrets.push('\n');
        }
    }
    let file = folder.join(format!("{count}.yaml"));
    fs::write(&file, entries).unwrap();
    fs::write(file.with_extension("secrets"), secrets).unwrap();
    file
}

fn request(secret: &str) -> Parts {
    let request = Request::get("/v1/orders").header("host", "api.example").header("accept", "*/*");
    request.header("x-api-key", HeaderValue::from_str(secret).unwrap()).body(()).unwrap().into_parts().0
}

/// What is counted, by its name.
#[inline(never)]
fn look_up_keys(keys: &ApiKeys, requests: &[Parts]) -> u64 {
    let found = requests.iter().cycle().take(LOOKUPS as usize).filter(|request| {
        matches!(black_box(keys.authenticate(request)), Attempt::Now(Outcome::Authenticated(_)))
    });
    found.count() as u64
}

#[test]
#[ignore = "runs itself under valgrind"]
fn a_key_is_found_among_many_as_it_is_among_few() {
    if let Some(file) = env::var_os(FILE) {
        let file = std::path::PathBuf::from(file);
        let keys = ApiKeys::from_file(&file).build().unwrap();
        let secrets = fs::read_to_string(file.with_extension("secrets")).unwrap();
        let requests: Vec<_> = secrets.lines().map(request).collect();
        assert_eq!(look_up_keys(&keys, &requests), LOOKUPS);
        return;
    }
    let folder = env::temp_dir().join(format!("gatewright-many-keys-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let [few, many] = [FEW, MANY].map(|count| {
        let file = write_keys(count, &folder);
        let begun = processor_time();
        let loaded = ApiKeys::from_file(&file).build().unwrap().len();
        let took = processor_time() - begun;
        assert_eq!(loaded, count);
        let instructions = instructions(&file) / LOOKUPS;
        println!("{count} keys: read in {took:.2?}; {instructions} instructions a lookup");
        assert!(cfg!(debug_assertions) || took < Duration::from_secs(2), "{took:?}");
        instructions
    });
    fs::remove_dir_all(&folder).unwrap();
    assert!(many as f64 <= 1.3 * few as f64, "{many} against {few}");
}

/// What this thread has had of a processor: on a machine that does other things, the time of day says little.
fn processor_time() -> Duration {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(told.split(' ').next().unwrap().parse().unwrap())
}

/// The instructions of the lookups alone.
fn instructions(file: &std::path::Path) -> u64 {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*look_up_keys*"])
        .arg(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "a_key_is_found_among_many_as_it_is_among_few"])
        .env(FILE, file)
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let collected = told.lines().find_map(|line| line.split_once("Collected : ")).unwrap().1;
    collected.trim().parse().unwrap()
}
