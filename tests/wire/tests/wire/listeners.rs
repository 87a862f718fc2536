//! Which listener a request came by, and which scheme its client spoke.

use harness::{Ca, Gateway, Origin, RawClient, Tally};

/// A cleartext listener that sends all to HTTPS, one with TLS, and one within.
fn gateway(ca: &Ca, origin: &Origin, port: &str) -> Gateway {
    let identity = ca.server(&["localhost"]);
    let (cert, key) = (identity.cert.display(), identity.key.display());
    Gateway::builder(&format!(
        "trusted_proxies: [127.0.0.2]\nroutes:\n\
         - {{path_prefix: /, upstream: \"{0}\", scheme: https}}\n\
         - {{path_prefix: /, upstream: \"{0}\", listener: inner, rewrite: {{path: /inner}}}}\n\
         - {{path_prefix: /only/inner, upstream: \"{0}\", listener: inner}}\n",
        origin.address()
    ))
    .listeners(&format!(
        "- {{address: 127.0.0.1:0, name: public, redirect_https: {port}}}\n\
         - {{address: 127.0.0.1:0, name: secure, tls: {{cert: {cert}, key: {key}}}}}\n\
         - {{address: 127.0.0.1:0, name: inner}}\n"
    ))
    .start()
}

#[tokio::test]
async fn clients_of_a_listener_that_says_so_are_sent_to_https() {
    let (ca, origin) = (Ca::new(), Origin::ok().await);
    let gateway = gateway(&ca, &origin, "443");
    let (public, secure, inner) = (gateway.addresses()[0], gateway.addresses()[1], gateway.addresses()[2]);
    let mut tally = Tally::new();
    for (request, location) in [
        ("GET / HTTP/1.1\r\nHost: a.test\r\n", "https://a.test/"),
        ("GET /a/b?c=d HTTP/1.1\r\nHost: a.test\r\n", "https://a.test/a/b?c=d"),
        ("GET /only/inner HTTP/1.1\r\nHost: a.test:8080\r\n", "https://a.test/only/inner"),
        ("POST /x HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n", "https://a.test/x"),
        ("GET //evil.test/x HTTP/1.1\r\nHost: a.test\r\n", "https://a.test//evil.test/x"),
        ("GET /plain/https://x/a.jpg HTTP/1.1\r\nHost: a.test\r\n", "https://a.test/plain/https://x/a.jpg"),
        ("GET /none HTTP/1.1\r\nHost: [::1]:80\r\n", "https://[::1]/none"),
        // It is no trusted proxy that says so.
        ("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-Proto: https\r\n", "https://a.test/"),
    ] {
        let response = RawClient::once(public, format!("{request}\r\n")).await;
        tally.equal(request, (response.status(), response.header("location")), (308, Some(location)));
        tally.check(request, response.header("x-request-id").is_some(), &response);
    }
    for (request, status) in [("GET / HTTP/1.0\r\n\r\n", 400), ("GET /%2e%5c HTTP/1.1\r\nHost: a\r\n\r\n", 400)]
    {
        tally.equal(request, RawClient::once(public, request).await.status(), status);
    }
    tally.equal("requests at the origin", origin.requests().len(), 0);

    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut client = RawClient::connect_tls(secure, ca.trusting_client(&[], None), "localhost").await.unwrap();
    tally.equal("over TLS", client.exchange(get("/a")).await.status(), 200);
    tally.equal("of another listener", client.exchange(get("/only/inner")).await.status(), 200);
    tally.equal("within", RawClient::once(inner, get("/a")).await.status(), 200);
    tally.equal("within alone", RawClient::once(inner, get("/only/inner")).await.status(), 200);
    let targets: Vec<_> = origin.take_requests().iter().map(|seen| seen.target().to_owned()).collect();
    tally.equal("targets", targets, ["/a", "/only/inner", "/inner", "/only/inner"].map(str::to_owned).to_vec());
    let lines = gateway.access_log(14).await;
    tally.equal("lines", lines.iter().filter(|line| line["status"] == 308).count(), 8);
    tally.finish(25);
}

#[tokio::test]
async fn a_port_other_than_443_stands_in_the_location() {
    let (ca, origin) = (Ca::new(), Origin::ok().await);
    let gateway = gateway(&ca, &origin, "8443");
    let response = RawClient::once(gateway.address(), "GET /a HTTP/1.1\r\nHost: a.test:80\r\n\r\n").await;
    assert_eq!((response.status(), response.header("location")), (308, Some("https://a.test:8443/a")));
}
