use std::{
    fmt,
    ops::Deref,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use gatewright_core::{KeyFile, KeyFilePart, WatchedContent, WatchedFile, WatchedFileError};
use rustls_pki_types::{SubjectPublicKeyInfoDer, pem::PemObject};

#[cfg(feature = "remote")]
use super::remote::{Fetching, Remote, RemoteJwksBuilder};
use super::{KeyError, KeySet, jwk::Origin, key::Key};
use crate::jwt::Algorithm;

/// The keys of an issuer, and the source that they come from. Cheap to clone; clones share them.
///
/// Which algorithms a key verifies:
///
/// 1. A key that names its algorithm (`alg`) verifies that algorithm only.
/// 2. A key on a curve verifies the algorithm of its curve: ES256, ES384, ES512 or EdDSA.
/// 3. An RSA key without `alg` verifies those of [`Jwt::algorithms`](crate::Jwt::algorithms) that are RSA (RS256 to
///    PS512). If no algorithms are listed, it verifies RS256.
/// 4. A shared secret without `alg` verifies those of `Jwt::algorithms` that are HMAC (HS256 to HS512) and whose
///    hash is no longer than the secret. If no algorithms are listed, it verifies nothing.
///
/// A token never decides how a key is used: a public key verifies no HMAC. A key is left out if its `use` is not
/// `sig`, if its `key_ops` have no `verify`, or if its first certificate (`x5c`) belongs to another key. `x5u`,
/// `x5t`, the other certificates in `x5c` and the dates of certificates are ignored.
#[derive(Clone)]
pub struct Jwks(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<KeySet>),
    File(WatchedFile<KeySet>),
    #[cfg(feature = "remote")]
    Remote(Arc<Remote>),
}

/// The keys at one moment.
pub(crate) enum Keys<'a> {
    Fixed(&'a KeySet),
    File(WatchedContent<KeySet>),
    #[cfg(feature = "remote")]
    Remote(Arc<KeySet>),
}

/// The generation of an issuer's keys. Each change of the keys gives another number.
pub(crate) type Generation = u64;

impl Jwks {
    /// Reads a JSON Web Key Set (RFC 7517), or a single JSON Web Key. Shared secrets (`oct`) are allowed.
    ///
    /// # Errors
    ///
    /// The text is not a key set, or has no key that verifies signatures.
    pub fn from_json(text: &[u8]) -> Result<Self, KeyError> {
        let keys = KeySet::read(text, Origin::Local)?;
        keys.log_doubts("JSON");
        Ok(Self::fixed(keys))
    }

    /// Reads a JSON Web Key Set from a file, and again when the file changes. If the new content is bad, the old
    /// keys stay in use. [`doubts`](Self::doubts) tells what is suspicious in the first content, and the log tells
    /// it about later content.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or as in [`from_json`](Self::from_json).
    pub fn file(path: impl AsRef<Path>) -> Result<Self, WatchedFileError> {
        let name = path.as_ref().display().to_string();
        let is_later = AtomicBool::new(false);
        let read = move |text: &[u8]| {
            let keys = KeySet::read(text, Origin::Local)?;
            if is_later.swap(true, Ordering::Relaxed) {
                keys.log_doubts(&name);
            }
            Ok::<_, KeyError>(keys)
        };
        WatchedFile::open(path.as_ref(), read).map(|file| Self(Source::File(file)))
    }

    /// Reads a public key in PEM (`BEGIN PUBLIC KEY`), for this algorithm.
    ///
    /// # Errors
    ///
    /// The text has no public key, or one for another algorithm, or an RSA key of less than 2048 or more than 8192
    /// bits.
    pub fn pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, KeyError> {
        Key::der(algorithm, &public_key(pem)?).map(KeySet::of).map(Self::fixed)
    }

    /// Reads a public key in PEM, for all algorithms of its type, like a JSON Web Key without `alg`.
    ///
    /// # Errors
    ///
    /// As [`pem`](Self::pem).
    pub fn any_pem(pem: &[u8]) -> Result<Self, KeyError> {
        Key::any_der(&public_key(pem)?).map(KeySet::of).map(Self::fixed)
    }

    /// Takes a secret that is shared with the issuer, for HS256, HS384 or HS512: the bytes themselves, at least as
    /// many as the hash has. Anyone who knows the secret can make tokens.
    ///
    /// # Errors
    ///
    /// The secret is too short, or the algorithm does not use secrets.
    pub fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Key::secret(Some(algorithm), secret).map(KeySet::of).map(Self::fixed)
    }

    /// Keys at a URL. They are fetched over HTTPS when they are first needed, and again when they are no longer
    /// fresh or a token names an unknown key.
    #[cfg(feature = "remote")]
    pub fn remote(url: &str) -> RemoteJwksBuilder {
        RemoteJwksBuilder::of_keys(url)
    }

    /// Keys of an OpenID Connect provider, which publishes their URL (OpenID Connect Discovery 1.0).
    #[cfg(feature = "remote")]
    pub fn discover(issuer: &str) -> RemoteJwksBuilder {
        RemoteJwksBuilder::of_issuer(issuer)
    }

    /// Begins to fetch remote keys now instead of with the first token, and keeps them fresh. Call it on a tokio
    /// runtime; without a runtime nothing happens, and the first token has to wait.
    #[cfg(feature = "remote")]
    pub fn prefetch(&self) {
        if let Source::Remote(remote) = &self.0 {
            remote.keep_running();
        }
    }

    /// The algorithms that the current keys verify: those of `listed` for which there is a key, or all if nothing
    /// is listed. `None` while no keys have been fetched.
    pub fn algorithms(&self, listed: Option<&[Algorithm]>) -> Option<Vec<Algorithm>> {
        self.load().map(|(keys, _)| keys.algorithms(listed))
    }

    /// What is suspicious about the current keys, one sentence each: keys that are left out, keys with their
    /// private half, and keys that fit none of the listed algorithms.
    pub fn doubts(&self, listed: Option<&[Algorithm]>) -> Vec<String> {
        let Some((keys, _)) = self.load() else { return Vec::new() };
        keys.doubts().iter().cloned().chain(keys.idle(listed)).collect()
    }

    /// Why the current keys verify no token with these algorithms, as the end of a sentence that begins with "no
    /// key". `None` if they can verify one.
    pub fn misfit(&self, listed: &[Algorithm]) -> Option<String> {
        self.load().and_then(|(keys, _)| keys.misfit(listed))
    }

    /// Logs each fetched key set that verifies none of these algorithms, for as long as the list exists.
    pub(crate) fn expect(&self, listed: &Arc<[Algorithm]>) {
        #[cfg(feature = "remote")]
        if let Source::Remote(remote) = &self.0 {
            remote.expect(listed);
        }
        #[cfg(not(feature = "remote"))]
        let _ = listed;
    }

    fn fixed(keys: KeySet) -> Self {
        Self(Source::Fixed(Arc::new(keys)))
    }

    #[cfg(feature = "remote")]
    pub(super) fn of_remote(remote: Remote) -> Self {
        Self(Source::Remote(Arc::new(remote)))
    }

    /// The keys and their generation. `None` while there are none yet.
    pub(crate) fn load(&self) -> Option<(Keys<'_>, Generation)> {
        Some(match &self.0 {
            Source::Fixed(keys) => (Keys::Fixed(keys), 0),
            Source::File(file) => {
                let content = file.load();
                let generation = content.generation();
                (Keys::File(content), generation)
            }
            #[cfg(feature = "remote")]
            Source::Remote(remote) => {
                let (keys, generation) = remote.load()?;
                (Keys::Remote(keys), generation)
            }
        })
    }

    /// The generation of the current keys.
    pub(crate) fn generation(&self) -> Generation {
        match &self.0 {
            Source::Fixed(_) => 0,
            Source::File(file) => file.generation(),
            #[cfg(feature = "remote")]
            Source::Remote(remote) => remote.generation(),
        }
    }

    /// The fetch that may bring an unknown key, if one is possible now.
    #[cfg(feature = "remote")]
    pub(crate) fn newer(&self) -> Option<Fetching> {
        match &self.0 {
            Source::Fixed(_) | Source::File(_) => None,
            Source::Remote(remote) => remote.newer(),
        }
    }
}

/// The `SubjectPublicKeyInfo` in a PEM text.
fn public_key(pem: &[u8]) -> Result<SubjectPublicKeyInfoDer<'static>, KeyError> {
    let begins = |label: &[u8]| pem.windows(label.len()).filter(|window| *window == label).count();
    if begins(b"PRIVATE KEY-----") > 0 && begins(b"-----BEGIN PUBLIC KEY-----") > 0 {
        return Err(KeyError::new(
            "there is a private key beside the public one, with which tokens are made: keep the public key alone",
        ));
    }
    let count = begins(b"-----BEGIN PUBLIC KEY-----");
    if count > 1 {
        return Err(KeyError::new(format!(
            "there are {count} public keys in it, and one is used: keep the one that signs the tokens, or write \
             them as a JSON Web Key Set and name that by `jwks_file`"
        )));
    }
    SubjectPublicKeyInfoDer::from_pem_slice(KeyFile::without_mark(pem)).map_err(|_| {
        let found = KeyFile::of(pem);
        let found = found.remedy(KeyFilePart::PublicKey, "FILE").map(|_| format!(", but {found}"));
        KeyError::new(format!(
            "there is no public key in PEM (`BEGIN PUBLIC KEY`){}",
            found.unwrap_or_default()
        ))
    })
}

impl Deref for Keys<'_> {
    type Target = KeySet;

    fn deref(&self) -> &KeySet {
        match self {
            Self::Fixed(keys) => keys,
            Self::File(content) => content,
            #[cfg(feature = "remote")]
            Self::Remote(keys) => keys,
        }
    }
}

impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("Jwks");
        match &self.0 {
            Source::Fixed(keys) => tuple.field(keys),
            Source::File(file) => tuple.field(file),
            #[cfg(feature = "remote")]
            Source::Remote(remote) => tuple.field(remote),
        };
        tuple.finish()
    }
}
