//! How much a head may hold: 100 fields, 64 KiB, and 8 KiB of target.

use harness::{Gateway, H2Client, Origin, RawClient, Tally};

async fn check(status: u16, heads: Vec<(&str, String)>) {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut tally = Tally::new();
    for (case, head) in heads {
        let response = RawClient::once(gateway.address(), head).await;
        let fine = if status == 200 { response.status() == 200 } else { response.is_problem(status) };
        tally.check(case, fine, (response.head, String::from_utf8_lossy(&response.body)));
        tally.equal(format!("{case}, at the origin"), origin.take_requests().len(), usize::from(status == 200));
    }
    tally.finish(1);
}

fn with_fields(count: usize) -> String {
    let fields: String = (1..count).map(|number| format!("F{number}: v\r\n")).collect();
    format!("GET / HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}

fn with_target(length: usize) -> String {
    format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(length - 1))
}

#[tokio::test]
async fn what_is_within_the_limits_passes() {
    check(
        200,
        vec![
            ("100 fields", with_fields(100)),
            ("a target of 8 KiB", with_target(8 << 10)),
            ("60 KiB of fields", format!("GET / HTTP/1.1\r\nHost: x\r\nF: {}\r\n\r\n", "v".repeat(60 << 10))),
        ],
    )
    .await;
}

#[tokio::test]
async fn too_large_a_head_is_431() {
    check(
        431,
        vec![
            ("101 fields", with_fields(101)),
            ("2000 fields", with_fields(2000)),
            (
                "one field of 65 KiB",
                format!("GET / HTTP/1.1\r\nHost: x\r\nF: {}\r\n\r\n", "v".repeat(65 << 10)),
            ),
            ("one name of 65 KiB", format!("GET / HTTP/1.1\r\nHost: x\r\n{}: v\r\n\r\n", "F".repeat(65 << 10))),
            (
                "90 fields of 1 KiB",
                format!(
                    "GET / HTTP/1.1\r\nHost: x\r\n{}\r\n",
                    format!("F: {}\r\n", "v".repeat(1 << 10)).repeat(90)
                ),
            ),
        ],
    )
    .await;
}

#[tokio::test]
async fn too_long_a_target_is_414() {
    check(
        414,
        vec![
            ("a path", with_target((8 << 10) + 1)),
            ("a query", format!("GET /?{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(8 << 10))),
            ("a target of 100 KiB", with_target(100 << 10)),
        ],
    )
    .await;
}

#[tokio::test]
async fn http2_has_the_same_limits() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut tally = Tally::new();
    let fields = |count: usize| {
        let mut request = http::Request::get("http://x/");
        for number in 0..count {
            request = request.header(format!("f{number}"), "v");
        }
        request.body("").unwrap()
    };
    let target =
        |length: usize| http::Request::get(format!("http://x/{}", "a".repeat(length - 1))).body("").unwrap();
    let large = http::Request::get("http://x/").header("f", "v".repeat(65 << 10)).body("").unwrap();
    for (case, request, status) in [
        ("99 fields", fields(99), 200),
        ("101 fields", fields(101), 431),
        ("a target of 8 KiB", target(8 << 10), 200),
        ("a longer target", target((8 << 10) + 1), 414),
        ("one field of 65 KiB", large, 431),
    ] {
        let response = H2Client::connect(gateway.address()).await.exchange(request).await;
        // A decoder that has given up may reset instead (RFC 9113, section 10.5.1).
        let reset =
            status == 431 && response.as_ref().is_err_and(|error| error.is_reset() || error.is_go_away());
        let fine = reset || response.as_ref().is_ok_and(|response| response.status() == status);
        tally.check(case, fine, response);
        tally.equal(case, origin.take_requests().len(), usize::from(status == 200));
    }
    tally.finish(10);
}
