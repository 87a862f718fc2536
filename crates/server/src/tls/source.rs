//! Reading PEM from files or memory.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
};

use gatewright_core::{CertificateFacts, IdentityFault, KeyFile, KeyFilePart};
use rustls::{
    Error, InconsistentKeys,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::error::TlsError;

/// PEM, or the file that holds it, for one field of the settings.
pub(super) struct Source {
    field: &'static str,
    origin: Origin,
}

enum Origin {
    Bytes(Vec<u8>, &'static str),
    File(PathBuf),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes may be those of a key.
        f.write_str(&self.label())
    }
}

impl Source {
    pub(super) fn bytes(field: &'static str, bytes: impl Into<Vec<u8>>, label: &'static str) -> Self {
        Self { field, origin: Origin::Bytes(bytes.into(), label) }
    }

    pub(super) fn file(field: &'static str, path: impl AsRef<Path>) -> Self {
        Self { field, origin: Origin::File(path.as_ref().to_owned()) }
    }

    pub(super) fn label(&self) -> Cow<'_, str> {
        match &self.origin {
            Origin::Bytes(_, label) => Cow::Borrowed(label),
            Origin::File(path) => path.to_string_lossy(),
        }
    }

    fn read(&self) -> Result<Cow<'_, [u8]>, TlsError> {
        match &self.origin {
            Origin::Bytes(bytes, _) => Ok(Cow::Borrowed(bytes)),
            Origin::File(path) => std::fs::read(path).map(Cow::Owned).map_err(|error| {
                let message = format!("cannot read {}: {}", self.label(), error.kind());
                TlsError::new(self.field, message).because(error)
            }),
        }
    }

    /// All items of one kind; there is at least one.
    pub(super) fn items<T: PemObject>(&self, part: KeyFilePart) -> Result<Vec<T>, TlsError> {
        let pem = self.read()?;
        match T::pem_slice_iter(KeyFile::without_mark(&pem)).collect::<Result<Vec<T>, _>>() {
            Ok(items) if !items.is_empty() && !KeyFile::has_joined_lines(&pem) => Ok(items),
            _ => Err(self.without(part, &pem)),
        }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let pem = self.read()?;
        PrivateKeyDer::from_pem_slice(KeyFile::without_mark(&pem))
            .map_err(|_| self.without(KeyFilePart::PrivateKey, &pem))
    }

    /// The error for missing content. The PEM reader's own error is left out, because it quotes the text, which may be a key.
    fn without(&self, part: KeyFilePart, pem: &[u8]) -> TlsError {
        TlsError::new(self.field, KeyFile::why_not(pem, part, &self.label()))
    }
}

/// A chain and its key, checked to belong together.
pub(super) fn certified_key(
    chain: &Source,
    key: &Source,
    provider: &CryptoProvider,
) -> Result<CertifiedKey, TlsError> {
    let (chain_label, key_label) = (chain.label(), key.label());
    let fault = |field, fault: IdentityFault| TlsError::new(field, fault.told(&chain_label, &key_label));
    if IdentityFault::are_swapped(&chain.read()?, &key.read()?) {
        return Err(fault("cert", IdentityFault::Swapped));
    }
    let certificates = chain.items::<CertificateDer<'static>>(KeyFilePart::Certificate)?;
    let facts: Vec<_> =
        certificates.iter().filter_map(|certificate| CertificateFacts::read(certificate)).collect();
    let signer = provider
        .key_provider
        .load_private_key(key.private_key()?)
        .map_err(|_| TlsError::new("key", IdentityFault::unusable_key(&facts, &key_label)))?;
    let certified = CertifiedKey::new(certificates, signer);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let public = certified.key.public_key();
            let found = public.map_or(IdentityFault::Mismatch, |key| IdentityFault::of_key(&facts, &key));
            let field = if found == IdentityFault::Mismatch { "key" } else { "cert" };
            Err(fault(field, found))
        }
        // A key whose public half is not available is accepted without the check.
        Err(Error::InconsistentKeys(_)) => Ok(certified),
        Err(_) => {
            let why =
                certified.cert.first().map_or_else(String::new, |leaf| CertificateFacts::why_unusable(leaf));
            Err(TlsError::new("cert", format!("the certificate in {chain_label} {why}")))
        }
    }
}
