//! `OPTIONS *`: a question to the gateway itself, for no route (RFC 9110, section 9.3.7).

use harness::{Gateway, H2Client, Origin, Outcome, RawClient, RawH2Client, Tally};

fn gateway(origin: &Origin) -> Gateway {
    Gateway::with_routes(&format!(
        "- {{path_prefix: /, methods: [GET, POST], upstream: \"{0}\"}}\n\
         - {{path: /purge, methods: [PURGE], upstream: \"{0}\"}}\n",
        origin.address()
    ))
}

const ALLOW: &str = "GET, HEAD, OPTIONS, POST, PURGE";

#[tokio::test]
async fn the_gateway_answers_for_itself() {
    let origin = Origin::ok().await;
    let gateway = gateway(&origin);
    let mut tally = Tally::new();

    // Twice on one connection, and a request after that.
    let mut client = RawClient::connect(gateway.address()).await;
    let mut ids = Vec::new();
    for case in ["first", "second"] {
        client.send("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").await;
        let response = client.response_to("OPTIONS").await.unwrap();
        tally.equal(case, (response.status(), response.header("allow")), (204, Some(ALLOW)));
        tally.check(case, response.header("content-length").is_none(), &response);
        ids.extend(response.header("x-request-id").map(str::to_owned));
    }
    tally.equal(
        "a request after them",
        client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.status(),
        200,
    );
    let old = RawClient::once(gateway.address(), "OPTIONS * HTTP/1.0\r\nHost: x\r\n\r\n").await;
    tally.equal("HTTP/1.0", (old.status(), old.header("allow")), (204, Some(ALLOW)));
    ids.extend(old.header("x-request-id").map(str::to_owned));

    let mut raw = RawH2Client::connect(gateway.address()).await;
    raw.headers(1, &fields(b"OPTIONS", b"*"), true).await.unwrap();
    tally.equal("HTTP/2", raw.outcome(1).await, Outcome::Status(204));

    let lines = gateway.access_log(5).await;
    let of_options: Vec<_> = lines.iter().filter(|line| line["method"] == "OPTIONS").collect();
    tally.equal("log lines", of_options.len(), 4);
    for line in &of_options {
        tally.equal("the status in the log", line["status"].as_u64(), Some(204));
    }
    for id in &ids {
        tally.check("the id in the log", of_options.iter().any(|line| line["request_id"] == id.as_str()), id);
    }
    tally.equal("what arrived", origin.requests().len(), 1);
    tally.finish(16);
}

#[tokio::test]
async fn an_asterisk_is_for_options_alone() {
    let origin = Origin::ok().await;
    let gateway = gateway(&origin);
    let mut tally = Tally::new();
    for line in
        ["GET *", "POST *", "HEAD *", "options *", "OPTIONS *?x", "OPTIONS **", "OPTIONS *#", "OPTIONS /*%00"]
    {
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        let method = line.split(' ').next().unwrap();
        tally.equal(line, client.response_to(method).await.unwrap().status(), 400);
    }
    for (method, path) in [
        (&b"GET"[..], &b"*"[..]),
        (b"POST", b"*"),
        (b"options", b"*"),
        (b"OPTIONS", b"*?x"),
        (b"OPTIONS", b"**"),
    ] {
        let mut raw = RawH2Client::connect(gateway.address()).await;
        raw.headers(1, &fields(method, path), true).await.unwrap();
        let outcome = raw.outcome(1).await;
        let refused = matches!(outcome, Outcome::Status(400) | Outcome::Reset(_) | Outcome::GoAway(_));
        tally.check(format!("{} over HTTP/2", path.escape_ascii()), refused, outcome);
    }
    tally.check("the origin", origin.requests().is_empty(), origin.requests());
    tally.finish(14);
}

#[tokio::test]
async fn options_of_a_path_is_a_request_like_any_other() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let request = "OPTIONS /a HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(RawClient::once(gateway.address(), request).await.status(), 200);
    let request = http::Request::options("http://x/a").body("").unwrap();
    let response = H2Client::connect(gateway.address()).await.exchange(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(origin.requests().iter().map(|request| request.target()).collect::<Vec<_>>(), ["/a", "/a"]);
}

fn fields<'a>(method: &'a [u8], path: &'a [u8]) -> [(&'a [u8], &'a [u8]); 4] {
    [(b":method", method), (b":scheme", b"http"), (b":authority", b"x"), (b":path", path)]
}
