//! TLS.

mod choice;
mod failures;
mod files;
mod handshakes;
mod named;

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
    sign::{CertifiedKey, SingleCertAndKey},
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
        list(&self.0, serial, next_update)
    }

    fn client(&self, identity: Option<&Identity>, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem().as_bytes()).expect("PEM")).expect("an authority");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = vec![CertificateDer::from_pem_slice(identity.chain.as_bytes()).expect("PEM")];
                let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).expect("PEM");
                let key = provider.key_provider.load_private_key(key).expect("a key");
                // Whatever it is worth: judging it is for the server.
                let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
                builder.with_client_cert_resolver(Arc::new(shown))
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

/// A list of this issuer, which revokes this serial number.
fn list(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    serial: impl Into<SerialNumber>,
    next_update: i32,
) -> String {
    dated(issuer, serial, 2020, next_update)
}

/// The same, made in this year.
fn dated(
    issuer: &CertifiedIssuer<'static, KeyPair>,
    serial: impl Into<SerialNumber>,
    this_update: i32,
    next_update: i32,
) -> String {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(this_update, 1, 1),
        next_update: date_time_ymd(next_update, 1, 1),
        crl_number: SerialNumber::from(1_u64),
        issuing_distribution_point: None,
        revoked_certs: vec![RevokedCertParams {
            serial_number: serial.into(),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).expect("a list").pem().expect("PEM")
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
