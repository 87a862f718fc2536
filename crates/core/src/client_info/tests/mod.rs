//! Who the client is, case by case.

mod properties;

use super::*;

/// What the layer makes of these headers, whose values may be any bytes.
fn read(layer: &ClientInfoLayer, peer: &str, headers: &[(&'static str, impl AsRef<[u8]>)]) -> ClientInfo {
    let peer: SocketAddr = format!("{peer}:1000").parse().expect("an address");
    let record = RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, peer))));
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(*name, HeaderValue::from_bytes(value.as_ref()).expect("a value"));
    }
    layer.0.read(&record, &map, &Extensions::new()).expect("the peer is known")
}

#[test]
fn the_client_is_the_rightmost_untrusted_hop() {
    let layer = ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network"));
    let client = |peer, headers: &[(_, &str)]| read(&layer, peer, headers).address().to_string();
    assert_eq!(client("192.0.2.1", &[("x-forwarded-for", "203.0.113.9")]), "192.0.2.1");
    assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 203.0.113.9")]), "203.0.113.9");
    assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.1.1.1")]), "203.0.113.9");
    assert_eq!(
        client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9:4711")]),
        "203.0.113.9"
    );
    assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, evil, 10.1.1.1")]), "10.1.1.1");
    assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "[2001:db8::1]:80")]), "2001:db8::1");
    assert_eq!(client("10.0.0.1", &[("forwarded", "for=6.6.6.6")]), "10.0.0.1");
    assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
}

#[test]
fn a_trusted_peer_cannot_vouch_for_a_client_that_it_does_not_know() {
    let layer = ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network"));
    let peer: SocketAddr = "10.0.0.1:1000".parse().expect("an address");
    let connection = ConnectionInfo::new(peer, peer).with_unknown_client();
    let record = RequestRecord::new(Some(Arc::new(connection)));
    let headers = HeaderMap::from_iter([(
        http::HeaderName::from_static("x-forwarded-for"),
        HeaderValue::from_static("6.6.6.6"),
    )]);
    let client = layer.0.read(&record, &headers, &Extensions::new()).expect("the peer is known");
    assert!(!client.is_peer_trusted() && !client.is_address_known());
    assert_eq!((client.address(), client.peer()), (peer.ip(), peer));
    let known = RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, peer))));
    let client =
        ClientInfoLayer::new().0.read(&known, &headers, &Extensions::new()).expect("the peer is known");
    assert!(client.is_address_known(), "a peer that is no proxy is the client");
}

/// What the layer has written down of a request without a connection of ours.
async fn written(
    layer: &ClientInfoLayer,
    request: Request<()>,
) -> (Option<ClientInfo>, Option<HeaderValue>, HeaderMap) {
    let inner = tower::service_fn(async |request: Request<()>| Ok::<_, std::convert::Infallible>(request));
    let request = tower::ServiceExt::oneshot(layer.layer(inner), request).await.expect("it answers");
    let record = RequestRecord::of(request.extensions()).expect("a record");
    let (client, host) = record.with_layers(|summary, layers| {
        assert!(layers.claims_removed);
        (summary.client, summary.host.clone())
    });
    (client, host, request.into_parts().0.headers)
}

#[tokio::test]
async fn under_another_server_the_peer_is_where_the_program_says() {
    let peer: SocketAddr = "[::ffff:10.0.0.1]:1000".parse().expect("an address");
    let layer = ClientInfoLayer::new()
        .trust("10.0.0.0/8".parse().expect("a network"))
        .peer_from(|extensions| extensions.get::<SocketAddr>().copied());
    let request = |extension: Option<SocketAddr>, uri: &str| {
        let mut request =
            Request::get(uri).header("host", "b.example").header("x-forwarded-for", "203.0.113.9");
        if let Some(extension) = extension {
            request = request.extension(extension);
        }
        request.body(()).expect("a request")
    };
    let (client, host, headers) = written(&layer, request(Some(peer), "/")).await;
    let client = client.expect("the peer is known");
    assert_eq!(
        (client.peer().to_string(), client.address().to_string()),
        ("10.0.0.1:1000".into(), "203.0.113.9".into())
    );
    assert_eq!(host.expect("a host"), "b.example");
    assert!(headers.contains_key("x-forwarded-for"));
    // The authority of an absolute target goes before the field; and nobody is believed whom nobody knows.
    let (client, host, headers) = written(&layer, request(None, "http://a.example:81/")).await;
    assert_eq!((client, host.expect("a host")), (None, HeaderValue::from_static("a.example:81")));
    assert!(!headers.contains_key("x-forwarded-for"));
}

#[test]
fn readiness_is_the_inner_services() {
    let (mut service, mut handle) = tower_test::mock::spawn_layer::<Request<()>, (), _>(ClientInfoLayer::new());
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let shown = format!("{:?}", ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network")));
    assert!(shown.contains("10.0.0.0/8"), "{shown}");
    let shown = format!("{:?}", ClientInfoLayer::new().layer("inner"));
    assert!(shown.contains("inner"), "{shown}");
}

#[test]
fn forwarded_is_read_when_it_is_the_one_believed() {
    let layer = ClientInfoLayer::new()
        .trust("::ffff:10.0.0.1".parse().expect("an address"))
        .forwarded_by(ForwardedBy::Forwarded);
    let headers =
        [("forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:4711\";proto=https"), ("x-forwarded-for", "6.6.6.6")];
    let client = read(&layer, "10.0.0.1", &headers);
    assert_eq!(client.address().to_string(), "2001:db8::7");
    assert!(client.is_secure() && client.is_peer_trusted());
}

/// The client that the elements name, and whether its address is its own.
fn client(header: ForwardedBy, lines: &[&[u8]]) -> (String, bool) {
    let layer = ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network")).forwarded_by(header);
    let name = match header {
        ForwardedBy::XForwardedFor => "x-forwarded-for",
        ForwardedBy::Forwarded => "forwarded",
    };
    let headers: Vec<_> = lines.iter().map(|line| (name, line)).collect();
    let info = read(&layer, "10.0.0.1", &headers);
    (info.address().to_string(), info.is_address_known())
}

#[test]
fn an_element_of_x_forwarded_for_decides_about_itself_alone() {
    const PROXY: &str = "10.0.0.1";
    for (lines, address, known) in [
        // The client's own part holds bytes that are no text, and the proxy's part is read all the same.
        (&[&b"\xff, 203.0.113.9"[..]][..], "203.0.113.9", true),
        (&[b"\xff\xfe,203.0.113.9"], "203.0.113.9", true),
        (&[b"6.6.6.6\xff", b"203.0.113.9"], "203.0.113.9", true),
        (&[b"a\tb, \"6.6.6.6, 203.0.113.9, 10.9.9.9"], "203.0.113.9", true),
        // The proxy's own part cannot be read: nobody knows the client, whoever stands before it.
        (&[b"203.0.113.9\xff"], PROXY, false),
        (&[b"6.6.6.6, \xff"], PROXY, false),
        (&[b"6.6.6.6, \xff, 10.9.9.9"], "10.9.9.9", false),
        (&[b"6.6.6.6", b"203.0.113.9\xff"], PROXY, false),
        // Empty elements are none.
        (&[b"203.0.113.9,"], "203.0.113.9", true),
        (&[b"203.0.113.9, ,\t,", b"", b" , "], "203.0.113.9", true),
        (&[b",203.0.113.9,,10.9.9.9"], "203.0.113.9", true),
        (&[b", ,"], PROXY, true),
        (&[b""], PROXY, true),
        // All lines are one list.
        (&[b"6.6.6.6", b"7.7.7.7, 203.0.113.9", b"10.9.9.9", b"10.8.8.8"], "203.0.113.9", true),
        (&[b"10.9.9.9", b"10.8.8.8"], "10.9.9.9", true),
        // Ports, brackets, zones.
        (&[b"203.0.113.9:1"], "203.0.113.9", true),
        (&[b"203.0.113.9:99999"], "203.0.113.9", true),
        (&[b"2001:db8::7"], "2001:db8::7", true),
        (&[b"[2001:db8::7]"], "2001:db8::7", true),
        (&[b"[2001:db8::7]:65535"], "2001:db8::7", true),
        (&[b"fe80::7%eth0"], "fe80::7", true),
        (&[b"[fe80::7%25eth0]:80"], "fe80::7", true),
        (&[b"::ffff:203.0.113.9"], "203.0.113.9", true),
        (&[b"[::ffff:203.0.113.9]:80"], "203.0.113.9", true),
        (&[b"6.6.6.6, ::ffff:10.9.9.9"], "6.6.6.6", true),
        // Those that name no address.
        (&[b"6.6.6.6, unknown"], PROXY, false),
        (&[b"6.6.6.6, _hidden"], PROXY, false),
        (&[b"6.6.6.6, -"], PROXY, false),
        (&[b"6.6.6.6, 203.0.113"], PROXY, false),
        (&[b"6.6.6.6, 203.0.113.009"], PROXY, false),
        (&[b"6.6.6.6, 203.0.113.9 7.7.7.7"], PROXY, false),
        (&[b"6.6.6.6, 203.0.113.9:"], PROXY, false),
        (&[b"6.6.6.6, 203.0.113.9:123456"], PROXY, false),
        (&[b"6.6.6.6, 203.0.113.9:+1"], PROXY, false),
        (&[b"6.6.6.6, :80"], PROXY, false),
        (&[b"6.6.6.6, [203.0.113.9]"], PROXY, false),
        (&[b"6.6.6.6, [2001:db8::7"], PROXY, false),
        (&[b"6.6.6.6, [2001:db8::7]80"], PROXY, false),
        (&[b"6.6.6.6, [2001:db8::7]:"], PROXY, false),
        (&[b"6.6.6.6, 2001:db8::7%"], PROXY, false),
        (&[b"6.6.6.6, 2001:db8::7%a b"], PROXY, false),
        (&[b"6.6.6.6, 203.0.113.9%eth0"], PROXY, false),
        (&[b"6.6.6.6, for=203.0.113.9"], PROXY, false),
    ] {
        let shown: Vec<_> = lines.iter().map(|line| line.escape_ascii().to_string()).collect();
        let expected = (address.to_owned(), known);
        assert_eq!(client(ForwardedBy::XForwardedFor, lines), expected, "{shown:?}");
    }
}

#[test]
fn an_element_of_forwarded_decides_about_itself_alone() {
    const PROXY: &str = "10.0.0.1";
    for (lines, address, known) in [
        (&[&b"for=203.0.113.9"[..]][..], "203.0.113.9", true),
        (&[b"FOR=203.0.113.9;Proto=https"], "203.0.113.9", true),
        (&[b"by=10.9.9.9; for=\"203.0.113.9:80\" ;proto=http"], "203.0.113.9", true),
        // A comma in quotes ends no element.
        (&[b"for=203.0.113.9;host=\"a,for=6.6.6.6\""], "203.0.113.9", true),
        (&[b"for=203.0.113.9;host=\"a,for=6.6.6.6;x=\";y=\"b\""], "203.0.113.9", true),
        (&[b"host=\"a,for=6.6.6.6,b\";for=203.0.113.9, for=10.9.9.9"], "203.0.113.9", true),
        (&[b"for=6.6.6.6, host=\", ,\";for=203.0.113.9, ,"], "203.0.113.9", true),
        // Escapes (RFC 9110, section 5.6.4).
        (&[b"for=203.0.113.9;host=\"a\\\",for=6.6.6.6\""], "203.0.113.9", true),
        (&[b"for=203.0.113.9;host=\"a\\\\\""], "203.0.113.9", true),
        (&[b"for=\"203\\.0.113.\\9\""], "203.0.113.9", true),
        // What a client left open ends with its own element.
        (&[b"for=\"6.6.6.6, for=203.0.113.9"], "203.0.113.9", true),
        (&[b"for=\"6.6.6.6, for=\"[2001:db8::7]:80\""], "2001:db8::7", true),
        (&[b"for=6.6.6.6;host=\"\\, for=203.0.113.9;host=\"b\""], "203.0.113.9", true),
        (&[b"for=\"6.6.6.6", b"for=203.0.113.9"], "203.0.113.9", true),
        (&[b"\xff\", for=203.0.113.9, for=10.9.9.9"], "203.0.113.9", true),
        (&[b"%;=,\"\", for=203.0.113.9"], "203.0.113.9", true),
        // The proxy's own element cannot be read.
        (&[b"for=6.6.6.6, for=\"203.0.113.9"], PROXY, false),
        (&[b"for=6.6.6.6, for=203.0.113.9\""], PROXY, false),
        (&[b"for=6.6.6.6, for=\"203.0.113.9\"x"], PROXY, false),
        (&[b"for=6.6.6.6, for=\"203.0.113.9\\\""], PROXY, false),
        (&[b"for=6.6.6.6, for=203.0.113.9\xff"], PROXY, false),
        (&[b"for=6.6.6.6, for"], PROXY, false),
        (&[b"for=6.6.6.6, for="], PROXY, false),
        (&[b"for=6.6.6.6, for = 203.0.113.9"], PROXY, false),
        (&[b"for=6.6.6.6, =203.0.113.9"], PROXY, false),
        (&[b"for=6.6.6.6, for=203.0.113.9;for=7.7.7.7"], PROXY, false),
        (&[b"for=6.6.6.6, for=203.0.113.9;FOR=203.0.113.9"], PROXY, false),
        (&[b"for=6.6.6.6, for=203.0.113.9 7.7.7.7"], PROXY, false),
        // Those that name no address.
        (&[b"for=6.6.6.6, for=unknown"], PROXY, false),
        (&[b"for=6.6.6.6, for=_hidden, for=10.9.9.9"], "10.9.9.9", false),
        (&[b"for=6.6.6.6, for=\"_hidden:_port\""], PROXY, false),
        (&[b"for=6.6.6.6, proto=https"], PROXY, false),
        (&[b"for=6.6.6.6, ;"], PROXY, false),
        // Empty elements and empty pairs are none, and all lines are one list.
        (&[b",for=203.0.113.9;, ,"], "203.0.113.9", true),
        (&[b"for=6.6.6.6", b";for=203.0.113.9;;proto=http", b" , ", b"for=10.9.9.9"], "203.0.113.9", true),
        (&[b" ,, "], PROXY, true),
        // Ports that are hidden, and addresses that should have been quoted.
        (&[b"for=\"203.0.113.9:_x.y-z\""], "203.0.113.9", true),
        (&[b"for=203.0.113.9:80"], "203.0.113.9", true),
        (&[b"for=[2001:db8::7]:80;by=_a"], "2001:db8::7", true),
        (&[b"for=\"203.0.113.9:_\""], PROXY, false),
    ] {
        let shown: Vec<_> = lines.iter().map(|line| line.escape_ascii().to_string()).collect();
        let expected = (address.to_owned(), known);
        assert_eq!(client(ForwardedBy::Forwarded, lines), expected, "{shown:?}");
    }
}

#[test]
fn the_last_proxy_says_whether_the_client_spoke_tls() {
    let trusting = ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network"));
    let rfc7239 = trusting.clone().forwarded_by(ForwardedBy::Forwarded);
    for (layer, name, value, secure) in [
        (&trusting, "x-forwarded-proto", &b"\xff, https"[..], true),
        (&trusting, "x-forwarded-proto", b"http, HTTPS, ,", true),
        (&trusting, "x-forwarded-proto", b"https, http", false),
        (&trusting, "x-forwarded-proto", b"https, \xff", false),
        (&trusting, "forwarded", b"proto=https", false),
        (&rfc7239, "forwarded", b"proto=http;host=\"\xff\", proto=\"https\";for=203.0.113.9", true),
        (&rfc7239, "forwarded", b"proto=https, for=203.0.113.9;host=\",proto=https\"", false),
        (&rfc7239, "forwarded", b"proto=https;proto=https", false),
        (&rfc7239, "x-forwarded-proto", b"https", false),
    ] {
        let info = read(layer, "10.0.0.1", &[(name, value)]);
        assert_eq!(info.is_secure(), secure, "{name}: {}", value.escape_ascii());
    }
}
