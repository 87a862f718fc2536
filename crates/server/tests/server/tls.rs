//! TLS: protocols, certificates by name, certificates asked of clients, what goes wrong and how it is told.

use std::{convert::Infallible, sync::Arc, time::Duration};

use crate::support::{Answer, Running, finish, limits, plain, start_with};
use gatewright_core::{Body, RequestRecord};
use gatewright_server::{ClientAuth, TlsConfig};
use http::{Request, Response};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{
    CipherSuite, ClientConfig, RootCertStore, SignatureScheme,
    pki_types::PrivateKeyDer,
    version::{TLS12, TLS13},
};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// An authority of the tests' own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate chain and its key, in PEM.
#[derive(Clone)]
struct Identity {
    chain: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "tests");
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority"))
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, names: &[&str], serial: u64) -> Identity {
        self.issue_with(names, serial, |_| {})
    }

    fn issue_with(&self, names: &[&str], serial: u64, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("valid names");
        params.serial_number = Some(serial.into());
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Identity { chain: certificate.pem(), key: key.serialize_pem() }
    }

    /// A list that revokes this serial number.
    fn revoke(&self, serial: u64, next_update: i32) -> String {
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(next_update, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: vec![RevokedCertParams {
                serial_number: SerialNumber::from(serial),
                revocation_time: date_time_ymd(2020, 1, 1),
                reason_code: None,
                invalidity_date: None,
            }],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).expect("a list").pem().expect("PEM")
    }

    fn client(&self, identity: Option<&Identity>, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem().as_bytes()).expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = vec![CertificateDer::from_pem_slice(identity.chain.as_bytes()).expect("PEM")];
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
                builder.with_client_auth_cert(chain, key).expect("an identity")
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}

/// Answers with what the handshake settled.
async fn facts(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let record = RequestRecord::of(request.extensions()).expect("a record");
    let tls = record.connection().and_then(|connection| connection.tls()).expect("TLS");
    let protocol = tls.protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned());
    let text = format!(
        "{} {} {} {}",
        tls.server_name().unwrap_or("-"),
        protocol.unwrap_or_else(|| "-".into()),
        tls.version().unwrap_or("-"),
        tls.certificates().len()
    );
    Ok(Response::new(Body::once(text)))
}

fn start(tls: TlsConfig) -> Running {
    start_with(tower::service_fn(facts), |builder| {
        builder.listener(plain().tls(tls)).limits(limits().header_timeout(Duration::from_millis(500)))
    })
}

fn serve(identity: &Identity) -> Running {
    start(TlsConfig::from_pem(identity.chain.as_bytes(), identity.key.as_bytes()).expect("valid"))
}

async fn connect(
    server: &Running,
    client: &Arc<ClientConfig>,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::clone(client)).connect(name, server.connect().await).await
}

/// One request; an error is one of the handshake, which in TLS 1.3 the client may only learn when it reads.
async fn ask(stream: &mut TlsStream<TcpStream>, host: &str) -> std::io::Result<Answer> {
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await?;
    let mut bytes = vec![0; 4096];
    let read = stream.read(&mut bytes).await?;
    crate::support::parse(&bytes[..read])
        .into_iter()
        .next()
        .ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into())
}

async fn get(server: &Running, client: &Arc<ClientConfig>, name: &str, host: &str) -> std::io::Result<Answer> {
    ask(&mut connect(server, client, name).await?, host).await
}

fn text(answer: &Answer) -> &str {
    std::str::from_utf8(&answer.body).expect("text")
}

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

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_fails_is_reported_and_one_that_is_given_up_is_not() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["a.example"], 1));
    let closed = async |count: usize| {
        let start = std::time::Instant::now();
        while server.handle.connections() > 0 || server.reasons().len() < count {
            assert!(start.elapsed() < Duration::from_secs(20), "{:?}", server.reasons());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    // It is none, and the client does not know our authority.
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n").await.expect("sends");
    closed(1).await;
    assert!(connect(&server, &Authority::new().client(None, &[]), "a.example").await.is_err());
    closed(2).await;
    assert_eq!(server.reasons(), ["plain_http", "handshake"]);
    // A port scan, and a client that leaves in the midst of it.
    for bytes in [&b""[..], b"\x16", b"\x16\x03\x01\x02\x00\x01"] {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.expect("sends");
        drop(stream);
        let stream = server.connect().await;
        stream.set_zero_linger().expect("is open");
        drop(stream);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    closed(2).await;
    assert_eq!(server.reasons(), ["plain_http", "handshake"]);
}

#[tokio::test]
async fn what_is_wrong_is_told_with_the_file() {
    let authority = Authority::new();
    let (one, two) = (authority.issue(&["a.example"], 1), authority.issue(&["b.example"], 2));
    let folder = std::env::temp_dir().join(format!("gatewright-server-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("writes");
        path
    };
    let chain = file("one.pem", &one.chain);
    let key = file("one.key", &one.key);
    let other = file("two.key", &two.key);
    let empty = file("empty.pem", "");
    let encrypted = file(
        "encrypted.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let old_encrypted = file(
        "old.key",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
    );
    let garbled = file("garbled.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let torn = file("torn.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let missing = folder.join("missing.pem");
    let told = |path: &std::path::Path, text: &str| text.replace("{}", &path.to_string_lossy());
    for (chain, key, expected) in [
        (&missing, &key, told(&missing, "cannot read {}: entity not found")),
        (&chain, &missing, told(&missing, "cannot read {}: entity not found")),
        (&empty, &key, told(&empty, "{} is empty, and is to hold a certificate")),
        (&key, &key, told(&key, "{} holds no certificate, but a private key")),
        (
            &key,
            &chain,
            told(&key, "{} holds a private key, and ")
                + &told(&chain, "{} a certificate: the two have changed places"),
        ),
        (&chain, &empty, told(&empty, "{} is empty, and is to hold a private key")),
        (&chain, &chain, told(&chain, "{} holds no private key, but a certificate")),
        (
            &chain,
            &encrypted,
            told(
                &encrypted,
                "the private key in {} is encrypted; store it without a passphrase: `openssl pkey -in {} -out PLAIN.key`",
            ),
        ),
        (
            &chain,
            &old_encrypted,
            told(
                &old_encrypted,
                "the private key in {} is encrypted; store it without a passphrase: `openssl pkey -in {} -out PLAIN.key`",
            ),
        ),
        (&garbled, &key, told(&garbled, "the certificate in {} cannot be used")),
        (&torn, &key, told(&torn, "{} is not valid PEM")),
        (
            &chain,
            &other,
            told(&other, "the private key in {} does not belong to the certificate in ")
                + &chain.to_string_lossy(),
        ),
    ] {
        let error = TlsConfig::from_pem_files(chain, key).expect_err("it is wrong");
        assert_eq!(error.to_string(), expected);
    }
    let base = || TlsConfig::builder().certificate_files(&chain, &key);
    for (builder, expected) in [
        (TlsConfig::builder(), "a TLS listener needs a certificate".to_owned()),
        (
            base().client_auth(ClientAuth::Required),
            "clients are asked for certificates, but no client authority is named".to_owned(),
        ),
        (
            base().client_ca_file(&chain),
            "a client authority is named, but clients are not asked for certificates".to_owned(),
        ),
        (
            base().client_auth(ClientAuth::Required).client_ca_file(&empty),
            told(&empty, "{} is empty, and is to hold a certificate"),
        ),
        (
            base().client_auth(ClientAuth::Required).client_ca_file(&chain).crl_file(&empty),
            told(&empty, "{} is empty, and is to hold a revocation list"),
        ),
    ] {
        assert_eq!(builder.build().expect_err("it is wrong").to_string(), expected);
    }
    assert!(base().build().is_ok());
    let shown = format!("{:?}", TlsConfig::builder().certificate_pem(one.chain, one.key.clone()));
    assert!(!shown.contains("PRIVATE") && !shown.contains(&one.key[30..60]), "{shown}");
    std::fs::remove_dir_all(folder).expect("removes");
}

/// A client's certificate that is its own authority, as a plain `openssl req -x509` makes it, changed; and the same as
/// one that issues lists.
fn own_authority(change: impl FnOnce(&mut CertificateParams)) -> (Identity, CertifiedIssuer<'static, KeyPair>) {
    let mut params = CertificateParams::new(vec!["client.example".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.serial_number = Some(SerialNumber::from(vec![0x80, 7]));
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    let text = key.serialize_pem();
    let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
    (Identity { chain: issuer.pem(), key: text }, issuer)
}

/// A list of this issuer, which revokes this serial number.
fn list(issuer: &CertifiedIssuer<'static, KeyPair>, serial: Vec<u8>, next_update: i32) -> String {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(next_update, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: SerialNumber::from(serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).expect("a list").pem().expect("PEM")
}

/// Whether a client with this certificate is served where these are named, and these lists.
async fn is_served(client: &Identity, named: &[&str], lists: &[&str]) -> bool {
    let authority = Authority::new();
    let identity = authority.issue(&["a.example"], 1);
    let mut builder = TlsConfig::builder()
        .certificate_pem(identity.chain.as_str(), identity.key.as_str())
        .client_auth(ClientAuth::Required);
    builder = named.iter().fold(builder, |builder, pem| builder.client_ca_pem(*pem));
    builder = lists.iter().fold(builder, |builder, pem| builder.crl_pem(*pem));
    let server = start(builder.build().expect("is right"));
    get(&server, &authority.client(Some(client), &[]), "a.example", "a.example").await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clients_certificate_that_is_named_itself_is_taken_though_it_is_an_authoritys() {
    let good: [fn(&mut CertificateParams); 4] = [
        |_| {},
        |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign],
        |params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth],
        |params| params.is_ca = IsCa::NoCa,
    ];
    for change in good {
        let (client, _) = own_authority(change);
        assert!(is_served(&client, &[&client.chain], &[]).await);
    }
    let bad: [fn(&mut CertificateParams); 4] = [
        |params| params.not_after = date_time_ymd(2021, 1, 1),
        |params| params.not_before = date_time_ymd(2400, 1, 1),
        |params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign],
        |params| params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth],
    ];
    for change in bad {
        let (client, _) = own_authority(change);
        assert!(!is_served(&client, &[&client.chain], &[]).await);
    }
    let ((client, _), (other, _)) = (own_authority(|_| {}), own_authority(|_| {}));
    assert!(!is_served(&client, &[&other.chain], &[]).await, "another one is named");
    assert!(is_served(&client, &[&other.chain, &client.chain], &[]).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_its_own_authority_is_held_to_its_list() {
    let (client, issuer) = own_authority(|_| {});
    let (_, stranger) = own_authority(|_| {});
    let own = vec![0x80, 7];
    let named = [&*client.chain];
    let other = Authority::new();
    for (what, lists, served) in [
        ("its list is without it", vec![list(&issuer, vec![9], 2400)], true),
        ("its list has it", vec![list(&issuer, own.clone(), 2400)], false),
        ("its list has expired", vec![list(&issuer, vec![9], 2021)], false),
        ("its list has expired and has it", vec![list(&issuer, own.clone(), 2021)], false),
        ("one of its lists has it", vec![list(&issuer, vec![9], 2400), list(&issuer, own, 2400)], false),
        ("there are lists of others", vec![other.revoke(9, 2400)], false),
        ("another signed a list in its name", vec![list(&stranger, vec![9], 2400)], false),
        ("both", vec![list(&stranger, vec![0x80, 7], 2400), list(&issuer, vec![9], 2400)], true),
    ] {
        let lists: Vec<&str> = lists.iter().map(String::as_str).collect();
        assert_eq!(is_served(&client, &named, &lists).await, served, "{what}");
    }
}

/// A certificate with a key of RSA.
fn issue_rsa(authority: &Authority, names: &[&str]) -> Identity {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let params = CertificateParams::new(names).expect("valid names");
    let key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("a key");
    let certificate = params.signed_by(&key, &authority.0).expect("a certificate");
    Identity { chain: certificate.pem(), key: key.serialize_pem() }
}

fn several(identities: &[&Identity]) -> TlsConfig {
    let add = |builder: gatewright_server::TlsConfigBuilder, identity: &&Identity| {
        builder.certificate_pem(identity.chain.as_str(), identity.key.as_str())
    };
    identities.iter().fold(TlsConfig::builder(), add).build().expect("is right")
}

/// A client that offers these schemes of signatures alone, and these suites of TLS 1.2 alone if there are any.
fn choosy(
    authority: &Authority,
    is_offered: fn(SignatureScheme) -> bool,
    suites: Option<fn(CipherSuite) -> bool>,
) -> Arc<ClientConfig> {
    const BOTH: &[&rustls::SupportedProtocolVersion] = &[&TLS13, &TLS12];
    let versions = if suites.is_some() { &BOTH[1..] } else { BOTH };
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    let mapping = provider.signature_verification_algorithms.mapping.iter();
    let mapping: Vec<_> = mapping.filter(|(scheme, _)| is_offered(*scheme)).copied().collect();
    provider.signature_verification_algorithms.mapping = Box::leak(mapping.into_boxed_slice());
    if let Some(is_offered) = suites {
        provider.cipher_suites.retain(|suite| is_offered(suite.suite()));
    }
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).expect("PEM")).expect("an authority");
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

fn is_rsa(scheme: SignatureScheme) -> bool {
    format!("{scheme:?}").starts_with("RSA")
}

/// Which of these a client gets, by its place.
async fn served(server: &Running, client: &Arc<ClientConfig>, name: &str, of: &[&Identity]) -> Option<usize> {
    let stream = connect(server, client, name).await.expect("shakes hands");
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()).expect("one");
    let der = |identity: &&Identity| CertificateDer::from_pem_slice(identity.chain.as_bytes()).expect("PEM");
    of.iter().position(|identity| der(identity) == *shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_certificates_for_a_name_a_client_gets_one_that_it_can_verify() {
    let authority = Authority::new();
    let (rsa, curve) = (issue_rsa(&authority, &["a.example"]), authority.issue(&["a.example"], 1));
    let wild = issue_rsa(&authority, &["*.w.example"]);
    let (wild_curve, second) = (authority.issue(&["*.w.example"], 2), authority.issue(&["a.example"], 3));
    let all = [&rsa, &curve, &wild, &wild_curve, &second];
    let server = start(several(&all));
    let turned = start(several(&[&curve, &rsa]));
    let any = choosy(&authority, |_| true, None);
    let rsa_alone = choosy(&authority, is_rsa, None);
    let curves_alone = choosy(&authority, |scheme| !is_rsa(scheme), None);
    let suites_of_rsa =
        choosy(&authority, |_| true, Some(|suite| suite == CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256));
    for (what, client, a, w) in [
        ("any", &any, 1, 3),
        ("RSA alone", &rsa_alone, 0, 2),
        ("curves alone", &curves_alone, 1, 3),
        ("suites of RSA alone", &suites_of_rsa, 0, 2),
    ] {
        assert_eq!(served(&server, client, "a.example", &all).await, Some(a), "{what}");
        assert_eq!(served(&server, client, "x.w.example", &all).await, Some(w), "{what}");
        assert_eq!(served(&turned, client, "a.example", &all).await, Some(a), "{what}, turned round");
    }
    // Whichever it is, requests for its name are at home.
    for client in [&any, &rsa_alone] {
        assert_eq!(get(&server, client, "a.example", "a.example").await.expect("answers").status, 200);
        assert_eq!(get(&server, client, "a.example", "x.w.example").await.expect("answers").status, 421);
    }
}

#[test]
fn a_certificate_that_no_client_will_get_is_doubted() {
    let authority = Authority::new();
    let curve = |names: &[&str]| authority.issue(names, 1);
    let rsa = issue_rsa(&authority, &["a.example"]);
    let doubts = |all: &[&Identity]| several(all).doubts();
    let (a, b, wild) = (curve(&["a.example"]), curve(&["a.example", "b.example"]), curve(&["*.w.example"]));
    let (same, address) = (curve(&["A.example"]), curve(&["192.0.2.1"]));
    for good in [&[&a][..], &[&a, &rsa], &[&rsa, &a], &[&a, &b], &[&a, &wild], &[&wild, &a], &[&address, &a]] {
        assert_eq!(doubts(good), [] as [&str; 0]);
    }
    for bad in [&[&a, &same][..], &[&b, &a], &[&rsa, &a, &same], &[&a, &address]] {
        let doubts = doubts(bad);
        assert!(doubts.len() == 1 && doubts[0].contains("never served"), "{doubts:?}");
    }
}

/// What is different about a certificate.
type Change = fn(&mut CertificateParams);

#[test]
fn what_is_near_its_end_or_in_disorder_is_doubted() {
    let authority = Authority::new();
    let with = |change: fn(&mut CertificateParams)| authority.issue_with(&["a.example"], 1, change);
    let doubts = |identity: &Identity| several(&[identity]).doubts();
    assert_eq!(doubts(&with(|_| {})), [] as [&str; 0]);
    let cases: [(Change, &str); 2] = [
        (|params| params.not_after = date_time_ymd(2021, 1, 1), "expired on"),
        (|params| params.not_before = date_time_ymd(2400, 1, 1), "not valid before"),
    ];
    for (change, word) in cases {
        let doubts = doubts(&with(change));
        assert!(doubts.len() == 1 && doubts[0].contains(word), "{doubts:?}");
    }
    // The authority may be sent along, others may not, and the leaf comes first.
    let leaf = with(|_| {});
    let chain = |others: &[&str]| Identity {
        chain: [&[leaf.chain.as_str()][..], others].concat().concat(),
        key: leaf.key.clone(),
    };
    assert_eq!(doubts(&chain(&[&authority.pem()])), [] as [&str; 0]);
    let other = authority.issue(&["b.example"], 2);
    let found = doubts(&chain(&[&other.chain]));
    assert!(found.len() == 1 && found[0].contains("followed"), "{found:?}");
    let turned = format!("{}{}", authority.pem(), leaf.chain);
    let error = TlsConfig::from_pem(turned.as_bytes(), leaf.key.as_bytes()).expect_err("turned round");
    assert!(error.to_string().contains("belongs to certificate 2"), "{error}");
    // Lists.
    let listed = |list: String| {
        let builder = TlsConfig::builder().certificate_pem(leaf.chain.as_str(), leaf.key.as_str());
        let builder = builder.client_auth(ClientAuth::Required).client_ca_pem(authority.pem()).crl_pem(list);
        builder.build().expect("is right").doubts()
    };
    assert_eq!(listed(authority.revoke(1, 2400)), [] as [&str; 0]);
    let found = listed(authority.revoke(1, 2021));
    assert!(found.len() == 1 && found[0].contains("no client of its authority is served"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_on_the_port_is_answered_in_words_and_hurts_no_tls() {
    let authority = Authority::new();
    let server = serve(&authority.issue(&["a.example"], 1));
    let client = authority.client(None, &[]);
    for (request, has_body) in [
        ("GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
        ("HEAD / HTTP/1.1\r\nhost: a\r\n\r\n", false),
        ("POST /x HTTP/1.0\r\ncontent-length: 3\r\n\r\nabc", true),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", true),
        ("G", true),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(request.as_bytes()).await.expect("sends");
        let outcome = finish(&mut stream, Duration::from_secs(2)).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![400], true), "{request:?}");
        let body = String::from_utf8_lossy(&outcome.answers[0].body).into_owned();
        assert_eq!(body.contains("HTTPS"), has_body, "{body}");
        assert!(outcome.answers[0].header("connection").is_some_and(|value| value == "close"));
    }
    // What is neither is refused as before, and TLS goes on.
    let mut stream = server.connect().await;
    stream.write_all(b"\x00\x01\x02").await.expect("sends");
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    assert!(!bytes.starts_with(b"HTTP"), "{}", bytes.escape_ascii());
    assert_eq!(get(&server, &client, "a.example", "a.example").await.expect("answers").status, 200);
    assert_eq!(server.reasons()[..5], ["plain_http"; 5]);
    let counts: Vec<_> = server.handle.failed_handshakes().map(|(_, reason, count)| (reason, count)).collect();
    assert!(counts.contains(&("plain_http", 5)), "{counts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_a_handshake_is_counted_by_its_reason() {
    let (authority, namesake) = (Authority::new(), Authority::new());
    let identity = authority.issue(&["a.example"], 1);
    let builder = TlsConfig::builder()
        .certificate_pem(identity.chain.as_str(), identity.key.as_str())
        .client_auth(ClientAuth::Required)
        .client_ca_pem(authority.pem());
    let (own, stranger) = own_authority(|_| {});
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["client".to_owned()]).expect("a name");
    let of_stranger = params.signed_by(&key, &stranger).expect("a certificate");
    let of_stranger = Identity { chain: of_stranger.pem(), key: key.serialize_pem() };
    let counted = async |builder: gatewright_server::TlsConfigBuilder, client: Option<&Identity>| {
        let server = start(builder.build().expect("is right"));
        let _ = get(&server, &authority.client(client, &[]), "a.example", "a.example").await;
        let counted = || server.handle.failed_handshakes().map(|(_, reason, count)| (reason, count));
        for _ in 0..100 {
            if counted().next().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        counted().collect::<Vec<_>>()
    };
    let listed = |list: String| {
        let builder = TlsConfig::builder()
            .certificate_pem(identity.chain.as_str(), identity.key.as_str())
            .client_auth(ClientAuth::Required)
            .client_ca_pem(authority.pem());
        builder.crl_pem(list)
    };
    let good = authority.issue(&["client"], 7);
    let expired = authority.issue_with(&["client"], 3, |params| params.not_after = date_time_ymd(2021, 1, 1));
    assert_eq!(counted(builder, None).await, [("no_certificate", 1)]);
    let lists = || listed(authority.revoke(7, 2400));
    for (client, builder, reason) in [
        (&expired, lists(), "certificate_expired"),
        (&good, lists(), "certificate_revoked"),
        (&of_stranger, lists(), "unknown_authority"),
        (&own, lists(), "authority_certificate"),
        (&good, listed(authority.revoke(1, 2021)), "revocation_list_expired"),
        (&good, listed(list(&stranger, vec![9], 2400)), "revocation_list_missing"),
        (&good, listed(namesake.revoke(1, 2400)), "revocation_list_unusable"),
    ] {
        assert_eq!(counted(builder, Some(client)).await, [(reason, 1)]);
    }
}
