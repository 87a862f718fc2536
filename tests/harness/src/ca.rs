//! A certificate authority for one test.

use std::{path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_RSA_SHA256, RevokedCertParams, RsaKeySize,
    SanType, SerialNumber, date_time_ymd,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::TempDir;

/// A certificate authority, its certificate and all that it issues as PEM files in a folder of its own.
pub struct Ca {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: PathBuf,
}

/// A certificate with its key.
#[derive(Debug)]
#[non_exhaustive]
pub struct Identity {
    /// The certificate's PEM file.
    pub cert: PathBuf,
    /// The key's PEM file.
    pub key: PathBuf,
    chain: Vec<CertificateDer<'static>>,
    der: PrivateKeyDer<'static>,
}

impl Ca {
    /// A new authority.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Gatewright test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let dir = TempDir::new();
        let pem = dir.write("ca.pem", certificate.pem());
        Self { pem, dir, certificate: certificate.der().clone(), issuer: Issuer::new(params, key) }
    }

    /// The authority's own certificate as a PEM file.
    pub fn pem(&self) -> &PathBuf {
        &self.pem
    }

    /// A server's certificate for these names and addresses.
    pub fn server(&self, names: &[&str]) -> Identity {
        self.issue(names, ExtendedKeyUsagePurpose::ServerAuth, false)
    }

    /// A server's certificate with an RSA key of 2048 bits; the others' keys are on the curve P-256.
    pub fn rsa_server(&self, names: &[&str]) -> Identity {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let file = format!("{}-rsa", names[0].replace('*', "any"));
        let name = names[0].clone();
        let params = CertificateParams::new(names).unwrap();
        self.sign_key(params, &name, &file, ExtendedKeyUsagePurpose::ServerAuth, key)
    }

    /// A server's certificate that ended years ago.
    pub fn expired_server(&self, names: &[&str]) -> Identity {
        self.issue(names, ExtendedKeyUsagePurpose::ServerAuth, true)
    }

    /// A client's certificate.
    pub fn client(&self, name: &str) -> Identity {
        self.issue(&[name], ExtendedKeyUsagePurpose::ClientAuth, false)
    }

    /// A client's certificate with a URI and a DNS name, and a serial number by which it may be revoked.
    pub fn client_with_uri(&self, name: &str, uri: &str, serial: u64) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI(uri.try_into().unwrap()));
        params.serial_number = Some(serial.into());
        self.sign(params, name, name, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A revocation list, as a PEM file, with these serial numbers.
    pub fn revoke(&self, serials: &[u64]) -> PathBuf {
        self.revoke_until(serials, 2099)
    }

    /// The same, with the year at whose beginning the next list should have come.
    pub fn revoke_until(&self, serials: &[u64], year: i32) -> PathBuf {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(year, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).unwrap();
        self.dir.write("revoked.crl", list.pem().unwrap())
    }

    /// A client's certificate that ended years ago.
    pub fn expired_client(&self, name: &str) -> Identity {
        self.issue(&[name], ExtendedKeyUsagePurpose::ClientAuth, true)
    }

    fn issue(&self, names: &[&str], purpose: ExtendedKeyUsagePurpose, expired: bool) -> Identity {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let file = format!("{}-{}", names[0].replace('*', "any"), if expired { "expired" } else { "good" });
        let mut params = CertificateParams::new(names.clone()).unwrap();
        if expired {
            params.not_after = date_time_ymd(2001, 1, 1);
        }
        self.sign(params, &names[0], &file, purpose)
    }

    fn sign(
        &self,
        params: CertificateParams,
        name: &str,
        file: &str,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Identity {
        self.sign_key(params, name, file, purpose, KeyPair::generate().unwrap())
    }

    fn sign_key(
        &self,
        mut params: CertificateParams,
        name: &str,
        file: &str,
        purpose: ExtendedKeyUsagePurpose,
        key: KeyPair,
    ) -> Identity {
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity {
            cert: self.dir.write(&format!("{file}.pem"), certificate.pem()),
            key: self.dir.write(&format!("{file}.key"), key.serialize_pem()),
            chain: vec![certificate.der().clone()],
            der: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        }
    }

    /// A TLS client that trusts this authority alone and offers `alpn`.
    pub fn trusting_client(&self, alpn: &[&str], identity: Option<&Identity>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some(Identity { chain, der, .. }) => {
                config.with_client_auth_cert(chain.clone(), der.clone_key()).unwrap()
            }
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = protocols(alpn);
        Arc::new(config)
    }
}

impl Default for Ca {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ca").field("pem", &self.pem).finish_non_exhaustive()
    }
}

impl Identity {
    /// A TLS server with this certificate that speaks `alpn`, and to nobody but holders of client certificates of this
    /// authority.
    pub fn server_config_for_clients_of(&self, ca: &Ca, alpn: &[&str]) -> Arc<ServerConfig> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(ca.certificate.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .build()
            .unwrap();
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(self.chain.clone(), self.der.clone_key())
            .unwrap();
        config.alpn_protocols = protocols(alpn);
        Arc::new(config)
    }

    /// A TLS server with this certificate that speaks `alpn` and asks for no client certificate.
    pub fn server_config(&self, alpn: &[&str]) -> Arc<ServerConfig> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.der.clone_key())
            .unwrap();
        config.alpn_protocols = protocols(alpn);
        Arc::new(config)
    }
}

fn protocols(alpn: &[&str]) -> Vec<Vec<u8>> {
    alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect()
}
