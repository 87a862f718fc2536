//! What each client sends, what must arrive, and what the client must get.

mod apart;
mod curl;
mod node;
mod python;
mod scene;

use std::collections::BTreeMap;

use harness::Tally;
use serde_json::Value;

use crate::pattern::{pattern, sha256};
pub(crate) use scene::{Endpoint, Scene};

/// What every client is asked to do, in this order; each has its own way to leave a case out.
const CASES: [&str; 10] =
    ["get", "head", "post-0", "post-10", "post-20", "chunked", "early", "upgrade", "upgrade-post", "again"];

/// A run of a client: where to, and what it speaks there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) endpoint: Endpoint,
    pub(crate) version: &'static str,
}

/// HTTP/1.1 everywhere.
const HTTP1: [Run; 3] = [
    Run { endpoint: Endpoint::Clear, version: "1.1" },
    Run { endpoint: Endpoint::Rsa, version: "1.1" },
    Run { endpoint: Endpoint::Ecdsa, version: "1.1" },
];

/// HTTP/2 by ALPN.
const TLS_HTTP2: [Run; 2] =
    [Run { endpoint: Endpoint::Rsa, version: "2" }, Run { endpoint: Endpoint::Ecdsa, version: "2" }];

/// HTTP/2 everywhere, on cleartext with prior knowledge.
const HTTP2: [Run; 3] = [Run { endpoint: Endpoint::Clear, version: "2" }, TLS_HTTP2[0], TLS_HTTP2[1]];

/// How a client differs from the rest, by what it is and not by what the gateway does.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Own {
    /// Cases that it cannot be brought to send.
    without: &'static [&'static str],
}

/// What a body that arrived looks like in the answer of the service.
fn arrived(method: &str, length: usize, framing: &str) -> String {
    format!("{method} {length} {} {framing} none\n", sha256(&pattern(length)))
}

/// Checks the lines that one run of a client printed.
fn check(tally: &mut Tally, run: Run, own: Own, printed: &str) {
    let mut lines: BTreeMap<String, Value> = BTreeMap::new();
    for line in printed.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        lines.insert(line["case"].as_str().unwrap().to_owned(), line);
    }
    // HTTP/2 has no upgrade (RFC 9113, section 8.6).
    let left_out =
        |case: &str| own.without.contains(&case) || run.version == "2" && case.starts_with("upgrade");
    for case in CASES.into_iter().filter(|case| !left_out(case)) {
        let name = format!("{run:?} {case}");
        let Some(line) = lines.remove(case) else {
            tally.check(name, false, "the client said nothing");
            continue;
        };
        let expected = expected(case);
        let wanted = match &expected {
            Expected::Status(status) => line["status"] == *status,
            Expected::Head(length) => {
                line["status"] == 200
                    && line["bytes"] == 0
                    && line["length"].as_str() == Some(length.to_string().as_str())
            }
            Expected::Body(body) => {
                line["status"] == 200 && line["bytes"] == body.len() && line["sha256"] == sha256(body)
            }
        };
        tally.check(name, wanted && line["version"] == run.version, format!("{expected:?}, found {line}"));
    }
    tally.check(format!("{run:?}"), lines.is_empty(), lines);
}

enum Expected {
    Status(u16),
    Head(usize),
    Body(Vec<u8>),
}

impl std::fmt::Debug for Expected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Head(length) => write!(f, "no body, and a length of {length}"),
            Self::Body(body) if body.len() < 200 => write!(f, "{:?}", String::from_utf8_lossy(body)),
            Self::Body(body) => write!(f, "{} bytes, {}", body.len(), sha256(body)),
        }
    }
}

fn expected(case: &str) -> Expected {
    let echo = |method, length, framing| Expected::Body(arrived(method, length, framing).into_bytes());
    match case {
        "get" => Expected::Body(pattern(1_000_000)),
        "head" => Expected::Head(1_000_000),
        "post-0" => echo("POST", 0, "length"),
        "post-10" => echo("POST", 10_000_000, "length"),
        "post-20" => echo("POST", 20_000_000, "length"),
        "chunked" => echo("POST", 10_000_000, "chunked"),
        "early" => Expected::Status(413),
        "upgrade" => echo("GET", 0, "none"),
        "upgrade-post" => echo("POST", 100_000, "length"),
        "again" => Expected::Body(pattern(100_000)),
        other => panic!("no such case: {other}"),
    }
}
