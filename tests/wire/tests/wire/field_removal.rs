//! Fields that end at the gateway: hop-by-hop ones, and claims of who the client is (RFC 9110, section 7.6.1).

use std::net::SocketAddr;

use harness::{Fields, Gateway, H2Client, H2Origin, Origin, RawClient, Reply, Request, Tally};

/// What a client writes into a field that must not arrive.
const LEAK: &str = "leak";

/// Claims of who the client is, or by which way it came.
const CLAIMS: [&str; 24] = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Forwarded-Scheme",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Groups",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Anything-New",
    "X-Real-IP",
    "X-Client-IP",
    "True-Client-IP",
    "X-User",
    "X-User-Id",
    "X-Remote-User",
    "Remote-User",
    "X-Authenticated-User",
    "X-Auth-Request-User",
    "X-Original-URL",
    "X-Rewrite-URL",
];

/// Fields that belong to one connection.
const HOP_BY_HOP: [&str; 7] = [
    "Keep-Alive",
    "Proxy-Connection",
    "Proxy-Authorization",
    "Proxy-Authenticate",
    "TE",
    "Upgrade",
    "HTTP2-Settings",
];

/// The ways to write a name that a service might read as that name.
fn aliases(name: &str) -> Vec<String> {
    let mut aliases = vec![name.to_owned(), name.to_uppercase(), name.to_lowercase()];
    if name.contains('-') {
        aliases.extend([name.replace('-', "_"), name.replace('-', "."), name.replacen('-', "_", 1)]);
        aliases.push(name.replace('-', "_").to_uppercase());
    }
    aliases
}

fn leaks(fields: &Fields) -> Vec<(&str, &str)> {
    fields.iter().filter(|(_, value)| value.contains(LEAK)).collect()
}

enum Recorder {
    Http1(Origin),
    Http2(H2Origin),
}

impl Recorder {
    async fn both() -> [Self; 2] {
        [Self::Http1(Origin::ok().await), Self::Http2(H2Origin::answering(|_| Reply::text("ok")).await)]
    }

    fn gateway(&self, more: &str) -> Gateway {
        self.gateway_with(more, "")
    }

    /// A gateway of these sections, whose route has these lines more.
    fn gateway_with(&self, more: &str, route: &str) -> Gateway {
        let (address, protocol): (SocketAddr, _) = match self {
            Self::Http1(origin) => (origin.address(), "http1"),
            Self::Http2(origin) => (origin.address(), "http2"),
        };
        Gateway::builder(&format!(
            "{more}routes:\n- path_prefix: /\n  upstream: {{target: \"{address}\", protocol: {protocol}}}\n{route}"
        ))
        .start()
    }

    fn take_requests(&self) -> Vec<Request> {
        match self {
            Self::Http1(origin) => origin.take_requests(),
            Self::Http2(origin) => origin.take_requests(),
        }
    }
}

#[tokio::test]
async fn no_claim_of_a_client_arrives_under_any_alias() {
    let mut tally = Tally::new();
    let recorders = Recorder::both().await;
    for (recorder, names) in recorders.iter().flat_map(|recorder| [(recorder, "drop"), (recorder, "pass")]) {
        let gateway = recorder.gateway(&format!("client_limits: {{header_names: {names}}}\n"));
        let mut over_http2 = H2Client::connect(gateway.address()).await;
        for alias in CLAIMS.iter().flat_map(|name| aliases(name)) {
            let request = format!("GET / HTTP/1.1\r\nHost: x\r\n{alias}: {LEAK}\r\n\r\n");
            let status = RawClient::once(gateway.address(), request).await.status();
            let seen = recorder.take_requests();
            tally.check(format!("{alias} over HTTP/1.1"), leaked(status, &seen), (status, &seen));

            let request = http::Request::get("http://x/").header(&alias, LEAK).body("").unwrap();
            let status = match over_http2.exchange(request).await {
                Ok(response) => response.status(),
                Err(error) => panic!("{alias} over HTTP/2: {error}"),
            };
            let seen = recorder.take_requests();
            tally.check(format!("{alias} over HTTP/2"), leaked(status, &seen), (status, &seen));
        }
    }
    tally.finish(600);
}

/// The request arrives, and only loses its field.
fn leaked(status: u16, seen: &[Request]) -> bool {
    matches!(seen, [request] if status == 200 && leaks(&request.head.fields).is_empty())
}

#[tokio::test]
async fn no_claim_arrives_in_trailers() {
    let mut tally = Tally::new();
    let framing = ["Content-Length", "Transfer-Encoding", "Connection", "Host"];
    for recorder in Recorder::both().await {
        let gateway = recorder.gateway("");
        let mut over_http2 = H2Client::connect(gateway.address()).await;
        let plain = HOP_BY_HOP.iter().chain(&framing).map(|name| (*name).to_owned());
        for alias in CLAIMS.iter().flat_map(|name| aliases(name)).chain(plain) {
            let request = format!(
                "POST /1/{alias} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: {alias}, X-Sum\r\n\r\n\
                 3\r\nabc\r\n0\r\n{alias}: {LEAK}\r\nX-Sum: 1\r\n\r\n"
            );
            let status = RawClient::once(gateway.address(), request).await.status();
            let seen = recorder.take_requests();
            let fine = only_the_sum_arrived(status, &seen, &format!("/1/{alias}"));
            tally.check(format!("{alias} over HTTP/1.1"), fine, (status, &seen));

            let mut trailers = http::HeaderMap::new();
            trailers.insert(alias.parse::<http::HeaderName>().unwrap(), LEAK.parse().unwrap());
            trailers.insert("x-sum", "1".parse().unwrap());
            let request = http::Request::post(format!("http://x/2/{alias}")).header("trailer", "x-sum");
            // What HTTP/2 itself forbids is never sent: the stream is reset.
            let sent = over_http2.exchange_with_trailers(request.body("abc").unwrap(), Some(trailers)).await;
            let status = sent.map_or(400, |response| response.status());
            let seen = recorder.take_requests();
            let fine = only_the_sum_arrived(status, &seen, &format!("/2/{alias}"));
            tally.check(format!("{alias} over HTTP/2"), fine, (status, &seen));
        }
    }
    tally.finish(600);
}

/// Nothing leaked, and this request arrived whole with its other trailer, or was refused and did not.
fn only_the_sum_arrived(status: u16, seen: &[Request], target: &str) -> bool {
    // A request that was refused half-way may be seen later than its refusal.
    let whole = seen.iter().find(|request| request.target() == target && request.complete);
    let arrived = match whole {
        Some(request) => status == 200 && request.trailers.get("x-sum") == Some("1"),
        None => status == 400,
    };
    arrived && seen.iter().all(|request| leaks(&request.trailers).is_empty())
}

/// What has to be known before the content: it never trails (RFC 9110, section 6.5.1).
const NEVER_TRAILERS: [&str; 31] = [
    "Content-Length",
    "Trailer",
    "Forwarded",
    "Host",
    "Max-Forwards",
    "Via",
    "Cache-Control",
    "Expect",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
    "Pragma",
    "Range",
    "Authorization",
    "Cookie",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Set-Cookie",
    "WWW-Authenticate",
    "Age",
    "Date",
    "Expires",
    "Location",
    "Retry-After",
    "Vary",
    "Warning",
    "Content-Encoding",
    "Content-Range",
    "Content-Type",
];

/// Fields by which a service may act by another method.
const METHOD_OVERRIDES: [&str; 3] = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"];

#[tokio::test]
async fn no_field_trails_a_request_that_has_to_be_known_before_its_content() {
    let mut tally = Tally::new();
    for recorder in Recorder::both().await {
        let gateway = recorder.gateway("");
        let mut over_http2 = H2Client::connect(gateway.address()).await;
        let overrides = METHOD_OVERRIDES.iter().flat_map(|name| aliases(name));
        for name in NEVER_TRAILERS.iter().map(|name| (*name).to_owned()).chain(overrides) {
            let request = format!(
                "POST /1/{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: {name}, X-Sum\r\n\r\n\
                 3\r\nabc\r\n0\r\n{name}: {LEAK}\r\nX-Sum: 1\r\n\r\n"
            );
            let status = RawClient::once(gateway.address(), request).await.status();
            let seen = recorder.take_requests();
            let fine = only_the_sum_arrived(status, &seen, &format!("/1/{name}"));
            tally.check(format!("{name} over HTTP/1.1"), fine, (status, &seen));

            let mut trailers = http::HeaderMap::new();
            trailers.insert(name.parse::<http::HeaderName>().unwrap(), LEAK.parse().unwrap());
            trailers.insert("x-sum", "1".parse().unwrap());
            let request = http::Request::post(format!("http://x/2/{name}")).body("abc").unwrap();
            let sent = over_http2.exchange_with_trailers(request, Some(trailers)).await;
            let status = sent.map_or(400, |response| response.status());
            let seen = recorder.take_requests();
            let fine = only_the_sum_arrived(status, &seen, &format!("/2/{name}"));
            tally.check(format!("{name} over HTTP/2"), fine, (status, &seen));
        }
    }
    tally.finish(180);
}

/// A field that a rewrite sets or removes is none of the client's, in the head or after the body.
#[tokio::test]
async fn no_field_trails_a_request_that_a_rewrite_takes_out_of_its_head() {
    let mut tally = Tally::new();
    let rewrite = "  rewrite: {request_headers: {remove: [X-Debug], set: {X-Plan: free}, add: {X-Tag: new}}}\n";
    for recorder in Recorder::both().await {
        let gateway = recorder.gateway_with("", rewrite);
        for name in ["X-Debug", "x-debug", "X-PLAN", "x-plan"] {
            let request = format!(
                "POST /{name} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{name}: {LEAK}\r\n\r\n\
                 3\r\nabc\r\n0\r\n{name}: {LEAK}\r\nX-Sum: 1\r\nX-Tag: theirs\r\n\r\n"
            );
            let status = RawClient::once(gateway.address(), request).await.status();
            let seen = recorder.take_requests();
            let fine = only_the_sum_arrived(status, &seen, &format!("/{name}"))
                && seen.iter().all(|request| {
                    leaks(&request.head.fields).is_empty() && request.trailers.get("x-tag") == Some("theirs")
                });
            tally.check(name, fine, (status, &seen));
        }
    }
    tally.finish(8);
}

#[tokio::test]
async fn no_field_trails_a_response_that_has_to_be_known_before_its_content() {
    let mut tally = Tally::new();
    for name in NEVER_TRAILERS {
        let names = format!("{name}, x-sum, grpc-status");
        let reply = move |_: &Request| {
            Reply::text("ok")
                .field("trailer", &names)
                .trailer(&name.to_lowercase(), LEAK)
                .trailer("x-sum", "1")
                .trailer("grpc-status", "0")
        };
        let (http1, http2) = (Origin::answering(reply.clone()).await, H2Origin::answering(reply).await);
        for (address, protocol) in [(http1.address(), "http1"), (http2.address(), "http2")] {
            let route =
                format!("- path_prefix: /\n  upstream: {{target: \"{address}\", protocol: {protocol}}}\n");
            let gateway = Gateway::with_routes(&route);
            let request = "GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: TE\r\n\r\n";
            let over_http1 = RawClient::once(gateway.address(), request).await;
            let request = http::Request::get("http://x/").header("te", "trailers").body("").unwrap();
            let over_http2 = H2Client::connect(gateway.address()).await.exchange(request).await;
            for (client, response) in [("HTTP/1.1", Ok(over_http1)), ("HTTP/2", over_http2)] {
                let case = format!("{name} from {protocol} over {client}");
                match response {
                    Ok(response) => {
                        let trailers: Vec<_> = response.trailers.iter().collect();
                        let mut expected = vec![("x-sum", "1"), ("grpc-status", "0")];
                        // An HTTP/2 origin may write no field of a connection: the response breaks off.
                        let fine = match response.complete {
                            true => {
                                expected.retain(|field| trailers.contains(field));
                                expected.len() == 2 && trailers.len() == 2
                            }
                            false => protocol == "http2" && leaks(&response.trailers).is_empty(),
                        };
                        tally.check(case, fine, response);
                    }
                    Err(error) => tally.check(case, protocol == "http2", error),
                }
            }
        }
    }
    tally.finish(120);
}

#[tokio::test]
async fn what_overrides_the_method_arrives_only_where_a_route_lets_it() {
    let mut tally = Tally::new();
    for recorder in Recorder::both().await {
        for (route, pass) in
            [("", false), ("  method_override: remove\n", false), ("  method_override: pass\n", true)]
        {
            let gateway = recorder.gateway_with("client_limits: {header_names: pass}\n", route);
            let mut over_http2 = H2Client::connect(gateway.address()).await;
            for name in METHOD_OVERRIDES.iter().flat_map(|name| aliases(name)) {
                let request = format!("POST /p?_method=GET HTTP/1.1\r\nHost: x\r\n{name}: {LEAK}\r\n\r\n");
                let over_http1 = RawClient::once(gateway.address(), request).await.status();
                let request =
                    http::Request::post("http://x/p?_method=GET").header(&name, LEAK).body("").unwrap();
                let over_http2 = over_http2.exchange(request).await.unwrap().status();
                let seen = recorder.take_requests();
                let fine = seen.len() == 2
                    && seen.iter().all(|seen| {
                        seen.target() == "/p?_method=GET"
                            && seen.method() == "POST"
                            && leaks(&seen.head.fields).len() == usize::from(pass)
                    });
                tally.check(
                    format!("{name}, {route}"),
                    (over_http1, over_http2, fine) == (200, 200, true),
                    seen,
                );
            }
        }
    }
    tally.finish(80);
}

#[tokio::test]
async fn what_belongs_to_the_clients_connection_does_not_arrive() {
    let mut tally = Tally::new();
    let mut cases: Vec<(String, String)> = HOP_BY_HOP
        .iter()
        .flat_map(|name| [name.to_string(), name.to_lowercase()])
        .map(|name| (format!("Connection: {name}"), name))
        .collect();
    cases.extend(HOP_BY_HOP.iter().map(|name| ("Accept: */*".to_owned(), name.to_string())));
    for connection in [
        "Connection: X-Secret",
        "connection: x-secret",
        "Connection: close, X-Secret",
        "Connection: keep-alive,X-SECRET",
        "Connection: \tX-Secret ,",
        "Connection: close\r\nConnection: X-Secret",
        "Connection: upgrade, X-Secret",
    ] {
        cases.push((connection.to_owned(), "X-Secret".to_owned()));
    }
    for recorder in Recorder::both().await {
        let gateway = recorder.gateway("");
        for (connection, name) in &cases {
            let request =
                format!("GET / HTTP/1.1\r\nHost: x\r\n{connection}\r\n{name}: {LEAK}\r\nX-Stays: 1\r\n\r\n");
            let status = RawClient::once(gateway.address(), request).await.status();
            let seen = recorder.take_requests();
            let fine = match seen.as_slice() {
                [request] => {
                    let fields = &request.head.fields;
                    leaks(fields).is_empty()
                        && fields.get("x-stays") == Some("1")
                        && !fields.all("connection").join(",").to_lowercase().contains(&name.to_lowercase())
                }
                _ => false,
            };
            tally.check(format!("{connection} / {name}"), status == 200 && fine, (status, seen));
        }
    }
    tally.finish(50);
}

#[tokio::test]
async fn a_client_cannot_nominate_away_what_the_gateway_adds() {
    for recorder in Recorder::both().await {
        let gateway = recorder.gateway("");
        let plain = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Type: a/b\r\n\r\nabc";
        assert_eq!(RawClient::once(gateway.address(), plain).await.status(), 200);
        let [plain] = recorder.take_requests().try_into().unwrap();
        let nominating = plain_with_nominations();
        assert_eq!(RawClient::once(gateway.address(), nominating).await.status(), 200);
        let [seen] = recorder.take_requests().try_into().unwrap();
        assert_eq!((seen.target(), seen.body.as_slice(), seen.complete), ("/p", &b"abc"[..], true));
        for name in plain.head.fields.iter().map(|(name, _)| name).filter(|name| *name != "connection") {
            assert!(seen.header(name).is_some(), "{name} is gone: {:?}", seen.head);
        }
    }
}

fn plain_with_nominations() -> &'static str {
    "POST /p HTTP/1.1\r\nHost: x\r\nConnection: Host, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, \
     X-Real-IP, Forwarded, X-Request-Id, Traceparent, Content-Length, Via\r\nContent-Length: 3\r\n\
     Content-Type: a/b\r\n\r\nabc"
}

#[tokio::test]
async fn the_gateway_says_who_the_client_is() {
    for recorder in Recorder::both().await {
        let gateway = recorder.gateway("");
        let request =
            "GET / HTTP/1.1\r\nHost: shop.test\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\n\r\n";
        assert_eq!(RawClient::once(gateway.address(), request).await.status(), 200);
        let [seen] = recorder.take_requests().try_into().unwrap();
        assert_eq!(seen.head.fields.all("x-forwarded-for"), ["127.0.0.1"], "{:?}", seen.head);
        assert_eq!(seen.head.fields.all("x-forwarded-proto"), ["http"]);
        assert_eq!(seen.head.fields.all("x-forwarded-host"), ["shop.test"]);
    }
}

#[tokio::test]
async fn a_trusted_proxy_speaks_for_the_client_but_not_for_who_it_is() {
    for recorder in Recorder::both().await {
        let gateway = recorder.gateway("trusted_proxies: [127.0.0.1]\n");
        let request = "GET / HTTP/1.1\r\nHost: inner.test\r\nX-Forwarded-For: 6.6.6.6, 203.0.113.9\r\n\
                       X-Forwarded-Proto: https\r\nX-Forwarded-Host: shop.test\r\nX-User-Id: leak\r\n\r\n";
        assert_eq!(RawClient::once(gateway.address(), request).await.status(), 200);
        let [seen] = recorder.take_requests().try_into().unwrap();
        let hops = seen.head.fields.all("x-forwarded-for").join(", ");
        assert_eq!(hops, "6.6.6.6, 203.0.113.9, 127.0.0.1");
        assert_eq!(seen.head.fields.all("x-forwarded-proto"), ["https"]);
        assert_eq!(seen.head.fields.all("x-forwarded-host"), ["shop.test"]);
        assert!(leaks(&seen.head.fields).is_empty(), "{:?}", seen.head);
        assert_eq!(gateway.access_log(1).await[0]["client"], "203.0.113.9");
    }
}

#[tokio::test]
async fn what_belongs_to_the_origins_connection_does_not_come_back() {
    let origin = Origin::answering(|_| {
        Reply::text("ok")
            .field("Connection", "X-Hop, keep-alive")
            .field("Keep-Alive", "timeout=5, leak")
            .field("X-Hop", LEAK)
            .field("Proxy-Connection", LEAK)
            .field("Upgrade", LEAK)
            .field("X-Stays", "1")
    })
    .await;
    let gateway = Gateway::to(origin.address());
    let over_http1 = RawClient::once(gateway.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let request = http::Request::get("http://x/").body("").unwrap();
    let over_http2 = H2Client::connect(gateway.address()).await.exchange(request).await.unwrap();
    for response in [over_http1, over_http2] {
        assert_eq!((response.status(), response.header("x-stays")), (200, Some("1")));
        assert!(leaks(&response.head.fields).is_empty(), "{:?}", response.head);
    }
}

#[tokio::test]
async fn trailers_of_a_response_come_back_on_every_path() {
    let reply = |_: &Request| Reply::text("ok").trailer("x-sum", "1").trailer("x-more", "2");
    // Over HTTP/2 nothing has to announce them; to an HTTP/1.1 client only announced ones can be sent on.
    let announcing = move |request: &Request| reply(request).field("trailer", "x-sum, x-more");
    let (http1, http2) = (Origin::answering(reply).await, H2Origin::answering(announcing).await);
    for (address, protocol) in [(http1.address(), "http1"), (http2.address(), "http2")] {
        let route = format!("- path_prefix: /\n  upstream: {{target: \"{address}\", protocol: {protocol}}}\n");
        let gateway = Gateway::with_routes(&route);
        let request = "GET / HTTP/1.1\r\nHost: x\r\nTE: trailers\r\nConnection: TE\r\n\r\n";
        let over_http1 = RawClient::once(gateway.address(), request).await;
        let request = http::Request::get("http://x/").header("te", "trailers").body("").unwrap();
        let over_http2 = H2Client::connect(gateway.address()).await.exchange(request).await.unwrap();
        for response in [over_http1, over_http2] {
            assert_eq!((response.status(), response.complete), (200, true), "{protocol}: {response:?}");
            assert_eq!(response.trailers.get("x-sum"), Some("1"), "{protocol}: {response:?}");
            assert_eq!(response.trailers.get("x-more"), Some("2"));
        }
    }
}
