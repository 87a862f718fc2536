//! Protocols, certificates by name, certificates asked of clients, sessions.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn the_handshake_settles_name_protocol_and_version() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["a.example"], 1));
    let answer =
        get(&server, &authority.client(None, &[b"http/1.1"]), "a.example", "a.example").await.expect("answers");
    assert_eq!(text(&answer), "a.example http/1.1 TLSv1.3 0");
    let answer = get(&server, &authority.client(None, &[]), "a.example", "a.example").await.expect("answers");
    assert_eq!(text(&answer), "a.example - TLSv1.3 0");
    // The server prefers HTTP/2.
    let client = authority.client(None, &[b"http/1.1", b"h2"]);
    let stream = connect(&server, &client, "a.example").await.expect("connects");
    let (send, connection) = h2::client::handshake(stream).await.expect("shakes hands");
    tokio::spawn(connection);
    let request = Request::builder().uri("https://a.example/").body(()).expect("valid");
    let (response, _) = send.ready().await.expect("ready").send_request(request, true).expect("sends");
    let mut body = response.await.expect("answers").into_body();
    assert_eq!(body.data().await.expect("a frame").expect("data"), "a.example h2 TLSv1.3 0");
    // Nothing in common is no connection.
    assert!(connect(&server, &authority.client(None, &[b"spdy/3"]), "a.example").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_is_served_and_framing_is_as_strict() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["a.example"], 1));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("an authority");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("a version")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Arc::new(client);
    let answer = get(&server, &client, "a.example", "a.example").await.expect("answers");
    assert_eq!(text(&answer), "a.example - TLSv1.2 0");
    let mut stream = connect(&server, &client, "a.example").await.expect("connects");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a.example\n\n").await.expect("sends");
    let outcome = finish(&mut stream, Duration::from_secs(2)).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![400], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_chosen_by_name_and_other_names_are_misdirected() {
    let authority = Authority::new();
    let mut builder = TlsConfig::builder();
    for identity in [
        authority.issue(&["first.example", "127.0.0.1"], 1),
        authority.issue(&["*.wild.example", "bare.example"], 2),
        authority.issue(&["special.wild.example"], 3),
    ] {
        builder = builder.certificate_pem(identity.chain, identity.key);
    }
    let server = start(builder.build().expect("valid"));
    let client = authority.client(None, &[]);
    // The client checks the certificate's name, so that a connection proves the choice.
    for name in ["first.example", "x.wild.example", "bare.example", "special.wild.example"] {
        let answer = get(&server, &client, name, name).await.expect(name);
        assert_eq!(answer.status, 200);
    }
    assert!(connect(&server, &client, "x.y.wild.example").await.is_err(), "a wildcard is one label");
    assert!(connect(&server, &client, "unknown.example").await.is_err(), "the default does not have the name");
    for (status, name, host) in MISDIRECTED {
        let answer = get(&server, &client, name, host).await.expect("answers");
        assert_eq!(answer.status, *status, "{host} on a connection for {name}");
    }
    // Over HTTP/2 one connection has them all.
    let client = authority.client(None, &[b"h2"]);
    for (status, name, host) in MISDIRECTED {
        let stream = connect(&server, &client, name).await.expect("connects");
        let (send, connection) = h2::client::handshake(stream).await.expect("shakes hands");
        tokio::spawn(connection);
        let request = Request::builder().uri(format!("https://{host}/")).body(()).expect("valid");
        let (response, _) = send.ready().await.expect("ready").send_request(request, true).expect("sends");
        assert_eq!(response.await.expect("answers").status(), *status, "{host} over HTTP/2 for {name}");
    }
}

/// A status, the name that the connection is for, and the host of the request. A connection to an address has no name.
const MISDIRECTED: &[(u16, &str, &str)] = &[
    (200, "x.wild.example", "X.wild.example:443"),
    (200, "x.wild.example", "x.wild.example."),
    (200, "x.wild.example", "y.wild.example"),
    (200, "x.wild.example", "bare.example"),
    (421, "x.wild.example", "special.wild.example"),
    (421, "special.wild.example", "x.wild.example"),
    (421, "x.wild.example", "x.y.wild.example"),
    (421, "x.wild.example", "first.example"),
    (421, "x.wild.example", "unknown.example"),
    (421, "x.wild.example", "127.0.0.1"),
    (421, "x.wild.example", "[::1]:443"),
    (200, "first.example", "unknown.example"),
    (200, "first.example", "127.0.0.1"),
    (421, "first.example", "bare.example"),
    (421, "first.example", "SPECIAL.wild.example.:443"),
    (200, "127.0.0.1", "127.0.0.1"),
    (200, "127.0.0.1", "first.example"),
    (200, "127.0.0.1", "unknown.example"),
    (421, "127.0.0.1", "bare.example"),
    (421, "127.0.0.1", "x.wild.example"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_misdirected_request_on_http2_leaves_the_connection_open() {
    let authority = Authority::new();
    let (one, two) = (authority.issue(&["one.example"], 1), authority.issue(&["two.example"], 2));
    let tls = TlsConfig::builder().certificate_pem(one.chain, one.key).certificate_pem(two.chain, two.key);
    let server = start(tls.build().expect("valid"));
    let stream = connect(&server, &authority.client(None, &[b"h2"]), "one.example").await.expect("connects");
    let (send, connection) = h2::client::handshake(stream).await.expect("shakes hands");
    tokio::spawn(connection);
    for (status, uri) in
        [(200, "https://one.example/"), (421, "https://two.example/"), (200, "https://one.example/")]
    {
        let request = Request::builder().uri(uri).body(()).expect("valid");
        let (response, _) =
            send.clone().ready().await.expect("ready").send_request(request, true).expect("sends");
        assert_eq!(response.await.expect("answers").status(), status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_asked_for_certificates_as_configured() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let identity = authority.issue(&["a.example"], 1);
    let good = authority.issue(&["client"], 2);
    let expired = authority.issue_with(&["client"], 3, |params| params.not_after = date_time_ymd(2021, 1, 1));
    let foreign = stranger.issue(&["client"], 2);
    for (auth, without, with_foreign) in
        [(ClientAuth::Optional, true, false), (ClientAuth::Required, false, false)]
    {
        let tls = TlsConfig::builder()
            .certificate_pem(identity.chain.clone(), identity.key.clone())
            .client_auth(auth)
            .client_ca_pem(authority.pem())
            .build()
            .expect("valid");
        let server = start(tls);
        let ask = |client: Option<&Identity>| {
            let client = authority.client(client, &[]);
            let server = &server;
            async move { get(server, &client, "a.example", "a.example").await }
        };
        assert_eq!(text(&ask(Some(&good)).await.expect("answers")), "a.example - TLSv1.3 1");
        assert_eq!(ask(None).await.is_ok(), without);
        assert_eq!(ask(Some(&foreign)).await.is_ok(), with_foreign);
        assert!(ask(Some(&expired)).await.is_err());
        // The name is held to strictly, since another name may have another policy.
        let answer = get(&server, &authority.client(Some(&good), &[]), "a.example", "b.example").await;
        assert_eq!(answer.expect("answers").status, 421);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_certificates_and_expired_lists_are_refused() {
    let authority = Authority::new();
    let identity = authority.issue(&["a.example"], 1);
    let (good, revoked) = (authority.issue(&["client"], 2), authority.issue(&["client"], 3));
    for (next_update, good_passes) in [(2099, true), (2021, false)] {
        let tls = TlsConfig::builder()
            .certificate_pem(identity.chain.clone(), identity.key.clone())
            .client_auth(ClientAuth::Required)
            .client_ca_pem(authority.pem())
            .crl_pem(authority.revoke(3, next_update))
            .build()
            .expect("valid");
        let server = start(tls);
        let good = get(&server, &authority.client(Some(&good), &[]), "a.example", "a.example").await;
        assert_eq!(good.is_ok(), good_passes, "a list until {next_update}");
        let revoked = get(&server, &authority.client(Some(&revoked), &[]), "a.example", "a.example").await;
        assert!(revoked.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_resume_within_one_configuration_and_never_across() {
    let authority = Authority::new();
    let identity = authority.issue(&["a.example"], 1);
    let client_identity = authority.issue(&["client"], 2);
    let build = |auth| {
        let mut builder = TlsConfig::builder().certificate_pem(identity.chain.clone(), identity.key.clone());
        if auth != ClientAuth::Off {
            builder = builder.client_auth(auth).client_ca_pem(authority.pem());
        }
        builder.build().expect("valid")
    };
    let kinds = |server: &Running, client: &Arc<ClientConfig>| {
        let (address, client) = (server.address, Arc::clone(client));
        async move {
            let name = ServerName::try_from("a.example").expect("a name");
            let stream = TcpStream::connect(address).await.expect("connects");
            let mut stream = TlsConnector::from(client).connect(name, stream).await.expect("shakes hands");
            let answer = ask(&mut stream, "a.example").await.expect("answers");
            (stream.get_ref().1.handshake_kind().expect("done"), text(&answer).to_owned())
        }
    };
    for auth in [ClientAuth::Off, ClientAuth::Optional] {
        let tls = build(auth);
        let server = start(tls.clone());
        let client = authority.client((auth != ClientAuth::Off).then_some(&client_identity), &[]);
        let (first, facts) = kinds(&server, &client).await;
        assert_eq!(first, rustls::HandshakeKind::Full);
        let (second, again) = kinds(&server, &client).await;
        assert_eq!((second, again), (rustls::HandshakeKind::Resumed, facts.clone()));
        // A new configuration, be it the same, knows nothing of the session.
        tls.replace(&build(auth));
        assert_eq!(kinds(&server, &client).await.0, rustls::HandshakeKind::Full);
        // Nor does another listener.
        assert_eq!(kinds(&start(build(ClientAuth::Optional)), &client).await.0, rustls::HandshakeKind::Full);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_for_new_connections() {
    let authority = Authority::new();
    let (old, new) = (authority.issue(&["old.example"], 1), authority.issue(&["new.example"], 2));
    let tls = TlsConfig::from_pem(old.chain.as_bytes(), old.key.as_bytes()).expect("valid");
    let server = start(tls.clone());
    let client = authority.client(None, &[]);
    let mut open = connect(&server, &client, "old.example").await.expect("connects");
    assert_eq!(ask(&mut open, "old.example").await.expect("answers").status, 200);
    tls.replace(&TlsConfig::from_pem(new.chain.as_bytes(), new.key.as_bytes()).expect("valid"));
    assert_eq!(ask(&mut open, "old.example").await.expect("answers").status, 200);
    assert!(connect(&server, &client, "old.example").await.is_err());
    assert_eq!(get(&server, &client, "new.example", "new.example").await.expect("answers").status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_handshake_and_a_silent_session_are_closed_at_the_limit() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["a.example"], 1));
    for bytes in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.expect("sends");
        let start = std::time::Instant::now();
        assert!(finish(&mut stream, Duration::from_secs(3)).await.closed);
        assert!(start.elapsed() >= Duration::from_millis(450) && start.elapsed() < Duration::from_millis(1500));
    }
    let mut stream = connect(&server, &authority.client(None, &[]), "a.example").await.expect("connects");
    let start = std::time::Instant::now();
    assert!(finish(&mut stream, Duration::from_secs(3)).await.closed);
    assert!(start.elapsed() >= Duration::from_millis(450) && start.elapsed() < Duration::from_millis(1500));
}
