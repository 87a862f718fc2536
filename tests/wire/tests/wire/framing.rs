//! How a request ends: what two servers could read in two ways is refused (RFC 9112, sections 6 and 11.2).

use harness::{Gateway, Origin, RawClient, Step, Tally, eventually};

const SMUGGLED: &str = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn an_ambiguous_head_is_refused_and_the_connection_closed() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let with = |fields: &str| format!("POST / HTTP/1.1\r\nHost: x\r\n{fields}\r\n");
    let mut heads: Vec<String> = [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: ,chunked\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length:\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5, 6\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length : 5\r\n",
        "Transfer-Encoding : chunked\r\n",
        ": empty name\r\n",
        "A B: c\r\n",
        "No-Colon\r\n",
        "Folded: a\r\n b\r\n",
        "Folded: a\r\n\tb\r\n",
        " Leading: space\r\n",
        "Nul: a\0b\r\n",
        "Bare-CR: a\rb\r\n",
        "Bare-LF: a\nSmuggled: b\r\n",
        "Bare-LF: a\n",
        "X(Parenthesis): a\r\n",
    ]
    .into_iter()
    .map(with)
    .collect();
    heads.push("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".into());
    heads.push("GET / HTTP/1.1\nHost: x\n\n".into());
    heads.push("GET / HTTP/1.1\r\nHost: x\r\n\n".into());
    heads.push("GET / HTTP/1.1\nHost: x\r\n\r\n".into());
    heads.push("GET / HTTP/1.1\rHost: x\r\n\r\n".into());
    heads.push("GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n".into());
    heads.push("GET / x HTTP/1.1\r\nHost: x\r\n\r\n".into());
    heads.push("GET / HTTP/1.1 \r\nHost: x\r\n\r\n".into());
    heads.push("G(ET / HTTP/1.1\r\nHost: x\r\n\r\n".into());
    heads.push("GET /\r\nHost: x\r\n\r\n".into());

    let mut tally = Tally::new();
    for head in heads {
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(format!("{head}0\r\n\r\n{SMUGGLED}")).await;
        match client.response().await {
            Ok(response) => tally.check(&head, response.is_problem(400), &response),
            Err(error) => tally.check(&head, false, error),
        }
        tally.check(&head, client.is_closed().await, "the connection stays open or says more");
    }
    tally.check("requests at the origin", origin.requests().is_empty(), origin.requests());
    tally.finish(90);
}

#[tokio::test]
async fn two_equal_content_lengths_are_no_way_in() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let request =
        format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello{SMUGGLED}");
    let mut client = RawClient::connect(gateway.address()).await;
    let response = client.exchange(request).await;
    // Equal duplicates may be merged or refused (RFC 9110, section 8.6); two lines never go on.
    match response.status() {
        200 => {
            assert_eq!(client.response().await.unwrap().status(), 200);
            let seen = origin.requests();
            assert_eq!(seen[0].head.fields.all("content-length"), ["5"]);
            assert_eq!((seen[0].body.as_slice(), seen[1].target()), (&b"hello"[..], "/smuggled"));
        }
        _ => assert!(response.is_problem(400) && client.is_closed().await, "{response:?}"),
    }
}

#[tokio::test]
async fn bad_chunks_abort_the_upstream_request_and_are_answered_400() {
    // It answers only when the body has come to its end, so that nothing has been answered before.
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut tally = Tally::new();
    let chunks = [
        "x\r\nhello\r\n0\r\n\r\n",
        "-5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5 \r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        ";ext\r\nhello\r\n0\r\n\r\n",
        "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5\rhello\r\n0\r\n\r\n",
        "5;a\nb\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhelloxx0\r\n\r\n",
        "4\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\n\r\n",
        "5\r\nhello\r\n0\r\nBad trailer\r\n\r\n",
        "5\r\nhello\r\n0\r\nT : 1\r\n\r\n",
        "5\r\nhello\r\n0\r\nT: a\n\r\n",
        "5\r\nhello\r\n0\r\nT: a\r\n b\r\n\r\n",
    ];
    for chunks in chunks {
        origin.take_requests();
        let mut client = RawClient::connect(gateway.address()).await;
        client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n").await;
        client.send(format!("{chunks}{SMUGGLED}")).await;
        match client.response().await {
            Ok(response) => tally.check(chunks, response.is_problem(400), &response),
            Err(error) => tally.check(chunks, false, error),
        }
        tally.check(chunks, client.is_closed().await, "the connection stays open or says more");
        eventually("the upstream request's end", || origin.open() == 0 || !origin.requests().is_empty()).await;
        let seen = origin.requests();
        tally.check(chunks, !seen.iter().any(|request| request.complete), seen);
    }
    // One line each, though both the server and the layers know of it.
    let _ = RawClient::once(gateway.address(), "GET /the-last HTTP/1.1\r\nHost: x\r\n\r\n").await;
    eventually("the last line", || gateway.access_log_text().contains("/the-last")).await;
    let lines = gateway.access_log(1).await;
    tally.check("lines of the log", lines.len() == chunks.len() + 1, lines.len());
    for line in lines.iter().filter(|line| line["path"] != "/the-last") {
        tally.check("its line", line["status"] == 400 && line.contains_key("rejection"), line);
    }
    tally.finish(60);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_never_completed_upstream() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    for start in [
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    ] {
        for abort in [true, false] {
            origin.take_requests();
            let mut client = RawClient::connect(gateway.address()).await;
            client.send(start).await;
            origin.has_requests(1).await;
            if abort {
                client.reset()
            } else {
                client.finish().await
            }
            eventually("the upstream connection's end", || origin.open() == 0).await;
            assert!(!origin.only_request().complete, "{start:?}");
        }
    }
}

#[tokio::test]
async fn chunk_extensions_are_not_forwarded() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let request =
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;evil=1\r\nhello\r\n0;evil\r\n\r\n";
    assert_eq!(RawClient::once(gateway.address(), request).await.status(), 200);
    let seen = origin.only_request();
    assert_eq!((seen.body.as_slice(), seen.complete), (&b"hello"[..], true));
    assert!(!String::from_utf8_lossy(&seen.raw_body).contains("evil"));
}

#[tokio::test]
async fn a_body_left_unread_is_drained_or_the_connection_closed() {
    // The origin answers before it has read the body, and never reads it.
    let origin = Origin::start(|_| {
        let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
        vec![Step::Head, Step::Send(answer), Step::Hang]
    })
    .await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").await;
    assert_eq!(client.response().await.unwrap().status(), 413);
    // A request inside the body must be body, not a second request.
    client.send(SMUGGLED.repeat(1000)).await;
    let (rest, _) = client.read_to_end(std::time::Duration::from_secs(1)).await;
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    assert!(!origin.requests().iter().any(|request| request.target() == "/smuggled"));
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::answering(|request| harness::Reply::text(request.target().to_owned())).await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    let requests: String = (0..20)
        .map(|number| {
            format!(
                "POST /{number} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
            )
        })
        .collect();
    client.send(requests).await;
    for number in 0..20 {
        assert_eq!(client.response().await.unwrap().text(), format!("/{number}"));
    }
}
