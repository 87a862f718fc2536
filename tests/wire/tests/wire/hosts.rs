//! Which host a request is for: Host, the absolute form and CONNECT, over raw sockets (RFC 9112, section 3.2).

use harness::{Gateway, Origin, RawClient, Tally};

struct Two {
    one: Origin,
    two: Origin,
    gateway: Gateway,
}

/// Two hosts, each with an origin of its own.
async fn two_hosts() -> Two {
    let (one, two) = (Origin::ok().await, Origin::ok().await);
    let gateway = Gateway::with_routes(&format!(
        "- {{host: one.test, path_prefix: /, upstream: \"{}\"}}\n- {{host: two.test, path_prefix: /, upstream: \"{}\"}}\n",
        one.address(),
        two.address()
    ));
    Two { one, two, gateway }
}

#[tokio::test]
async fn the_authority_that_routes_is_the_host_that_the_origin_sees() {
    let Two { one, two, gateway } = two_hosts().await;
    let mut tally = Tally::new();
    for (request, target, host) in [
        ("GET /x HTTP/1.1\r\nHost: one.test\r\n\r\n", "/x", "one.test"),
        ("GET /x HTTP/1.1\r\nhost:one.test \r\n\r\n", "/x", "one.test"),
        ("GET /x HTTP/1.1\r\nHost: ONE.test\r\n\r\n", "/x", "ONE.test"),
        ("GET /x HTTP/1.1\r\nHost: one.test:8080\r\n\r\n", "/x", "one.test:8080"),
        // An empty port is legal, and means the default one (RFC 3986, section 3.2.3).
        ("GET /x HTTP/1.1\r\nHost: one.test:\r\n\r\n", "/x", "one.test"),
        ("GET http://one.test:/x HTTP/1.1\r\nHost: one.test\r\n\r\n", "/x", "one.test"),
        ("GET http://one.test/x HTTP/1.1\r\nHost: one.test\r\n\r\n", "/x", "one.test"),
        ("GET http://one.test:81/x?y=1 HTTP/1.1\r\nHost: one.test:81\r\n\r\n", "/x?y=1", "one.test:81"),
        ("GET http://one.test HTTP/1.1\r\nHost: one.test\r\n\r\n", "/", "one.test"),
        ("GET http://one.test?y=1 HTTP/1.1\r\nHost: one.test\r\n\r\n", "/?y=1", "one.test"),
    ] {
        let response = RawClient::once(gateway.address(), request).await;
        let seen = one.take_requests();
        let [seen] = seen.as_slice() else { panic!("{request:?} gave {response:?}, the origin saw {seen:?}") };
        tally.equal(request, (response.status(), seen.target()), (200, target));
        tally.check(request, seen.head.fields.all("host").join("|").eq_ignore_ascii_case(host), &seen.head);
    }
    let response = RawClient::once(gateway.address(), "GET / HTTP/1.1\r\nHost: three.test\r\n\r\n").await;
    tally.check("a host without a route", response.is_problem(404), response);
    tally.equal("the other host's origin", two.requests().len(), 0);
    tally.finish(22);
}

/// As load balancers probe.
#[tokio::test]
async fn http_1_0_without_a_host_is_served_by_a_route_that_names_none() {
    let (named, open) = (Origin::ok().await, Origin::ok().await);
    let gateway = Gateway::with_routes(&format!(
        "- {{host: one.test, path_prefix: /, upstream: \"{}\"}}\n\
         - {{host: \"*.test\", path_prefix: /, upstream: \"{0}\"}}\n\
         - {{path_prefix: /open, upstream: \"{}\"}}\n\
         - {{path_prefix: /moved, redirect: {{scheme: https}}}}\n",
        named.address(),
        open.address()
    ));
    let mut tally = Tally::new();
    for (request, status) in [
        ("GET /open HTTP/1.0\r\n\r\n", 200),
        ("HEAD /open HTTP/1.0\r\n\r\n", 200),
        ("GET /open HTTP/1.0\r\nConnection: keep-alive\r\nUser-Agent: probe\r\n\r\n", 200),
        ("POST /open HTTP/1.0\r\nContent-Length: 2\r\n\r\nok", 200),
        ("GET /other HTTP/1.0\r\n\r\n", 404),
        ("GET /moved HTTP/1.0\r\n\r\n", 400),
        ("GET http://one.test/open HTTP/1.0\r\n\r\n", 400),
        ("GET /open HTTP/1.0\r\nHost:\r\n\r\n", 400),
        ("GET /open HTTP/1.1\r\n\r\n", 400),
    ] {
        let response = RawClient::once(gateway.address(), request).await;
        tally.equal(request, response.status(), status);
        let seen = open.take_requests();
        tally.equal(format!("{request:?}, at the origin"), seen.len(), usize::from(status == 200));
        for seen in seen {
            tally.equal(request, seen.head.fields.get("host"), Some(open.address().to_string().as_str()));
            tally.equal(request, seen.head.fields.get("x-forwarded-host"), None);
        }
    }
    tally.equal("the origin of a host", named.requests().len(), 0);
    tally.finish(27);
}

#[tokio::test]
async fn a_host_that_is_missing_doubled_malformed_or_contradicted_is_refused() {
    let Two { one, two, gateway } = two_hosts().await;
    let mut requests: Vec<String> = [
        "GET / HTTP/1.1\r\n\r\n",
        "GET http://one.test/ HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: one.test\r\nHost: one.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: one.test\r\nHost: two.test\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: one.test\r\nhOST: two.test\r\n\r\n",
        "GET http://one.test/ HTTP/1.1\r\nHost: two.test\r\n\r\n",
        "GET http://one.test/ HTTP/1.1\r\nHost: one.test:81\r\n\r\n",
        "GET http://one.test/ HTTP/1.1\r\n\r\n",
        "GET http://one.test/ HTTP/1.1\r\nHost:\r\n\r\n",
        "GET http://one.test/ HTTP/1.1\r\nHost: one.test\r\nHost: one.test\r\n\r\n",
        "GET http://user@one.test/ HTTP/1.1\r\nHost: one.test\r\n\r\n",
        "GET http://user:pass@one.test/ HTTP/1.1\r\nHost: user:pass@one.test\r\n\r\n",
        "GET http:///x HTTP/1.1\r\nHost: one.test\r\n\r\n",
        "GET one.test:80 HTTP/1.1\r\nHost: one.test:80\r\n\r\n",
        "GET one.test HTTP/1.1\r\nHost: one.test\r\n\r\n",
        "GET x/y HTTP/1.1\r\nHost: one.test\r\n\r\n",
        "GET ftp://one.test/ HTTP/1.1\r\nHost: one.test\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: one.test\r\n\r\n",
    ]
    .map(str::to_owned)
    .into();
    for host in [
        "",
        "one.test two.test",
        "one.test,two.test",
        "one.test/x",
        "one.test?x",
        "one.test#x",
        "one.test\\x",
        "user@one.test",
        "one.test:x",
        "one.test:99999",
        "one.test:-1",
        "one.test:80:80",
        ":80",
        "[::1",
        "::1",
        "[::g]",
        "http://one.test",
        "one.test;x",
        "one_%zz.test",
        "one<.test",
        "one\".test",
        "one.test\tx",
    ] {
        requests.push(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    }
    let mut tally = Tally::new();
    for request in requests {
        let response = RawClient::once(gateway.address(), &request).await;
        tally.check(&request, response.is_problem(400), &response);
    }
    tally.equal("requests at the origins", one.requests().len() + two.requests().len(), 0);
    tally.finish(39);
}

#[tokio::test]
async fn connect_is_405_and_an_unknown_expectation_417() {
    let Two { one, two, gateway } = two_hosts().await;
    let mut tally = Tally::new();
    for (request, status) in [
        ("CONNECT one.test:443 HTTP/1.1\r\nHost: one.test:443\r\n\r\n", 405),
        ("CONNECT one.test:443 HTTP/1.1\r\nHost: one.test\r\n\r\n", 405),
        ("CONNECT one.test HTTP/1.1\r\nHost: one.test\r\n\r\n", 405),
        ("POST / HTTP/1.1\r\nHost: one.test\r\nContent-Length: 1\r\nExpect: 200-ok\r\n\r\n", 417),
        ("POST / HTTP/1.1\r\nHost: one.test\r\nContent-Length: 1\r\nExpect: 100-continue, x\r\n\r\n", 417),
        ("GET / HTTP/1.1\r\nHost: one.test\r\nExpect: x\r\n\r\n", 417),
    ] {
        let response = RawClient::once(gateway.address(), request).await;
        tally.check(request, response.is_problem(status), &response);
    }
    tally.equal("requests at the origins", one.requests().len() + two.requests().len(), 0);
    tally.finish(7);
}

#[tokio::test]
async fn nothing_is_tunnelled_after_connect() {
    let Two { one, two, gateway } = two_hosts().await;
    let mut client = RawClient::connect(gateway.address()).await;
    let response = client.exchange("CONNECT one.test:443 HTTP/1.1\r\nHost: one.test:443\r\n\r\nhidden").await;
    assert!(response.is_problem(405), "{response:?}");
    // Whatever follows is read as HTTP or not at all.
    let (rest, closed) = client.read_to_end(harness::PATIENCE).await;
    assert!(closed && !rest.starts_with(b"HTTP/1.1 2"), "{:?}", String::from_utf8_lossy(&rest));
    assert_eq!(one.accepted() + two.accepted(), 0);
}
