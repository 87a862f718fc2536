//! Clients that need many packages: `cargo xtask test --full`.

use std::path::Path;

use harness::{Tally, TempDir, peer};
use tokio::process::Command;

use super::{HTTP1, HTTP2, Own, Run, Scene, TLS_HTTP2, scene::Endpoint};
use crate::pattern::{pattern, sha256};

/// Where Debian's packages put Java's.
const JARS: &str = "/usr/share/java/httpclient5.jar:/usr/share/java/httpcore5.jar:/usr/share/java/httpcore5-h2.jar:\
    /usr/share/java/slf4j-api.jar:/usr/share/java/slf4j-nop.jar";

fn peers(file: &str) -> String {
    format!("{}/peers/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// Compiles a class, and says how to run it.
async fn java(folder: &Path, class: &'static str) -> impl Fn() -> Command + use<> {
    let (folder, sources) = (folder.to_str().unwrap(), [peers("Cases.java"), peers(&format!("{class}.java"))]);
    let arguments = ["-cp", JARS, "-d", folder, &sources[0], &sources[1]];
    let output = peer::run(&peer::program("javac"), &arguments).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let classes = format!("{folder}:{JARS}");
    move || {
        let mut command = Command::new(peer::program("java"));
        command.args(["-cp", &classes, class]);
        command
    }
}

#[tokio::test]
#[ignore = "needs a JDK: cargo xtask test --full"]
async fn javas_http_client_gets_every_answer() {
    let (scene, folder) = (Scene::new().await, TempDir::new());
    let client = java(folder.path(), "JavaClient").await;
    let own = Own { without: &["upgrade", "upgrade-post"] };
    scene.hold(&HTTP1, own, &client).await;
    scene.hold(&TLS_HTTP2, own, &client).await;
}

#[tokio::test]
#[ignore = "needs a JDK and libhttpclient5-java: cargo xtask test --full"]
async fn apache_http_client_gets_every_answer() {
    let (scene, folder) = (Scene::new().await, TempDir::new());
    let client = java(folder.path(), "ApacheClient").await;
    scene.hold(&HTTP1, Own::default(), &client).await;
}

#[tokio::test]
#[ignore = "needs Go: cargo xtask test --full"]
async fn gos_net_http_gets_every_answer() {
    let (scene, folder) = (Scene::new().await, TempDir::new());
    let program = folder.path().join("client");
    let output = Command::new(peer::program("go"))
        .args(["build", "-o"])
        .arg(&program)
        .arg(peers("client.go"))
        .env("GOCACHE", folder.path().join("cache"))
        .env("GO111MODULE", "off")
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    scene.hold(&HTTP1, Own::default(), || Command::new(&program)).await;
    scene.hold(&TLS_HTTP2, Own::default(), || Command::new(&program)).await;
}

#[tokio::test]
#[ignore = "needs Chromium: cargo xtask test --full"]
async fn chromium_gets_every_answer() {
    let (scene, folder) = (Scene::new().await, TempDir::new());
    let client = || {
        let mut command = Command::new(peer::program("node"));
        command.arg(peers("chromium.mjs")).arg(peer::program("chromium")).arg(folder.path().join("profile"));
        command.env("NODE_PATH", peer::node_modules()).env("HOME", folder.path());
        command
    };
    let own = Own { without: &["upgrade", "upgrade-post", "chunked"] };
    scene.hold(&HTTP1[..1], own, client).await;
    scene.hold(&TLS_HTTP2, Own { without: &["upgrade", "upgrade-post"] }, client).await;
}

/// wget sends HTTP/1.1, or 1.0 with `--header`less requests of old; what it gets is a file.
#[tokio::test]
#[ignore = "needs wget: cargo xtask test --full"]
async fn wget_gets_every_answer() {
    let scene = Scene::new().await;
    let mut tally = Tally::new();
    let file = scene.dir.path().join("got");
    let upload = scene.dir.write("upload", pattern(20_000_000));
    let ca = format!("--ca-certificate={}", scene.ca.pem().display());
    let post = format!("--post-file={}", upload.display());
    for Run { endpoint, .. } in HTTP1 {
        for (name, path, more, code, body) in [
            ("get", "/sized/1000000", &[][..], Some(0), Some(pattern(1_000_000))),
            ("chunked answer", "/many/100000", &[], Some(0), Some(pattern(100_000))),
            ("head", "/sized/1000000", &["--spider"], Some(0), None),
            ("post-0", "/echo", &["--post-data="], Some(0), Some(super::arrived("POST", 0, "length").into())),
            ("post-20", "/echo", &[&*post], Some(0), Some(super::arrived("POST", 20_000_000, "length").into())),
            // 8: the server answered with an error, of which 413 is printed.
            ("early", "/early", &[&*post], Some(8), None),
            (
                "upgrade",
                "/echo",
                &["--header=Connection: Upgrade", "--header=Upgrade: TLS/1.2"],
                Some(0),
                Some(super::arrived("GET", 0, "none").into()),
            ),
        ] {
            let _ = std::fs::remove_file(&file);
            let url = format!("{}{path}", scene.url(endpoint));
            let mut arguments = vec!["-nv", "-S", "--no-proxy", "--tries=1", "--timeout=50", &ca, "-O"];
            arguments.push(file.to_str().unwrap());
            arguments.extend(more);
            arguments.push(&url);
            let output = peer::run(&peer::program("wget"), &arguments).await;
            let said = String::from_utf8_lossy(&output.stderr);
            let got = std::fs::read(&file).unwrap_or_default();
            let fine = output.status.code() == code
                && body.is_none_or(|body: Vec<u8>| body == got)
                && (name != "early" || said.contains("HTTP/1.1 413"));
            tally.check(format!("{name} {endpoint:?}"), fine, (said, got.len(), sha256(&got)));
        }
    }
    tally.finish(21);
}

/// ab speaks HTTP/1.0, with `Connection: keep-alive` when it is told to.
#[tokio::test]
#[ignore = "needs apache2-utils: cargo xtask test --full"]
async fn ab_gets_every_answer() {
    let scene = Scene::new().await;
    let mut tally = Tally::new();
    let upload = scene.dir.write("upload", pattern(1_000_000));
    let upload = upload.to_str().unwrap();
    for endpoint in [Endpoint::Clear, Endpoint::Rsa, Endpoint::Ecdsa] {
        for (name, path, more) in [
            ("get", "/sized/1000000", &[][..]),
            ("get, kept", "/sized/1000", &["-k"]),
            ("chunked answer", "/many/100000", &[]),
            ("chunked answer, kept", "/many/100000", &["-k"]),
            ("head", "/sized/1000000", &["-i"]),
            ("head, kept", "/sized/1000000", &["-i", "-k"]),
            ("post", "/echo", &["-p", upload]),
            ("post, kept", "/echo", &["-k", "-p", upload]),
        ] {
            let url = format!("{}{path}", scene.url(endpoint).replace("localhost", "127.0.0.1"));
            let mut arguments = vec!["-n", "100", "-c", "4", "-s", "50"];
            arguments.extend(more);
            arguments.push(&url);
            let output = peer::run(&peer::program("ab"), &arguments).await;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let number = |label: &str| -> Option<u64> {
                let line = said.lines().find(|line| line.starts_with(label))?;
                line.split_whitespace().find_map(|word| word.parse().ok())
            };
            let kept = number("Keep-Alive requests:");
            let fine = number("Complete requests:") == Some(100)
                && number("Failed requests:") == Some(0)
                && number("Non-2xx responses:").is_none()
                && (!more.contains(&"-k") || path.starts_with("/many") || kept == Some(100));
            tally.check(format!("{name} {endpoint:?}"), fine, (said, String::from_utf8_lossy(&output.stderr)));
        }
    }
    tally.finish(24);
}

#[tokio::test]
#[ignore = "builds a tree of crates of its own: cargo xtask test --full"]
async fn reqwest_gets_every_answer() {
    let scene = Scene::new().await;
    // target/PROFILE/deps/TEST
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked", "--manifest-path", &peers("reqwest/Cargo.toml"), "--target-dir"])
        .arg(target)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let program = target.join("debug/reqwest-client");
    scene.hold(&HTTP1, Own::default(), || Command::new(&program)).await;
    scene.hold(&HTTP2, Own::default(), || Command::new(&program)).await;
}
