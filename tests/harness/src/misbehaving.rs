//! Origins that break the rules, each in one way.

use std::time::Duration;

use crate::{Script, Step};

/// How an origin misbehaves, and what a gateway must make of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Misbehaviour {
    /// What is wrong, as a word.
    pub name: &'static str,
    /// What it does on a connection.
    pub script: Script,
    /// What the client must see.
    pub expect: Expect,
}

/// What a client must see of a misbehaving origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// A response of this status, made by the gateway.
    Status(u16),
    /// 502, or 504 when the gateway's patience ended first.
    Failed,
    /// A response of this status with this body, that ends as it should: the rest is cut off.
    Clean(u16, &'static str),
    /// A response that breaks off; or, when it was not begun, one of 502 and 504.
    Aborted,
}

fn answers(name: &'static str, bytes: impl Into<Vec<u8>>, expect: Expect) -> Misbehaviour {
    Misbehaviour { name, script: vec![Step::Head, Step::Body, Step::Send(bytes.into())], expect }
}

/// Sends these bytes and then says nothing, so that only the bytes can tell that something is wrong.
fn stays(name: &'static str, bytes: impl Into<Vec<u8>>, expect: Expect) -> Misbehaviour {
    let mut misbehaviour = answers(name, bytes, expect);
    misbehaviour.script.push(Step::Hang);
    misbehaviour
}

fn then(name: &'static str, steps: Vec<Step>, expect: Expect) -> Misbehaviour {
    Misbehaviour { name, script: steps, expect }
}

/// Every misbehaviour, for a GET. Those that hang need a gateway with short timeouts.
pub fn all() -> Vec<Misbehaviour> {
    use Expect::{Aborted, Clean, Failed, Status};
    let full = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello";
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let read = || vec![Step::Head, Step::Body];
    let steps = |more: Vec<Step>| read().into_iter().chain(more).collect::<Vec<_>>();
    let send = |bytes: &str| Step::Send(bytes.as_bytes().to_vec());
    vec![
        stays(
            "content-length and transfer-encoding",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            Status(502),
        ),
        stays(
            "two content-lengths that differ",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
            Status(502),
        ),
        stays("a negative content-length", "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", Status(502)),
        stays("a content-length of words", "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello", Status(502)),
        stays("junk for a status line", "JUNK JUNK JUNK\r\n\r\n", Status(502)),
        stays("a status of two digits", "HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello", Status(502)),
        stays(
            "a space before a header's colon",
            "HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
            Status(502),
        ),
        stays(
            "an unsolicited 101",
            "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            Status(502),
        ),
        stays(
            "a head without end",
            format!("HTTP/1.1 200 OK\r\n{}", "X-Filler: 0123456789012345678901234567890\r\n".repeat(20_000)),
            Status(502),
        ),
        answers("closes without a response", "", Status(502)),
        answers("closes in the head", "HTTP/1.1 200 OK\r\nContent-Le", Status(502)),
        then("resets at accept", vec![Step::Reset], Status(502)),
        then("resets after the request", steps(vec![Step::Reset]), Status(502)),
        then("resets in the head", steps(vec![send("HTTP/1.1 200 OK\r\nCon"), Step::Reset]), Status(502)),
        // The pause lets the gateway read what came before the reset, which would take it away.
        then(
            "resets in the body",
            steps(vec![send(half), Step::Pause(Duration::from_millis(300)), Step::Reset]),
            Aborted,
        ),
        then(
            "resets in a chunk",
            steps(vec![send(chunked), send("5\r\nhel"), Step::Pause(Duration::from_millis(300)), Step::Reset]),
            Aborted,
        ),
        answers("a body shorter than its length", half, Aborted),
        answers("a chunk cut short", format!("{chunked}5\r\nhel"), Aborted),
        answers("chunks without the last", format!("{chunked}5\r\nhello\r\n"), Aborted),
        stays("a chunk size of junk", format!("{chunked}xyz\r\nhello\r\n0\r\n\r\n"), Aborted),
        stays("a negative chunk size", format!("{chunked}-5\r\nhello\r\n0\r\n\r\n"), Aborted),
        stays("a chunk size past 64 bits", format!("{chunked}fffffffffffffffff\r\nhello\r\n"), Aborted),
        stays("a chunk longer than its size", format!("{chunked}3\r\nhello\r\n0\r\n\r\n"), Aborted),
        stays(
            "bytes after the body",
            format!("{full}HTTP/1.1 200 OK\r\nX-Smuggled: 1\r\n\r\n"),
            Clean(200, "hello"),
        ),
        stays("bytes after a 204", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello", Clean(204, "")),
        stays(
            "bytes after a 304",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
            Clean(304, ""),
        ),
        stays("a flood of 1xx", "HTTP/1.1 102 Processing\r\n\r\n".repeat(100_000), Failed),
        then("hangs before the head", steps(vec![Step::Hang]), Status(504)),
        then("hangs in the head", steps(vec![send("HTTP/1.1 200 OK\r\nCon"), Step::Hang]), Status(504)),
        then("hangs in the body", steps(vec![send(half), Step::Hang]), Aborted),
        then(
            "drips its head",
            steps(vec![Step::Drip(half.as_bytes().to_vec(), Duration::from_millis(500))]),
            Status(504),
        ),
    ]
}
