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
        (|params| params.subject_alt_names = Vec::new(), "another name"),
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
