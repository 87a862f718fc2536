//! reqwest: `reqwest-client URL CA VERSION [CASES]` prints one line of JSON for each case.

use std::{env, error::Error, fs};

use futures_util::stream;
use reqwest::{Body, Certificate, Client, Method, Version};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Case, method, path, length of the body, and the protocol of an upgrade that is offered.
type Case = (&'static str, &'static str, &'static str, Option<usize>, Option<&'static str>);

const CASES: [Case; 10] = [
    ("get", "GET", "/sized/1000000", None, None),
    ("head", "HEAD", "/sized/1000000", None, None),
    ("post-0", "POST", "/echo", Some(0), None),
    ("post-10", "POST", "/echo", Some(10_000_000), None),
    ("post-20", "POST", "/echo", Some(20_000_000), None),
    ("chunked", "POST", "/echo", Some(10_000_000), None),
    ("early", "POST", "/early", Some(20_000_000), None),
    ("upgrade", "GET", "/echo", None, Some("TLS/1.2")),
    ("upgrade-post", "POST", "/echo", Some(100_000), Some("h2c")),
    ("again", "GET", "/many/100000", None, None),
];

fn pattern(length: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..=250).collect();
    let mut body = block.repeat(length.div_ceil(block.len()));
    body.truncate(length);
    body
}

/// The same without a length, in pieces of many sizes.
fn pieces(length: usize) -> Body {
    let body = pattern(length);
    let mut parts = Vec::new();
    let mut at = 0;
    for size in [1, 4096, 100_000, 8192, 65_536, 3].into_iter().cycle() {
        if at == length {
            break;
        }
        let end = length.min(at + size);
        parts.push(Ok::<_, std::io::Error>(body[at..end].to_vec()));
        at = end;
    }
    Body::wrap_stream(stream::iter(parts))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let (url, ca, version) = (&arguments[1], &arguments[2], &arguments[3]);
    let only: Option<Vec<&str>> = arguments.get(4).map(|cases| cases.split(',').collect());
    let ca = Certificate::from_pem(&fs::read(ca)?)?;
    let client = Client::builder().no_proxy().tls_certs_only([ca]);
    let client = match (version.as_str(), url.starts_with("https")) {
        ("1.1", _) => client.http1_only(),
        (_, true) => client,
        (_, false) => client.http2_prior_knowledge(),
    };
    let client = client.build()?;
    for case in CASES {
        if only.as_ref().is_some_and(|only| !only.contains(&case.0)) || version == "2" && case.4.is_some() {
            continue;
        }
        let mut line = match exchange(&client, url, case).await {
            Ok(line) => line,
            Err(error) => json!({"error": format!("{error:?}")}),
        };
        line["case"] = case.0.into();
        println!("{line}");
    }
    Ok(())
}

async fn exchange(client: &Client, url: &str, case: Case) -> Result<Value, reqwest::Error> {
    let (name, method, path, length, upgrade) = case;
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = client.request(method, format!("{url}{path}"));
    if let Some(length) = length {
        request = request.body(if name == "chunked" { pieces(length) } else { pattern(length).into() });
    }
    if let Some(protocol) = upgrade {
        request = request.header("connection", "upgrade").header("upgrade", protocol);
    }
    let answer = request.send().await?;
    let version = match answer.version() {
        Version::HTTP_2 => "2",
        Version::HTTP_11 => "1.1",
        _ => "another",
    };
    let status = answer.status().as_u16();
    let length =
        answer.headers().get("content-length").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let body = answer.bytes().await?;
    let hash: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = if body.len() < 1000 { String::from_utf8_lossy(&body).into_owned() } else { String::new() };
    Ok(json!({
        "version": version, "status": status, "length": length, "bytes": body.len(), "sha256": hash, "text": text,
    }))
}
