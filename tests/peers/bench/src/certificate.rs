//! The certificate that every proxy shows: ECDSA on P-256, issued by an authority of its own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

use crate::Result;

/// PEM files.
#[derive(Debug)]
pub(crate) struct Certificate {
    authority: PathBuf,
    chain: PathBuf,
    key: PathBuf,
    chain_and_key: PathBuf,
}

impl Certificate {
    /// A new certificate for `localhost`.
    pub(crate) fn make(folder: &Path) -> Result<Self> {
        let (authority, chain, key) = issue().map_err(|error| format!("no certificate: {error}"))?;
        let write = |name: &str, pem: &str| {
            let file = folder.join(name);
            fs::write(&file, pem).map_err(|error| format!("{}: {error}", file.display()))?;
            Ok::<_, String>(file)
        };
        Ok(Self {
            authority: write("authority.pem", &authority)?,
            chain: write("chain.pem", &chain)?,
            key: write("key.pem", &key)?,
            chain_and_key: write("chain-and-key.pem", &format!("{chain}{key}"))?,
        })
    }

    /// What clients trust.
    pub(crate) fn authority(&self) -> &Path {
        &self.authority
    }

    pub(crate) fn chain(&self) -> &Path {
        &self.chain
    }

    pub(crate) fn key(&self) -> &Path {
        &self.key
    }

    /// In one file, as HAProxy wants it.
    pub(crate) fn chain_and_key(&self) -> &Path {
        &self.chain_and_key
    }
}

/// The authority's certificate, the server's, and the server's key.
fn issue() -> Result<(String, String, String), rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "peers");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate()?;
    let authority = params.self_signed(&authority_key)?.pem();
    let issuer = Issuer::new(params, authority_key);

    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, "localhost");
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok((authority, certificate.pem(), key.serialize_pem()))
}
