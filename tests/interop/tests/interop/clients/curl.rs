//! curl: one process for each request. It tells lengths and hashes of nothing, so that is done here.

use harness::{Tally, peer};
use serde_json::{Value, json};

use super::{CASES, HTTP1, HTTP2, Own, Run, Scene, check};
use crate::pattern::{pattern, sha256};

/// What curl writes after an answer.
const FORMAT: &str =
    r#"{"version": "%{http_version}", "status": %{response_code}, "length": "%header{content-length}"}"#;

#[tokio::test]
async fn curl_gets_every_answer() {
    let scene = Scene::new().await;
    let mut tally = Tally::new();
    for run in HTTP1.into_iter().chain(HTTP2) {
        check(&mut tally, run, Own::default(), &lines(&scene, run).await);
    }
    tally.finish(50);
}

async fn lines(scene: &Scene, run: Run) -> String {
    let mut lines = String::new();
    for case in CASES {
        if run.version == "2" && case.starts_with("upgrade") {
            continue;
        }
        lines.push_str(&line(scene, run, &scene.url(run.endpoint), case).await.to_string());
        lines.push('\n');
    }
    lines
}

async fn line(scene: &Scene, run: Run, base: &str, case: &str) -> Value {
    let upload = |length: usize| {
        let file = scene.dir.path().join(format!("upload-{length}"));
        if !file.exists() {
            std::fs::write(&file, pattern(length)).unwrap();
        }
        format!("@{}", file.display())
    };
    let (path, data, more): (_, Option<String>, &[&str]) = match case {
        "get" => ("/sized/1000000", None, &[]),
        "head" => ("/sized/1000000", None, &["--head"]),
        "post-0" => ("/echo", Some(String::new()), &[]),
        "post-10" => ("/echo", Some(upload(10_000_000)), &[]),
        "post-20" => ("/echo", Some(upload(20_000_000)), &[]),
        // Over HTTP/2 the field tells curl to send no length, and is not sent.
        "chunked" => ("/echo", Some(upload(10_000_000)), &["-H", "transfer-encoding: chunked"]),
        // Without waiting for `100 Continue`: the body is under way when the answer comes.
        "early" => ("/early", Some(upload(20_000_000)), &["-H", "expect:"]),
        "upgrade" => ("/echo", None, &["-H", "connection: upgrade", "-H", "upgrade: TLS/1.2"]),
        // curl offers h2c itself.
        "upgrade-post" => ("/echo", Some(upload(100_000)), &["--http2"]),
        "again" => ("/many/100000", None, &[]),
        other => panic!("no such case: {other}"),
    };
    let body = scene.dir.path().join("body");
    let _ = std::fs::remove_file(&body);
    let url = format!("{base}{path}");
    let mut arguments = vec!["-sS", "--noproxy", "*", "--max-time", "50", "-w", FORMAT];
    arguments.extend(["--cacert", scene.ca.pem().to_str().unwrap(), "-o", body.to_str().unwrap()]);
    // On cleartext, `--http2` would offer an upgrade; there it is prior knowledge.
    let protocol = match (run.version, url.starts_with("https")) {
        ("1.1", _) => "--http1.1",
        (_, true) => "--http2",
        (_, false) => "--http2-prior-knowledge",
    };
    let is_upgrade = case == "upgrade-post" && !url.starts_with("https");
    if !is_upgrade {
        arguments.push(protocol);
    }
    if let Some(data) = &data {
        arguments.extend(["--data-binary", data]);
    }
    // Over TLS the version is a matter of ALPN, and curl offers no upgrade: the fields are given by hand.
    let offer = ["-H", "connection: upgrade", "-H", "upgrade: h2c"];
    arguments.extend(if case == "upgrade-post" && !is_upgrade { &offer } else { more });
    arguments.push(&url);
    let output = peer::run(&peer::program("curl"), &arguments).await;
    if !output.status.success() {
        return json!({"case": case, "error": String::from_utf8_lossy(&output.stderr), "said": String::from_utf8_lossy(&output.stdout)});
    }
    let mut line: Value = serde_json::from_slice(&output.stdout).unwrap();
    // With `--head`, what is written is the head.
    let body = if case == "head" { Vec::new() } else { std::fs::read(&body).unwrap_or_default() };
    line["case"] = case.into();
    line["bytes"] = body.len().into();
    line["sha256"] = sha256(&body).into();
    line["text"] = String::from_utf8_lossy(&body[..body.len().min(200)]).into();
    line
}
