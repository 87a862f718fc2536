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

/// The keys of an issuer, and where they come from. Cheap to clone; clones share them.
///
/// Which algorithms a key verifies:
///
/// 1. A key that names its algorithm (`alg`) is for that one and no other.
/// 2. A key on a curve is for the algorithm of its curve: ES256, ES384, ES512 or EdDSA.
/// 3. An RSA key that names none is for those of [`Jwt::algorithms`](crate::Jwt::algorithms) that are of RSA (RS256 to
///    PS512), one or several; for RS256 where no algorithms are listed.
/// 4. A shared secret that names none is for those of `Jwt::algorithms` that are HMAC (HS256 to HS512) and have no longer
///    hash than it has bytes; for none where no algorithms are listed.
///
/// The kind of a key is never for the token to say: a public key verifies no HMAC. A key whose `use` is not `sig`, or
/// whose `key_ops` have no `verify`, is left out, and so is one whose first certificate (`x5c`) is another key's. `x5u`,
/// `x5t`, the rest of `x5c` and its dates are ignored.
#[derive(Clone)]
pub struct Jwks(Source);

#[derive(Clone)]
enum Source {
    Fixed(Arc<KeySet>),
    File(WatchedFile<KeySet>),
    #[cfg(feature = "remote")]
    Remote(Arc<Remote>),
}

/// The keys as they are at a moment.
pub(crate) enum Keys<'a> {
    Fixed(&'a KeySet),
    File(WatchedContent<KeySet>),
    #[cfg(feature = "remote")]
    Remote(Arc<KeySet>),
}

/// Which keys an issuer had at a moment: another number after each change.
pub(crate) type Generation = u64;

impl Jwks {
    /// A JSON Web Key Set (RFC 7517), or one JSON Web Key. Shared secrets (`oct`) may be among them.
    ///
    /// # Errors
    ///
    /// When it is none, or holds no key that verifies signatures.
    pub fn from_json(text: &[u8]) -> Result<Self, KeyError> {
        let keys = KeySet::read(text, Origin::Local)?;
        keys.tell_doubts("JSON");
        Ok(Self::fixed(keys))
    }

    /// A file that holds a JSON Web Key Set, read again when it changes. A new content that is no good is refused, and
    /// the keys before it go on. What may not be meant in the first one is told by [`doubts`](Self::doubts), in a later one
    /// by the log.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or as in [`from_json`](Self::from_json).
    pub fn file(path: impl AsRef<Path>) -> Result<Self, WatchedFileError> {
        let name = path.as_ref().display().to_string();
        let is_later = AtomicBool::new(false);
        let read = move |text: &[u8]| {
            let keys = KeySet::read(text, Origin::Local)?;
            if is_later.swap(true, Ordering::Relaxed) {
                keys.tell_doubts(&name);
            }
            Ok::<_, KeyError>(keys)
        };
        WatchedFile::open(path.as_ref(), read).map(|file| Self(Source::File(file)))
    }

    /// A public key in PEM (`BEGIN PUBLIC KEY`), for this algorithm.
    ///
    /// # Errors
    ///
    /// When the text holds none, or one for another algorithm, or an RSA key of less than 2048 or more than 8192 bits.
    pub fn pem(algorithm: Algorithm, pem: &[u8]) -> Result<Self, KeyError> {
        Key::der(algorithm, &public_key(pem)?).map(KeySet::of).map(Self::fixed)
    }

    /// A public key in PEM, for the algorithms of its own kind, as a JSON Web Key without `alg`.
    ///
    /// # Errors
    ///
    /// As [`pem`](Self::pem).
    pub fn any_pem(pem: &[u8]) -> Result<Self, KeyError> {
        Key::any_der(&public_key(pem)?).map(KeySet::of).map(Self::fixed)
    }

    /// A secret that is shared with the issuer, for HS256, HS384 or HS512: the bytes themselves, as many as the hash
    /// has at least. Whoever knows it can make tokens.
    ///
    /// # Errors
    ///
    /// When it is too short, or the algorithm does not use secrets.
    pub fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        Key::secret(Some(algorithm), secret).map(KeySet::of).map(Self::fixed)
    }

    /// The keys at a URL, fetched over HTTPS when they are first needed, and again when they have aged or a token names
    /// one that is not known.
    #[cfg(feature = "remote")]
    pub fn remote(url: &str) -> RemoteJwksBuilder {
        RemoteJwksBuilder::of_keys(url)
    }

    /// The keys of an OpenID Connect provider, which says itself where they are (OpenID Connect Discovery 1.0).
    #[cfg(feature = "remote")]
    pub fn discover(issuer: &str) -> RemoteJwksBuilder {
        RemoteJwksBuilder::of_issuer(issuer)
    }

    /// Begins to fetch keys from afar now, instead of when the first token comes, and keeps them fresh. To be called on a
    /// tokio runtime; without one nothing happens, and the first token has to wait.
    #[cfg(feature = "remote")]
    pub fn prefetch(&self) {
        if let Source::Remote(remote) = &self.0 {
            remote.keep_running();
        }
    }

    /// The algorithms that the keys verify, as they are now: those of `listed` for which there is a key, or all where
    /// nothing is listed. `None` while no keys have been fetched.
    pub fn algorithms(&self, listed: Option<&[Algorithm]>) -> Option<Vec<Algorithm>> {
        self.load().map(|(keys, _)| keys.algorithms(listed))
    }

    /// What may not be meant in the keys, as they are now, each in a sentence: keys that are left out, keys with their
    /// private half, and keys that are for none of the algorithms that are listed.
    pub fn doubts(&self, listed: Option<&[Algorithm]>) -> Vec<String> {
        let Some((keys, _)) = self.load() else { return Vec::new() };
        keys.doubts().iter().cloned().chain(keys.idle(listed)).collect()
    }

    /// Why the keys, as they are now, verify no token where these algorithms are listed, as the end of a sentence that
    /// begins with "no key"; `None` while they may verify one.
    pub fn misfit(&self, listed: &[Algorithm]) -> Option<String> {
        self.load().and_then(|(keys, _)| keys.misfit(listed))
    }

    /// Has the log told of fetched keys that verify none of these algorithms, for as long as the list is there.
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

    /// The keys, and which they are; `None` while there are none yet.
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

    /// Which keys there are now.
    pub(crate) fn generation(&self) -> Generation {
        match &self.0 {
            Source::Fixed(_) => 0,
            Source::File(file) => file.generation(),
            #[cfg(feature = "remote")]
            Source::Remote(remote) => remote.generation(),
        }
    }

    /// The fetch that may bring a key that is not known, when there may be one now.
    #[cfg(feature = "remote")]
    pub(crate) fn newer(&self) -> Option<Fetching> {
        match &self.0 {
            Source::Fixed(_) | Source::File(_) => None,
            Source::Remote(remote) => remote.newer(),
        }
    }
}

/// The `SubjectPublicKeyInfo` of a PEM text.
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
