//! Keys that sign checkpoints.

use std::{fmt, io, sync::Arc};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer, pem::PemObject};

use super::chain::{AuditCheckpoint, Hash, from_hex, hex};

/// What stands before what is signed, so that a signature means a checkpoint and nothing else.
const CONTEXT: &str = "gatewright audit checkpoint v1\n";

/// An Ed25519 key in SubjectPublicKeyInfo (RFC 8410, section 4) is these bytes and its 32.
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A private Ed25519 key, which signs checkpoints.
#[derive(Clone)]
pub struct AuditSigner(Arc<Ed25519KeyPair>);

/// A public Ed25519 key, which checks the signatures of checkpoints.
#[derive(Clone)]
pub struct AuditKey([u8; 32]);

impl AuditSigner {
    /// Reads a key in PEM: `PRIVATE KEY`, PKCS#8, as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn from_pem(pem: &[u8]) -> io::Result<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem)
            .map_err(|_| invalid("there is no `PRIVATE KEY` (PKCS#8, PEM) in it"))?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map_err(|_| invalid("it is no Ed25519 key: make one by `openssl genpkey -algorithm ed25519`"))?;
        Ok(Self(Arc::new(pair)))
    }

    /// The key that checks its signatures.
    pub fn public(&self) -> AuditKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.0.public_key().as_ref());
        AuditKey(key)
    }

    pub(super) fn sign(&self, place: AuditCheckpoint) -> String {
        let mut text = String::with_capacity(128);
        // A String takes anything.
        let _ = hex(self.0.sign(message(place).as_bytes()).as_ref(), &mut text);
        text
    }
}

impl AuditKey {
    /// Reads a key in PEM: `PUBLIC KEY`, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn from_pem(pem: &[u8]) -> io::Result<Self> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem)
            .map_err(|_| invalid("there is no `PUBLIC KEY` in it: `openssl pkey -pubout` writes one"))?;
        let key = der.strip_prefix(&ED25519_SPKI).and_then(|key| key.try_into().ok());
        key.map(Self).ok_or_else(|| invalid("it is no Ed25519 key"))
    }

    /// Its name in the log: the first 16 hex digits of the SHA-256 of the key in DER.
    pub fn id(&self) -> String {
        let der = [&ED25519_SPKI[..], &self.0].concat();
        Hash::of(&der).to_string()[..16].to_owned()
    }

    pub(super) fn verifies(&self, place: AuditCheckpoint, signature: &str) -> bool {
        from_hex::<64>(signature).is_some_and(|signature| {
            UnparsedPublicKey::new(&ED25519, self.0).verify(message(place).as_bytes(), &signature).is_ok()
        })
    }
}

fn message(place: AuditCheckpoint) -> String {
    format!("{CONTEXT}{place}")
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl PartialEq for AuditKey {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl fmt::Debug for AuditSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuditSigner").field(&self.public().id()).finish()
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AuditKey").field(&self.id()).finish()
    }
}
