//! How large a response's head may be: 64 KiB and 256 lines, or what the file says.

use harness::{Gateway, H2Origin, Origin, RawClient, Reply};

/// A response with this many lines besides those that the origin writes itself, and so many bytes in one of them.
fn reply(lines: usize, bytes: usize) -> Reply {
    let reply = Reply::text("ok").field("x-long", &"x".repeat(bytes));
    (0..lines).fold(reply, |reply, line| reply.field(&format!("x-{line}"), "y"))
}

async fn status(gateway: &Gateway, path: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
    let response = RawClient::once(gateway.address(), request).await;
    if response.status() == 200 {
        let lines: usize = path.split('/').nth(1).unwrap().parse().unwrap();
        let whole = (0..lines).all(|line| response.header(&format!("x-{line}")).is_some());
        assert!(whole && response.text() == "ok", "{path}");
    }
    response.status()
}

/// The path says how many lines and how many bytes.
fn asked(request: &harness::Request) -> Reply {
    let mut numbers = request.target().split('/').skip(1).map(|number| number.parse().unwrap());
    reply(numbers.next().unwrap(), numbers.next().unwrap())
}

#[tokio::test]
async fn a_large_head_passes_up_to_the_limits() {
    let (http1, http2) = (Origin::answering(asked).await, H2Origin::answering(asked).await);
    let settings = "max_response_head: 128KiB, max_response_headers: 600";
    for (protocol, address) in [("http1", http1.address()), ("http2", http2.address())] {
        let upstream = |more: &str| format!("{{target: \"{address}\", protocol: {protocol}{more}}}");
        let by_default =
            Gateway::builder(&format!("routes: [{{path_prefix: /, upstream: {}}}]\n", upstream("")));
        let by_upstream = Gateway::builder(&format!(
            "defaults: {{max_response_headers: 3}}\nroutes: [{{path_prefix: /, upstream: {}}}]\n",
            upstream(&format!(", {settings}"))
        ));
        let by_defaults = Gateway::builder(&format!(
            "defaults: {{{settings}}}\nroutes: [{{path_prefix: /, upstream: {}}}]\n",
            upstream("")
        ));
        let by_default = by_default.start();
        for (path, expected) in
            [("/101/1", 200), ("/250/1", 200), ("/257/1", 502), ("/1/60000", 200), ("/1/70000", 502)]
        {
            assert_eq!(status(&by_default, path).await, expected, "{protocol} {path}");
        }
        for gateway in [by_upstream.start(), by_defaults.start()] {
            for (path, expected) in
                [("/257/1", 200), ("/590/1", 200), ("/601/1", 502), ("/1/100000", 200), ("/1/140000", 502)]
            {
                assert_eq!(status(&gateway, path).await, expected, "{protocol} {path}");
            }
        }
    }
}
