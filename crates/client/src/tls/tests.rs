//! Whose certificates are taken of endpoints.

use std::{error::Error as _, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::{
    ServerConfig, SupportedProtocolVersion,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::ClientTls;
use crate::{Protocol, Target};

/// What a plain `openssl req -x509 -addext subjectAltName=DNS:localhost` makes, changed.
fn made(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> rcgen::Certificate {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    params.self_signed(key).expect("a certificate")
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// Shows one certificate, whoever asks, and signs with a key that need not be its own.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl ResolvesServerCert for Shows {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Whether an endpoint that shows a certificate is taken by who trusts `ca`, and why not.
async fn taken(
    ca: &str,
    shown: &CertificateDer<'static>,
    key: &KeyPair,
    version: &'static SupportedProtocolVersion,
) -> Result<(), String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let signer = provider.key_provider.load_private_key(private).expect("a key");
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Shows(Arc::new(CertifiedKey::new(vec![shown.clone()], signer)))));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("an address").port();
    let serving = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.expect("a connection");
        let _ = TlsAcceptor::from(Arc::new(config)).accept(socket).await;
    });
    let tls = ClientTls::builder().ca(ca).build().expect("is right");
    let target: Target = format!("localhost:{port}").parse().expect("a target");
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("connects");
    let shaken = tls.handshake(&target, Protocol::Http1, stream).await;
    serving.abort();
    shaken.map(drop).map_err(|error| error.source().map_or_else(String::new, ToString::to_string))
}

#[tokio::test]
async fn a_certificate_that_is_named_itself_is_taken_though_it_is_an_authoritys() {
    let key = key();
    let good: [fn(&mut CertificateParams); 5] = [
        |_| {},
        |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign],
        |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
        |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any],
        |params| params.is_ca = IsCa::NoCa,
    ];
    for change in good {
        let certificate = made(&key, change);
        for version in [&TLS12, &TLS13] {
            assert_eq!(taken(&certificate.pem(), certificate.der(), &key, version).await, Ok(()));
        }
    }
    // Among others, too.
    let (other, certificate) = (made(&self::key(), |_| {}), made(&key, |_| {}));
    let both = format!("{}{}", other.pem(), certificate.pem());
    assert_eq!(taken(&both, certificate.der(), &key, &TLS13).await, Ok(()));
}

/// What is different about a certificate.
type Change = fn(&mut CertificateParams);

#[tokio::test]
async fn one_that_is_named_itself_is_held_to_all_else() {
    let key = key();
    let cases: [(Change, &str); 6] = [
        (
            |params| {
                let other = CertificateParams::new(vec!["other.example".to_owned()]).expect("a name");
                params.subject_alt_names = other.subject_alt_names;
            },
            "another name",
        ),
        (|params| params.subject_alt_names = Vec::new(), "no subjectAltName"),
        (|params| params.not_after = date_time_ymd(2021, 1, 1), "expired"),
        (|params| params.not_before = date_time_ymd(2400, 1, 1), "not valid yet"),
        (|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign], "not made for servers"),
        (
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            "not made for servers",
        ),
    ];
    for (change, why) in cases {
        let certificate = made(&key, change);
        for version in [&TLS12, &TLS13] {
            let error = taken(&certificate.pem(), certificate.der(), &key, version).await.expect_err(why);
            assert!(error.contains(why), "{why}: {error}");
        }
    }
    let certificate = made(&key, |_| {});
    let error = taken(&certificate.pem(), certificate.der(), &self::key(), &TLS13).await;
    assert!(error.expect_err("another's key").contains("cannot be verified"));
}

#[tokio::test]
async fn an_authoritys_certificate_that_is_not_named_itself_is_refused_in_words() {
    let key = key();
    let (named, shown) = (made(&key, |_| {}), made(&key, |params| params.serial_number = Some(7_u64.into())));
    let error = taken(&named.pem(), shown.der(), &key, &TLS13).await.expect_err("another certificate");
    assert!(error.contains("list that very certificate in `ca`"), "{error}");
    let other = self::key();
    let stranger = made(&other, |_| {});
    let error = taken(&named.pem(), stranger.der(), &other, &TLS13).await.expect_err("a stranger's");
    assert!(!error.contains("CaUsedAsEndEntity"), "{error}");
}

#[test]
fn a_key_is_never_shown() {
    let builder = ClientTls::builder().identity("a certificate", "the key");
    let shown = format!("{builder:?}");
    assert!(shown.contains('…'), "{shown}");
    // As text, or as its bytes.
    assert!(!shown.contains("the key") && !shown.contains("116, 104, 101"), "{shown}");
}

/// An authority, and a certificate that it issued for `localhost`, changed.
fn issued(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> (String, rcgen::Certificate) {
    let authority = rcgen::CertifiedIssuer::self_signed(
        {
            let mut params = CertificateParams::default();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
            params
        },
        self::key(),
    )
    .expect("an authority");
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    change(&mut params);
    (authority.pem(), params.signed_by(key, &authority).expect("a certificate"))
}

#[tokio::test]
async fn a_certificate_that_an_authority_issued_is_taken_when_it_is_named_itself() {
    let key = key();
    let (authority, leaf) = issued(&key, |_| {});
    for version in [&TLS12, &TLS13] {
        assert_eq!(taken(&leaf.pem(), leaf.der(), &key, version).await, Ok(()));
    }
    assert_eq!(taken(&authority, leaf.der(), &key, &TLS13).await, Ok(()));
    // The key has to be its own, and another certificate of its authority is not taken.
    let error = taken(&leaf.pem(), leaf.der(), &self::key(), &TLS13).await.expect_err("another's key");
    assert!(error.contains("cannot be verified"), "{error}");
    let (_, other) = issued(&key, |params| params.serial_number = Some(9_u64.into()));
    let error = taken(&leaf.pem(), other.der(), &key, &TLS13).await.expect_err("another certificate");
    assert!(error.contains("no authority that is trusted") && error.contains("intermediate"), "{error}");
    let cases: [(Change, &str); 4] = [
        (|params| params.subject_alt_names = Vec::new(), "no subjectAltName"),
        (|params| params.not_after = date_time_ymd(2021, 1, 1), "expired"),
        (|params| params.not_before = date_time_ymd(2400, 1, 1), "not valid yet"),
        (
            |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            "not made for servers",
        ),
    ];
    for (change, why) in cases {
        let (_, leaf) = issued(&key, change);
        let error = taken(&leaf.pem(), leaf.der(), &key, &TLS13).await.expect_err(why);
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn a_trusted_certificate_without_a_name_is_doubted_where_it_is_an_endpoints_own() {
    let nameless = |name: &str, is_ca: IsCa| {
        let mut params = CertificateParams::default();
        params.is_ca = is_ca;
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.self_signed(&key()).expect("a certificate").pem()
    };
    let doubts = |pem: String| ClientTls::builder().ca(pem).build().expect("is right").doubts(&["localhost"]);
    let own = doubts(nameless("localhost", IsCa::Ca(BasicConstraints::Unconstrained)));
    assert!(
        matches!(&own[..], [("ca", doubt)] if doubt.contains("`-addext subjectAltName=DNS:localhost`")),
        "{own:?}"
    );
    assert_eq!(doubts(nameless("Our Authority", IsCa::Ca(BasicConstraints::Unconstrained))), []);
    assert_eq!(doubts(nameless("Our Service", IsCa::ExplicitNoCa)).len(), 1);
}

#[tokio::test]
async fn an_endpoint_that_asks_for_a_certificate_says_so_in_words() {
    let key = key();
    let shown = made(&key, |_| {});
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(shown.der().clone()).expect("an authority");
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .expect("a verifier");
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("a version")
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![shown.der().clone()], private)
        .expect("is right");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let config = Arc::new(config);
        loop {
            let (socket, _) = listener.accept().await.expect("a connection");
            let _ = TlsAcceptor::from(Arc::clone(&config)).accept(socket).await;
        }
    });
    let tls = ClientTls::builder().ca(shown.pem()).build().expect("is right");
    let target: Target = format!("localhost:{port}").parse().expect("a target");
    let pool = crate::PoolBuilder::new(target).protocol(Protocol::Http1).tls(tls).build();
    let connection = pool.checkout(crate::Require::Any).await.expect("the handshake is over for us");
    let request = http::Request::new(gatewright_core::Body::empty());
    let refused = connection.send(request).await.map(drop).expect_err("it is refused");
    let error = refused.into_parts().0.source().map_or_else(String::new, ToString::to_string);
    assert!(error.contains("it asks for a certificate: set `tls: {cert, key}`"), "{error}");
}

#[test]
fn files_of_an_identity_are_told_with_their_names() {
    let (one, other) = (key(), key());
    let certificate = made(&one, |_| {}).pem();
    let authority = made(&other, |_| {}).pem();
    let told = |chain: &str, key: &str| {
        let builder = ClientTls::builder().ca(authority.as_str()).identity(chain, key);
        let error = builder.label("cert", "a.pem").label("key", "a.key").build().expect_err("is wrong");
        (error.field(), error.to_string())
    };
    let (own, others) = (one.serialize_pem(), other.serialize_pem());
    let both = format!("{authority}{certificate}");
    for (chain, key, field, expected) in [
        (
            &own,
            &certificate,
            "cert",
            "a.pem holds a private key, and a.key a certificate: the two have changed places",
        ),
        (&certificate, &others, "key", "the private key in a.key does not belong to the certificate in a.pem"),
        (&both, &own, "cert", "the private key in a.key belongs to certificate 2 in a.pem"),
        (&certificate, &own.replace('\n', ""), "key", "a.key: its line breaks are lost"),
        (&certificate, &certificate, "key", "a.key holds no private key, but a certificate"),
    ] {
        let (found, text) = told(chain, key);
        assert_eq!(found, field, "{text}");
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!text.contains(&own[60..80]), "{text}");
    }
    let chain = format!(
        "{certificate}{}",
        made(&self::key(), |params| {
            params.distinguished_name.push(rcgen::DnType::CommonName, "another");
        })
        .pem()
    );
    let tls = ClientTls::builder().ca(authority.as_str()).identity(chain, own).label("cert", "a.pem").build();
    let doubts = tls.expect("is taken").doubts(&[]);
    assert!(
        matches!(&doubts[..], [("cert", doubt)] if doubt.contains("certificate 1 in a.pem is not followed by that of its issuer")),
        "{doubts:?}"
    );
}
